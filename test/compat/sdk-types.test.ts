import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "@jest/globals";
import ts from "typescript";
import { applyFixes } from "../../src/compat/fix/fix.js";
import type { Applicability } from "../../src/compat/rule.js";
import type { Target } from "../../src/compat/targets.js";
import { memorySources } from "./memory.js";

const head = `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com", apiKey: "" });
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];
`;
const anthropic = `import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({ baseURL: "https://api.deepseek.com/anthropic", apiKey: "" });
`;
const aiSdk = `import { createDeepSeek, deepseek } from "@ai-sdk/deepseek";
import { generateText, streamText } from "ai";
export const provider = createDeepSeek({ apiKey: "" });
`;
const langchain = `import { ChatOpenAI } from "@langchain/openai";
const configuration = { baseURL: "https://api.deepseek.com" };
`;
/** Stands for a package that is not installed here; the type of its models is that of the AI SDK. */
const compatible = `import type { LanguageModel } from "ai";
export declare function createOpenAICompatible(options: { name: string; baseURL: string }): (id: string) => LanguageModel;
`;

interface Shape {
  readonly name: string;
  readonly text: string;
  /** The least level at which something is fixed for target current; left out where nothing has to be. */
  readonly level?: Applicability;
}

/** V3.0-era code against the types of the real packages. */
const shapes: readonly Shape[] = [
  [
    "openai on lines",
    "safe",
    `${head}export const r = await client.chat.completions.create({\n  model: "deepseek-chat",\n  messages,\n});\n`,
  ],
  [
    "openai on one line",
    "safe",
    `${head}export const r = await client.chat.completions.create({ model: "deepseek-reasoner", messages, temperature: 0 });\n`,
  ],
  [
    "openai streaming",
    "safe",
    `${head}const s = await client.chat.completions.create({ model: "deepseek-chat", messages, stream: true });\nfor await (const part of s) part.choices[0]?.delta;\n`,
  ],
  [
    "openai stream of unknown kind",
    "safe",
    `${head}export const ask = (stream: boolean) => client.chat.completions.create({ model: "deepseek-chat", messages, stream });\n`,
  ],
  [
    "openai with a spread",
    "safe",
    `${head}const rest = { temperature: 0.5 };\nexport const r = await client.chat.completions.create({ ...rest, model: "deepseek-chat", messages });\n`,
  ],
  [
    "openai typed parameters",
    "safe",
    `${head}const body: OpenAI.ChatCompletionCreateParamsNonStreaming = { model: "deepseek-chat", messages };\nexport const r = await client.chat.completions.create(body);\n`,
  ],
  [
    "openai parameters with satisfies",
    "safe",
    `${head}const body = { model: "deepseek-chat", messages } satisfies OpenAI.ChatCompletionCreateParamsNonStreaming;\nexport const r = await client.chat.completions.create(body);\n`,
  ],
  [
    "openai untyped parameters",
    "safe",
    `${head}const body = { model: "deepseek-chat", messages };\nexport const r = await client.chat.completions.create(body);\n`,
  ],
  [
    "openai in a class",
    "safe",
    `import OpenAI from "openai";\nexport class Llm {\n  private readonly client = new OpenAI({ baseURL: "https://api.deepseek.com/v1", apiKey: "" });\n  ask(content: string) {\n    return this.client.chat.completions.create({\n      model: "deepseek-reasoner",\n      messages: [{ role: "user", content }],\n      max_completion_tokens: 64000,\n    });\n  }\n}\n`,
  ],
  [
    "openai parse",
    "safe",
    `${head}export const r = await client.chat.completions.parse({ model: "deepseek-chat", messages });\n`,
  ],
  [
    "openai stream helper",
    "safe",
    `${head}export const r = client.chat.completions.stream({ model: "deepseek-chat", messages });\n`,
  ],
  [
    "openai extra_body",
    "suggested",
    `${head}// @ts-expect-error not a field of openai\nexport const r = await client.chat.completions.create({ model: "deepseek-flash", messages, extra_body: { thinking: { type: "disabled" } } });\n`,
  ],
  [
    "openai without a switch",
    "suggested",
    `${head}export const r = await client.chat.completions.create({ model: "deepseek-flash", messages });\n`,
  ],
  [
    "openai with a constant",
    "suggested",
    `${head}const MODEL = process.env["DEEPSEEK_MODEL"] ?? "deepseek-chat";\nexport const r = await client.chat.completions.create({ model: MODEL, messages });\n`,
  ],
  [
    "openai reasoner with a small limit",
    "safe",
    `${head}export const r = await client.chat.completions.create({\n  model: "deepseek-reasoner",\n  messages,\n  max_tokens: 4096,\n});\n`,
  ],
  [
    "fetch",
    "safe",
    `export const r = await fetch("https://api.deepseek.com/chat/completions", {\n  method: "POST",\n  body: JSON.stringify({ model: "deepseek-chat", messages: [] }),\n});\n`,
  ],
  [
    "fetch with a typed body",
    undefined,
    `interface Body { model: string; messages: string[] }\nconst body: Body = { model: "deepseek-chat", messages: [] };\nexport const r = await fetch("https://api.deepseek.com/chat/completions", { method: "POST", body: JSON.stringify(body) });\n`,
  ],
  [
    "ai sdk",
    "safe",
    `${aiSdk}export const r = await generateText({ model: deepseek("deepseek-chat"), prompt: "x" });\n`,
  ],
  [
    "ai sdk with options",
    "safe",
    `${aiSdk}export const r = streamText({\n  model: provider("deepseek-reasoner"),\n  prompt: "x",\n  providerOptions: { openai: { user: "x" } },\n});\n`,
  ],
  [
    "ai sdk openai-compatible",
    "suggested",
    `import { generateText } from "ai";\nimport { createOpenAICompatible } from "@ai-sdk/openai-compatible";\nconst deep = createOpenAICompatible({ name: "deep-seek", baseURL: "https://api.deepseek.com" });\nexport const r = await generateText({ model: deep("deepseek-chat"), prompt: "x" });\n`,
  ],
  [
    "langchain",
    "suggested",
    `${langchain}export const llm = new ChatOpenAI({ model: "deepseek-chat", configuration });\n`,
  ],
  [
    "langchain with modelKwargs",
    "suggested",
    `${langchain}export const llm = new ChatOpenAI({ model: "deepseek-reasoner", configuration, modelKwargs: { user: "x" } });\n`,
  ],
  [
    "anthropic",
    undefined,
    `${anthropic}export const r = await client.messages.create({ model: "deepseek-chat", max_tokens: 1024, messages: [{ role: "user", content: "x" }] });\n`,
  ],
  [
    "a component",
    "safe",
    `${head}export async function Answer(): Promise<string | null> {\n  const r = await client.chat.completions.create({ model: "deepseek-chat", messages });\n  return r.choices[0]?.message.content ?? null;\n}\n`,
  ],
].map(([name, level, text]) => ({ name: name!, text: text!, ...(level ? { level: level as Applicability } : {}) }));

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const folder = join(root, "test", "compat");
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
  types: ["node"],
  typeRoots: [join(root, "node_modules", "@types")],
};

const parsed = new Map<string, ts.SourceFile>();
let program: ts.Program | undefined;

/** Errors of the shapes by name; declarations are parsed once for all programs. */
function errorsOf(texts: ReadonlyMap<string, string>): ReadonlyMap<string, readonly string[]> {
  const files = new Map([...texts].map(([name, text]) => [join(folder, name), text] as const));
  files.set(join(folder, "openai-compatible.d.ts"), compatible);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const own = files.get(name);
    const known = parsed.get(name);
    if (known && (own === undefined || known.text === own)) return known;
    const source = own === undefined ? getSourceFile(name, target, ...rest) : ts.createSourceFile(name, own, target);
    if (source) parsed.set(name, source);
    return source;
  };
  host.resolveModuleNameLiterals = (literals, containing, redirected, own) =>
    literals.map((literal) =>
      literal.text === "@ai-sdk/openai-compatible"
        ? { resolvedModule: { resolvedFileName: join(folder, "openai-compatible.d.ts"), extension: ".d.ts" } }
        : ts.resolveModuleName(literal.text, containing, own, host, undefined, redirected, ts.ModuleKind.ESNext),
    );
  const rootNames = [...texts.keys()].map((name) => join(folder, name));
  program = ts.createProgram({ rootNames, options, host, ...(program ? { oldProgram: program } : {}) });
  return new Map(
    [...texts.keys()].map((name) => {
      const source = program!.getSourceFile(join(folder, name))!;
      const found = [...program!.getSyntacticDiagnostics(source), ...program!.getSemanticDiagnostics(source)];
      return [name, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))];
    }),
  );
}

const fileOf = (index: number) => `shape-${index}.mts`;
const manifest = { "package.json": '{ "dependencies": { "@ai-sdk/deepseek": "2.0.69" } }' };

async function fixedTexts(target: Target, level: Applicability): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const [index, { text }] of shapes.entries()) {
    const sources = memorySources({ ...manifest, [fileOf(index)]: text });
    const { changed } = await applyFixes(sources, { target }, level);
    texts.set(fileOf(index), changed.get(fileOf(index)) ?? text);
  }
  return texts;
}

const before = new Map(shapes.map(({ text }, index) => [fileOf(index), text]));
const levels: readonly Applicability[] = ["safe", "suggested"];
const after = new Map<string, ReadonlyMap<string, string>>();
const errors = new Map<string, ReadonlyMap<string, readonly string[]>>();

beforeAll(async () => {
  errors.set("before", errorsOf(before));
  for (const target of ["current", "v3.1"] as const) {
    for (const level of levels) {
      const texts = await fixedTexts(target, level);
      after.set(`${target} ${level}`, texts);
      errors.set(`${target} ${level}`, errorsOf(texts));
    }
  }
}, 120_000);

describe("fixes against the types of the real packages", () => {
  test.each(shapes.map((shape, index) => ({ ...shape, file: fileOf(index) })))("$name", ({ file, text, level }) => {
    expect(errors.get("before")!.get(file)).toEqual([]);
    for (const [run, texts] of after)
      expect([run, errors.get(run)!.get(file), texts.get(file)]).toEqual([run, [], texts.get(file)]);
    if (!level) return;
    expect(after.get("current suggested")!.get(file)).not.toBe(text);
    expect(after.get("current safe")!.get(file) !== text).toBe(level === "safe");
  });
});
