import { expect, test } from "@jest/globals";
import { collectGarbage } from "../../src/commands/tidy.js";
import { resolvePython } from "../../src/compat/readers/python-imports.js";
import { readTypeScript } from "../../src/compat/readers/typescript.js";
import type { Sources } from "../../src/compat/sources.js";
import { memorySources } from "./memory.js";

/** More code than trees are kept of. */
const padding = `/* ${"x".repeat(700_000)} */\n`;

test("values are followed through files whose trees were let go", () => {
  const files: Record<string, string> = {
    "a-first.ts": `import { ask } from "./z-last";\n${padding}ask("deepseek-reasoner");\n`,
    "b-model.ts": `${padding}export const MODEL = "deepseek-chat";\n`,
    "c-base.ts": `${padding}export class Settings { host = "a"; }\n`,
    "d-heir.ts": `import { Settings } from "./c-base";\n${padding}export class Own extends Settings { model = "b"; }\n`,
    "z-last.ts": `
import OpenAI from "openai";
import { MODEL } from "./b-model";
const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
export function ask(model: string) {
  return client.chat.completions.create({ model, messages: [] });
}
client.chat.completions.create({ model: MODEL, messages: [] });
`,
  };
  let tidied = 0;
  const sources: Sources = { ...memorySources(files), tidy: () => (tidied += 1) };
  const facts = readTypeScript(sources, sources.paths);
  const [asked, constant] = facts.at(-1)!.requests;
  expect(asked?.model?.candidates.map(({ value, place }) => [value, place.file])).toEqual([
    ["deepseek-reasoner", "a-first.ts"],
  ]);
  expect(constant?.model).toMatchObject({ certainty: "certain", candidates: [{ value: "deepseek-chat" }] });
  expect(facts[1]!.mentions).toMatchObject([{ id: "deepseek-chat", onlyRequests: true }]);
  expect(tidied).toBe(1);
});

test("garbage can be collected at any time", () => {
  expect(collectGarbage).not.toThrow();
});

test("an import is looked for only in folders that have its first name", () => {
  const asked: string[] = [];
  const there = ["app/src/llm/client.py", "app/config.py"];
  const folders: Readonly<Record<string, readonly string[]>> = {
    "": ["app"],
    app: ["src", "config.py"],
    "app/src": ["llm"],
  };
  const sources: Sources = {
    paths: there,
    read: () => "",
    has: (path) => {
      asked.push(path);
      return there.includes(path);
    },
    names: (folder) => new Set(folders[folder]),
  };
  expect(resolvePython(sources, "app/jobs/run.py", "llm/client")).toBe("app/src/llm/client.py");
  expect(resolvePython(sources, "app/jobs/run.py", "config")).toBe("app/config.py");
  asked.length = 0;
  expect(resolvePython(sources, "app/jobs/run.py", "numpy/linalg")).toBeUndefined();
  expect(asked).toEqual([]);
});
