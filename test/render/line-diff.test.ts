import { describe, expect, test } from "@jest/globals";
import { applyPatch } from "diff";
import { fileDiff } from "../../src/render/line-diff.js";

const numbered = (count: number, line: (index: number) => string) => Array.from({ length: count }, (_, at) => line(at));

describe("a diff of many changes", () => {
  test.each([
    ["every line", numbered(3000, (at) => `old ${at}`), numbered(3000, (at) => `new ${at}`)],
    [
      "every fifth line, and lines that come and go",
      numbered(9000, (at) => `line ${at}`),
      numbered(9000, (at) => (at % 5 === 0 ? `changed ${at}\nadded ${at}` : `line ${at}`)).filter(
        (_, at) => at % 97 > 0,
      ),
    ],
  ])("%s: applies to the old text and gives the new one", (_, before, after) => {
    for (const end of ["", "\n"]) {
      const [old, now] = [before.join("\n"), after.join("\n") + end];
      const diff = fileDiff("a b.ts", old, now);
      expect(diff).toMatch(/^--- a\/a b\.ts\n\+\+\+ b\/a b\.ts\n@@ -1,/);
      expect(applyPatch(old, diff)).toBe(now);
    }
  });

  test("what is not changed is not in it", () => {
    const before = numbered(20_000, (at) => `line ${at}`);
    const after = before.map((line, at) => (at % 8 === 0 ? `${line}!` : line));
    const diff = fileDiff("a.ts", before.join("\n"), after.join("\n"));
    expect(diff.match(/^[-+][^-+]/gm)).toHaveLength(5000);
  });
});
