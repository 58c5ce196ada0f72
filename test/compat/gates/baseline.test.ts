import { describe, expect, test } from "@jest/globals";
import { baselineText, compareWithBaseline, parseBaseline } from "../../../src/compat/gates/baseline.js";

const entry = (fingerprint: string, file: string, line = 1) => ({ fingerprint, file, line, rule: "r", message: "m" });
const baselineOf = (...entries: ReturnType<typeof entry>[]) => parseBaseline(baselineText(entries), "b.json");
const there = () => true;

describe("compared with a baseline", () => {
  test("what moved within its file is known, what is new is not", () => {
    const { known, gone } = compareWithBaseline(
      baselineOf(entry("h:1", "a.ts", 3)),
      [
        { fingerprint: "h:1", file: "a.ts" },
        { fingerprint: "h:2", file: "a.ts" },
      ],
      there,
      there,
    );
    expect([known, gone]).toEqual([[true, false], []]);
  });

  test("a new copy in an earlier file does not take the place of the one that is known", () => {
    const { known } = compareWithBaseline(
      baselineOf(entry("h:1", "b.ts")),
      [
        { fingerprint: "h:1", file: "a.ts" },
        { fingerprint: "h:2", file: "b.ts" },
      ],
      there,
      there,
    );
    expect(known).toEqual([false, true]);
  });

  test("a renamed file keeps its entries", () => {
    const { known, gone } = compareWithBaseline(
      baselineOf(entry("h:1", "old.ts")),
      [{ fingerprint: "h:1", file: "new.ts" }],
      ({ file }) => file === "new.ts",
      (file) => file === "new.ts",
    );
    expect([known, gone]).toEqual([[true], []]);
  });

  test("what is found no more is gone only where its file was scanned or exists no more", () => {
    const { gone, unseen } = compareWithBaseline(
      baselineOf(entry("a:1", "scanned.ts"), entry("b:1", "elsewhere.ts"), entry("c:1", "deleted.ts")),
      [],
      ({ file }) => file === "scanned.ts",
      (file) => file !== "deleted.ts",
    );
    expect(gone.map(({ file }) => file)).toEqual(["deleted.ts", "scanned.ts"]);
    expect(unseen.map(({ file }) => file)).toEqual(["elsewhere.ts"]);
  });
});

test("the file is sorted and the same whatever the order was", () => {
  const entries = [entry("b:1", "b.ts"), entry("a:1", "a.ts", 20), entry("c:1", "a.ts", 3)];
  expect(baselineText(entries)).toBe(baselineText([...entries].reverse()));
  expect(baselineOf(...entries).findings.map(({ fingerprint }) => fingerprint)).toEqual(["c:1", "a:1", "b:1"]);
});

test.each([
  ["{", "not valid JSON"],
  ["null", "schema is missing"],
  ['{"schema": "other@1"}', 'schema is "other@1"'],
  ['{"schema": "deepseek-compat/baseline@1"}', "findings is no list"],
  ['{"schema": "deepseek-compat/baseline@1", "findings": [{"rule": 1}]}', "entry 1 lacks"],
  ['{"schema": "deepseek-compat/baseline@1", "findings": [null]}', "entry 1 lacks"],
])("%s is refused", (text, why) => {
  expect(() => parseBaseline(text, "b.json")).toThrow(`b.json: is no baseline of this program (${why}`);
});
