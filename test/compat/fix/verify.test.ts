import { describe, expect, test } from "@jest/globals";
import { applyFixes, type Fixing } from "../../../src/compat/fix/fix.js";
import { culpritsAmong, withoutSecrets } from "../../../src/compat/fix/verify.js";
import { createTypeVerifier } from "../../../src/compat/readers/typescript-verify.js";
import type { Problem, Rule } from "../../../src/compat/rule.js";
import { rules } from "../../../src/compat/rules/index.js";
import { memorySources } from "../memory.js";
import { memoryTypeFiles } from "../type-memory.js";

const tsconfig =
  '{ "compilerOptions": { "target": "ES2022", "module": "NodeNext", "strict": true, "types": [] }, "include": ["src"] }';
const openai = {
  "node_modules/openai/package.json": '{ "name": "openai", "version": "6.0.0", "types": "index.d.ts" }',
  "node_modules/openai/index.d.ts": `export interface Body { model: string; messages: unknown[]; temperature?: number }
export default class OpenAI {
  constructor(options: { baseURL: string });
  chat: { completions: { create(body: Body): Promise<string> } };
}
`,
};
const ask = `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
export const reply = client.chat.completions.create({ model: "deepseek-chat", messages: [] });
`;

/** A rule that replaces every `before` it finds in a file by `after`, rightly or not. */
function replacing(before: string, after: string): Rule {
  return {
    ...rules[0]!,
    id: "test-rule",
    severity: { "v3.1": "info", current: "info" },
    *check(facts): Iterable<Problem> {
      for (const { file, text } of facts.files) {
        for (let start = text.indexOf(before); start >= 0; start = text.indexOf(before, start + 1)) {
          const place = { file, start, end: start + before.length };
          yield {
            message: "replace",
            place,
            fix: { applicability: "safe", description: `write ${after}`, edits: [{ ...place, text: after }] },
          };
        }
      }
    },
  };
}

async function fixing(
  files: Readonly<Record<string, string>>,
  own?: readonly Rule[],
  config = tsconfig,
): Promise<Fixing> {
  const all = { ...(config ? { "tsconfig.json": config } : {}), ...files };
  const verifier = createTypeVerifier(memoryTypeFiles(all));
  return applyFixes(memorySources(files), { target: "current", ...(own ? { rules: own } : {}) }, "safe", { verifier });
}

describe("verified fixes", () => {
  test("a fix that compiles is verified, and says by what", async () => {
    const { applied, withdrawn, changed } = await fixing({ "src/a.ts": ask, ...openai });
    expect(withdrawn).toEqual([]);
    expect(changed.get("src/a.ts")).toContain("@ts-expect-error");
    expect(applied.map(({ verification, line }) => [line, verification])).toEqual([
      [
        3,
        {
          state: "fixed-verified",
          checks: ["parses", "nothing else changed", "a second run changes nothing", "type-checked with tsconfig.json"],
        },
      ],
    ]);
  });

  test("a fix that brings a type error is withdrawn and left to a person, with the error; the others stay", async () => {
    const text =
      "// deepseek\nexport const size: number = /* a */ OLD;\nexport const other: string = /* b */ OLD;\ndeclare const OLD: any, NEW: string;\n";
    const { changed, withdrawn, applied, remaining } = await fixing({ "src/a.ts": text }, [
      replacing("*/ OLD", "*/ NEW"),
    ]);
    expect(changed.get("src/a.ts")).toBe(text.replace("/* b */ OLD", "/* b */ NEW"));
    expect(applied).toHaveLength(1);
    expect(withdrawn).toHaveLength(1);
    expect(withdrawn[0]!.reason).toContain(
      "line 2 of src/a.ts: TS2322: Type 'string' is not assignable to type 'number'",
    );
    expect(remaining.findings.map(({ line, fix, manual }) => [line, fix, manual?.includes("TS2322")])).toEqual([
      [2, undefined, true],
    ]);
  });

  test("an error in a file that imports the changed one counts too", async () => {
    const files = {
      "src/model.ts": 'export const model = "deepseek-chat";\n',
      "src/use.ts": 'import { model } from "./model.js";\nexport const same: "deepseek-chat" = model;\n',
    };
    const { changed, withdrawn } = await fixing(files, [replacing('model = "deepseek-chat"', 'model = "x"')]);
    expect([...changed]).toEqual([]);
    expect(withdrawn[0]!.reason).toContain("src/use.ts");
  });

  test("errors that were there before are no reason", async () => {
    const text = 'const n: number = "x"; // deepseek\nexport const a = OLD;\ndeclare const OLD: string, NEW: string;\n';
    const { applied, withdrawn } = await fixing({ "src/a.ts": text }, [replacing("= OLD", "= NEW")]);
    expect(withdrawn).toEqual([]);
    expect(applied[0]!.verification.state).toBe("fixed-verified");
  });

  test.each([
    ["the client's types are not installed", {}, tsconfig, "the types of openai are not installed"],
    ["there is no tsconfig", openai, "", "no tsconfig.json was found"],
  ])("%s: the fix stays, unverified", async (_, packages, config, doubt) => {
    const { applied, withdrawn } = await fixing({ "src/a.ts": ask, ...packages }, undefined, config);
    expect(withdrawn).toEqual([]);
    expect(applied[0]!.verification.state).toBe("fixed-unverified");
    expect(applied[0]!.verification.doubt).toContain(doubt);
  });

  test("plain JavaScript has no types to check, with checkJs it has", async () => {
    const text = "// deepseek\n/** @type {number} */\nexport const size = OLD;\nvar OLD = 1, NEW = 'x';\n";
    const rule = replacing("= OLD", "= NEW");
    const { applied } = await fixing({ "src/a.js": text }, [rule]);
    expect(applied[0]!.verification).toEqual({
      state: "fixed-verified",
      checks: ["parses", "nothing else changed", "a second run changes nothing"],
    });
    const checked = await fixing(
      { "src/a.js": text },
      [rule],
      tsconfig.replace('"strict"', '"checkJs": true, "strict"'),
    );
    expect(checked.withdrawn).toHaveLength(1);
  });

  test.each([
    ['"./base"', 1],
    ['["./strict.json", "./base.json"]', 1],
    ['"./strict.json"', 0],
  ])("checkJs is found where the tsconfig extends %s", async (extended, withdrawals) => {
    const files = {
      "src/a.js": "// deepseek\n/** @type {number} */\nexport const size = OLD;\nvar OLD = 1, NEW = 'x';\n",
      "base.json": '{ "compilerOptions": { "checkJs": true } }',
      "strict.json": '{ "compilerOptions": { "strict": true } }',
    };
    const own = `{ "extends": ${extended}, "compilerOptions": { "types": [], "lib": ["es2022"] } }`;
    const { withdrawn } = await fixing(files, [replacing("= OLD", "= NEW")], own);
    expect(withdrawn).toHaveLength(withdrawals);
  });

  test("options come from the tsconfig that a solution refers to, and from the one it extends", async () => {
    const text =
      "// deepseek\nexport const size = OLD;\ndeclare const OLD: string;\nfunction f(NEW: any) { return NEW; }\nf(1);\n";
    const rule = replacing("function f(NEW: any)", "function f(NEW)");
    const solution = '{ "files": [], "references": [{ "path": "./tsconfig.app.json" }] }';
    const base = { "base.json": '{ "compilerOptions": { "strict": false, "noImplicitAny": true, "types": [] } }' };
    const app = { "tsconfig.app.json": '{ "extends": "./base.json" }' };
    const { withdrawn } = await fixing({ "src/a.ts": text, ...base, ...app }, [rule], solution);
    expect(withdrawn[0]!.reason).toContain("TS7006");
  });

  test("rubbish for a tsconfig costs nothing but what it would have checked", async () => {
    const { applied } = await fixing({ "src/a.ts": ask, ...openai }, undefined, "{{{");
    expect(applied).toHaveLength(1);
  });
});

test("keys and tokens do not get into what is reported", () => {
  const text =
    "Type '\"sk-0123456789abcdef0123\"' is not assignable; hf_abcdefghijklmnop ABCDEFGH12345678abcdefgh12345678 file-name.ts TS2322";
  expect(withoutSecrets(text)).toBe("Type '\"\u2026\"' is not assignable; \u2026 \u2026 file-name.ts TS2322");
});

describe("finding culprits", () => {
  const fails = (bad: readonly (readonly number[])[]) => (some: readonly number[]) =>
    bad.some((group) => group.every((one) => some.includes(one))) ? "bad" : undefined;
  const all = [1, 2, 3, 4, 5, 6, 7];

  test.each([
    [[], []],
    [[[3]], [3]],
    [
      [[1], [7]],
      [1, 7],
    ],
    // only both together fail, and halving parts them
    [[[1, 7]], [7]],
  ])("%j: %j", (bad, expected) => {
    expect(culpritsAmong(all, fails(bad)).map(({ change }) => change)).toEqual(expected);
  });
});
