import { describe, expect, test } from "@jest/globals";
import { emptyFacts, type Facts, type FileFacts } from "../../../src/compat/facts.js";
import { fingerprints } from "../../../src/compat/gates/fingerprint.js";

function factsOf(files: Readonly<Record<string, string>>): Facts {
  return {
    files: Object.entries(files).map(([file, text]) => {
      const symbols: FileFacts["symbols"] = [...text.matchAll(/function (\w+)\(\) \{[^}]*\}/g)].map((match) => ({
        name: match[1]!,
        kind: "function" as const,
        start: match.index,
        end: match.index + match[0].length,
      }));
      return { ...emptyFacts(file, "typescript", text), symbols };
    }),
  };
}

/** Fingerprints of all calls of `ask(...)` in some files. */
function marks(files: Readonly<Record<string, string>>, rule = "r"): readonly string[] {
  const places = Object.entries(files).flatMap(([file, text]) =>
    [...text.matchAll(/ask\([^)]*\)/g)].map((match) => ({
      rule,
      place: { file, start: match.index, end: match.index + match[0].length },
    })),
  );
  return fingerprints(factsOf(files), places);
}

const [before] = marks({ "a.ts": 'function f() { ask("deepseek-chat", 64000) }' });

describe("a fingerprint stays", () => {
  test.each([
    ["where lines move", { "a.ts": '\n\n// new\nfunction f() {\n\n  ask("deepseek-chat", 64000) }' }],
    ["where the file is renamed", { "other/b.ts": 'function f() { ask("deepseek-chat", 64000) }' }],
    ["where code is reformatted", { "a.ts": "function f() { ask(\n  'deepseek-chat',\n  64_000,\n) }" }],
  ])("%s", (_, files) => expect(marks(files)).toEqual([before]));
});

describe("a fingerprint changes", () => {
  test.each([
    ["with the code", { "a.ts": 'function f() { ask("deepseek-chat", 65000) }' }],
    ["with the function around it", { "a.ts": 'function g() { ask("deepseek-chat", 64000) }' }],
  ])("%s", (_, files) => expect(marks(files)).not.toEqual([before]));
  test("with the rule", () => {
    expect(marks({ "a.ts": 'function f() { ask("deepseek-chat", 64000) }' }, "other")).not.toEqual([before]);
  });
});

test("equal findings are told apart by their number", () => {
  const text = 'function f() { ask("deepseek-chat", 64000); ask("deepseek-chat", 64000) }';
  const all = marks({ "a.ts": text, "b.ts": text });
  expect(new Set(all).size).toBe(4);
  expect(all[0]).toBe(before);
  expect(all.map((mark) => mark.split(":")[1])).toEqual(["1", "2", "3", "4"]);
});

test("a secret in the snippet is no part of it: another key gives the same fingerprint", () => {
  const of = (key: string) => marks({ "a.ts": `function f() { ask({ apiKey: "${key}" }) }` });
  expect(of("sk-11111111111111111111")).toEqual(of("sk-22222222222222222222"));
});
