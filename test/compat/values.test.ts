import { describe, expect, test } from "@jest/globals";
import type { Certainty } from "../../src/compat/facts.js";
import { onlyRequest } from "./memory.js";

const call = (model: string) => `client.chat.completions.create({ ${model}, messages });`;

interface Shape {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly certainty: Certainty;
  readonly values: readonly unknown[];
  readonly path?: string;
}

const shapes: readonly Shape[] = [
  { name: "a literal", files: { "a.ts": call('model: "m"') }, certainty: "certain", values: ["m"], path: "" },
  {
    name: "a constant",
    files: { "a.ts": `const MODEL = "m";\n${call("model: MODEL")}` },
    certainty: "certain",
    values: ["m"],
    path: "MODEL, a.ts:1",
  },
  {
    name: "a shorthand",
    files: { "a.ts": `const model = "m";\n${call("model")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a member of an object",
    files: { "a.ts": `const config = { llm: { model: "m" } };\n${call("model: config.llm.model")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a member through a spread",
    files: {
      "a.ts": `const base = { model: "m" };\nconst config = { ...base, n: 1 };\n${call("model: config.model")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a known object spread into the request",
    files: { "a.ts": `const base = { model: "m" };\n${call("...base")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a default after ?? of the environment",
    files: { "a.ts": call('model: process.env.MODEL ?? "m"') },
    certainty: "possible",
    values: ["m"],
    path: "process.env.MODEL ?? default",
  },
  {
    name: "a default after ||",
    files: { "a.ts": `const MODEL = options.model || "m";\n${call("model: MODEL")}` },
    certainty: "possible",
    values: ["m"],
    path: "MODEL, a.ts:1 -> options.model || default",
  },
  {
    name: "the environment alone",
    files: { "a.ts": call("model: process.env.MODEL") },
    certainty: "unknown",
    values: [],
  },
  {
    name: "a literal that no default can replace",
    files: { "a.ts": `const MODEL = "m";\n${call('model: MODEL ?? "n"')}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "an import",
    files: {
      "src/config.ts": 'export const MODEL = "m";',
      "src/a.ts": `import { MODEL } from "./config.js";\n${call("model: MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
    path: "MODEL, src/config.ts:1",
  },
  {
    name: "an import under another name",
    files: {
      "config.ts": 'const M = "m";\nexport { M as MODEL };',
      "a.ts": `import { MODEL as X } from "./config";\n${call("model: X")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "re-exports through an index file",
    files: {
      "llm/names.ts": 'export const MODEL = "m";',
      "llm/index.ts": 'export * from "./names.js";',
      "a.ts": `import { MODEL } from "./llm";\n${call("model: MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a default export",
    files: {
      "config.ts": 'export default { model: "m" };',
      "a.ts": `import config from "./config.js";\n${call("model: config.model")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a namespace import",
    files: {
      "config.ts": 'export const MODEL = "m";',
      "a.ts": `import * as config from "./config.js";\n${call("model: config.MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a path alias of tsconfig.json",
    files: {
      "tsconfig.json": '{ // aliases\n "compilerOptions": { "paths": { "@/*": ["./src/*"], } } }',
      "src/config.ts": 'export const MODEL = "m";',
      "src/deep/a.ts": `import { MODEL } from "@/config";\n${call("model: MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a path alias that tsconfig.json inherits, relative to where it is written",
    files: {
      "tsconfig.base.json": '{ "compilerOptions": { "baseUrl": ".", "paths": { "@shared/*": ["libs/shared/*"] } } }',
      "apps/web/tsconfig.json":
        '{ "extends": ["../../missing.json", "../../tsconfig.base"], "compilerOptions": { "strict": true } }',
      "libs/shared/config.ts": 'export const MODEL = "m";',
      "apps/web/src/a.ts": `import { MODEL } from "@shared/config";\n${call("model: MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a path alias of jsconfig.json, in a circle of extends",
    files: {
      "jsconfig.json": '{ "extends": "./jsconfig.json", "compilerOptions": { "paths": { "~/*": ["./src/*"] } } }',
      "src/config.js": 'export const MODEL = "m";',
      "src/deep/a.js": `import { MODEL } from "~/config";\n${call("model: MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "require and module.exports",
    files: {
      "config.js": 'module.exports = { MODEL: "m" };',
      "a.js": `const { MODEL } = require("./config");\n${call("model: MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a template with known parts",
    files: { "a.ts": `const KIND = "chat";\n${call("model: `deepseek-\u0024{KIND}`")}` },
    certainty: "certain",
    values: ["deepseek-chat"],
  },
  {
    name: "a template with an unknown part",
    files: { "a.ts": call("model: `deepseek-\u0024{kind}`") },
    certainty: "possible",
    values: ["deepseek-…"],
  },
  {
    name: "a conditional",
    files: { "a.ts": call('model: deep ? "m" : "n"') },
    certainty: "possible",
    values: ["m", "n"],
  },
  {
    name: "a class field",
    files: { "a.ts": `class A { private model = "m"; run() { ${call("model: this.model")} } }` },
    certainty: "certain",
    values: ["m"],
    path: "this.model, a.ts:1",
  },
  {
    name: "a class field set by the constructor with a default",
    files: {
      "a.ts": `class A { constructor(o) { this.model = o.model ?? "m"; } run() { ${call("model: this.model")} } }`,
    },
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "a parameter's default",
    files: { "a.ts": `export function ask(model = "m") { ${call("model")} }` },
    certainty: "possible",
    values: ["m"],
    path: "model, a.ts:1 (default)",
  },
  {
    name: "a default in a destructured parameter",
    files: { "a.ts": `export function ask({ model = "m" }) { ${call("model")} }` },
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "a wrapper's argument",
    files: { "a.ts": `function ask(model: string) { ${call("model")} }\nask("m");` },
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "a row of a table by a known key",
    files: { "a.ts": `const models = { chat: "m", reason: "n" };\n${call('model: models["chat"]')}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a row of a table by an unknown key",
    files: { "a.ts": `const models = { chat: "m", reason: "n" };\n${call("model: models[kind]")}` },
    certainty: "possible",
    values: ["m", "n"],
  },
  {
    name: "a member of an enum",
    files: { "a.ts": `enum Model { Chat = "m" }\n${call("model: Model.Chat")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "what a function returns",
    files: { "a.ts": `const pick = () => "m";\n${call("model: pick()")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a variable that is given another value",
    files: { "a.ts": `let model = "m";\nmodel = other();\n${call("model")}` },
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "a value in a circle",
    files: { "a.ts": `const a = b;\nconst b = a;\n${call("model: a")}` },
    certainty: "unknown",
    values: [],
  },
  {
    name: "files that import each other",
    files: {
      "a.ts": `import { B } from "./b.js";\nexport const A = B;\n${call("model: A")}`,
      "b.ts": 'import { A } from "./a.js";\nexport const B = A;',
    },
    certainty: "unknown",
    values: [],
  },
];

describe("values are followed through", () => {
  test.each(shapes)("$name", ({ files, certainty, values, path }) => {
    const { model } = onlyRequest(files);
    expect(model?.certainty).toBe(certainty);
    expect(model?.candidates.map(({ value }) => value)).toEqual(values);
    if (path !== undefined) expect(model?.candidates[0]?.path.join(" -> ")).toBe(path);
  });

  test("functions that call each other in many ways come to an end", () => {
    const names = Array.from({ length: 12 }, (_, index) => `f${index}`);
    const functions = names.map(
      (name) => `function ${name}(x) { return x ? ${names.map((one) => `${one}(x)`).join(" : x ? ")} : "m"; }`,
    );
    const { model } = onlyRequest({ "a.ts": `${functions.join("\n")}\n${call("model: f0(y)")}` });
    expect(model?.certainty).not.toBe("certain");
  });

  test("a provider call of the AI SDK, made in another file", () => {
    const { model, host, client } = onlyRequest({
      "model.ts": 'import { deepseek } from "@ai-sdk/deepseek";\nexport const model = deepseek("deepseek-chat");',
      "a.ts":
        'import { generateText } from "ai";\nimport { model } from "./model.js";\ngenerateText({ model, prompt: "x" });',
    });
    expect({ client, host: host.host, value: model?.candidates[0]?.value }).toEqual({
      client: "ai-sdk",
      host: "official",
      value: "deepseek-chat",
    });
    expect(model?.candidates[0]?.place.file).toBe("model.ts");
  });
});

describe("what is made of itself ends", () => {
  const self = [
    [
      "a text",
      'let model = "deepseek";\nmodel = model + "-chat";\nclient.chat.completions.create({ model, messages });',
    ],
    ["a template", `let model = "a";\nmodel = \`\${model}b\`;\nclient.chat.completions.create({ model, messages });`],
    [
      "an object",
      'let more = { top_p: 1 };\nmore = { ...more, n: 1 };\nclient.chat.completions.create({ model: "m", ...more });',
    ],
    [
      "objects that hold each other",
      "var x = { y: y }, y = { x: x };\nclient.chat.completions.create({ model: 1, x });",
    ],
  ] as const;
  test.each(self)("%s", (_, code) => {
    expect(onlyRequest({ "a.js": code }).model).toBeDefined();
  });

  test("however often it is added to", () => {
    const adding = Array.from(
      { length: 40 },
      (_, index) => `s = s + o.x + "${index}" + s;\no = { ...o, a: o, b: [o] };`,
    );
    const code = `let s = "a";\nlet o = {};\n${adding.join("\n")}\nclient.chat.completions.create({ ...o, model: s });`;
    expect(onlyRequest({ "a.js": code }).model?.certainty).toBe("possible");
  });
});
