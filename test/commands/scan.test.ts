import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import ts from "typescript";
import { scanCommand } from "../../src/commands/scan.js";
import type { ScanReport } from "../../src/render/scan-report.js";
import { runCommand } from "../host.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const fixture = join(root, "fixtures", "apps", "support-bot");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "scan-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const scan = (argv: readonly string[], cwd = folder) => runCommand(scanCommand, argv, cwd);
const reportOf = async (argv: readonly string[], cwd = folder) =>
  JSON.parse((await scan([...argv, "--json"], cwd)).stdout) as ScanReport;
const write = (name: string, text: string | Uint8Array) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};
const read = (name: string) => readFileSync(join(folder, name), "utf8");
const brief = ({ findings }: ScanReport) =>
  findings.map(
    ({ place, line, code, severity, fix }) => `${place.file}:${line} ${code} ${severity} ${fix?.applicability ?? "-"}`,
  );

const client = 'const client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
const chat = `${client}client.chat.completions.create({ model: "deepseek-chat", messages });\n`;

describe("the example application", () => {
  test("target current: every finding in its place, nothing in compare-hosts.ts", async () => {
    expect(brief(await reportOf([], fixture))).toEqual([
      "src/answer.ts:11 R01 error safe",
      "src/answer.ts:17 R05 warning safe",
      "src/answer.ts:25 R01 error safe",
      "src/answer.ts:27 R07 info safe",
      "src/answer.ts:28 R07 info safe",
      "src/answer.ts:29 R03 warning suggested",
      "src/answer.ts:36 R01 error safe",
      "src/config.ts:9 R01 error suggested",
      "src/conversation.ts:10 R01 error -",
      "src/conversation.ts:13 R01 error -",
      "src/conversation.ts:23 R01 warning -",
      "src/llm/models.ts:10 R01 warning -",
      "src/llm/models.ts:10 R06 info suggested",
      "src/llm/models.ts:10 R18 warning -",
      "src/llm/models.ts:11 R01 warning -",
      "src/llm/models.ts:11 R06 info suggested",
      "src/llm/models.ts:11 R03 warning suggested",
      "src/llm/models.ts:11 R18 warning -",
      "src/summary.js:9 R01 error safe",
    ]);
  });

  test("target v3.1: names are information only, the limit becomes 128K", async () => {
    const report = await reportOf(["--target", "v3.1"], fixture);
    expect(report.findings.filter(({ code }) => code === "R01").map(({ severity, fix }) => [severity, fix])).toEqual(
      Array(10).fill(["info", undefined]),
    );
    expect(report.findings.find(({ code }) => code === "R06")?.fix?.edits[0]?.text).toBe("128_000");
  });

  test("--fix leaves nothing safe to do, still compiles against the real types, and a second run writes nothing", async () => {
    cpSync(fixture, folder, { recursive: true });
    expect(typeErrors()).toEqual([]);
    const { code, stdout } = await scan(["--fix"]);
    expect(code).toBe(1);
    expect(stdout).toContain("7 fixes applied in 2 files");
    expect(typeErrors()).toEqual([]);
    expect(brief(await reportOf([])).filter((line) => line.endsWith(" safe"))).toEqual([]);
    const before = texts();
    expect((await scan(["--fix"])).stdout).not.toContain("applied");
    expect(texts()).toEqual(before);
    expect(read("src/answer.ts")).toContain('    thinking: { type: "enabled" },\n    messages: [{ role: "user"');
    expect(read("src/summary.js")).toContain(
      "\t\tproviderOptions: { deepseek: { thinking: { type: 'disabled' } } },\n",
    );
  });

  test("--fix=suggested compiles too", async () => {
    cpSync(fixture, folder, { recursive: true });
    await scan(["--fix=suggested"]);
    expect(typeErrors()).toEqual([]);
    expect(read("src/config.ts")).toContain('?? "deepseek-flash"');
  });

  const texts = () =>
    Object.fromEntries(
      readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" })
        .filter((name) => statSync(join(folder, "src", name)).isFile())
        .map((name) => [name, read(join("src", name))]),
    );
});

/** Type errors of the TypeScript files in the test's folder, against the installed openai and node types. */
function typeErrors(): string[] {
  const files = readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const program = ts.createProgram(
    files.map((name) => join(folder, "src", name)),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
      paths: { openai: [join(root, "node_modules", "openai", "index.d.ts")] },
    },
  );
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, start, messageText }) =>
        `${file?.fileName}:${start}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );
}

test("the thinking switch compiles in every form of a typed request", async () => {
  const forms = [
    'client.chat.completions.create({ model: "deepseek-chat", messages })',
    'client.chat.completions.create({ model: "deepseek-chat", messages, stream: true })',
    'client.chat.completions.create({\n  messages,\n  model: "deepseek-reasoner",\n  temperature: 0.1\n})',
    'client.chat.completions.create({ ...rest, model: "deepseek-chat", messages })',
    'client.chat.completions.create({ model: "deepseek-chat", messages } as OpenAI.ChatCompletionCreateParamsNonStreaming)',
    'client.chat.completions.create({ model: "deepseek-chat", messages } satisfies OpenAI.ChatCompletionCreateParamsNonStreaming)',
    'client.chat.completions.create({ model: "deepseek-chat", messages }, { timeout: 1000 })',
    'client.chat.completions.create(\n  { model: "deepseek-chat", messages, max_completion_tokens: 9 },\n)',
    'client.chat.completions.create({ model: "deepseek-chat", messages: [\n  { role: "user", content: "Hi" },\n] })',
    'client.chat.completions.stream({ model: "deepseek-chat", messages })',
    'client.chat.completions.parse({ model: "deepseek-chat", messages })',
    'const params = { model: "deepseek-chat", messages };\nclient.chat.completions.create(params)',
    'const params: OpenAI.ChatCompletionCreateParamsNonStreaming = { model: "deepseek-chat", messages };\nclient.chat.completions.create(params)',
  ];
  forms.forEach((form, index) => {
    write(
      `src/form-${index}.ts`,
      `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\nconst messages: OpenAI.ChatCompletionMessageParam[] = [];\nconst rest = { temperature: 1 };\nvoid rest;\n${form};\nexport {};\n`,
    );
  });
  expect(typeErrors()).toEqual([]);
  const { stdout } = await scan(["--fix"]);
  expect(stdout).toContain(`in ${forms.length} files`);
  expect(typeErrors()).toEqual([]);
});

test("types of one's own, casts and untyped clients compile before and after", async () => {
  const body = '{ model: "deepseek-chat", messages }';
  const openai = 'import OpenAI from "openai";\nconst messages: OpenAI.ChatCompletionMessageParam[] = [];\n';
  const made = 'new OpenAI({ baseURL: "https://api.deepseek.com" })';
  const client = `${openai}const client = ${made};\n`;
  const url = 'const url = "https://api.deepseek.com/chat/completions";\n';
  const strict = "interface Strict { model: string; messages: unknown[] }\n";
  const forms = [
    `${openai}const client: any = ${made};\nclient.chat.completions.create(${body});`,
    `const OpenAI = require("openai");\nconst messages: unknown[] = [];\nconst client = ${made};\nclient.chat.completions.create(${body});`,
    `${client}const params: any = ${body};\nclient.chat.completions.create(params);`,
    `${client}const params: Record<string, unknown> = ${body};\nclient.chat.completions.create(params as any);`,
    `${client}type P = OpenAI.ChatCompletionCreateParamsNonStreaming & { thinking?: { type: string } };\nconst params: P = ${body};\nclient.chat.completions.create(params);`,
    `${client}type P = OpenAI.ChatCompletionCreateParamsNonStreaming;\nconst params: P = ${body};\nclient.chat.completions.create(params);`,
    `${client}client.chat.completions.create(${body} as const);`,
    `${client}client.chat.completions.create((${body}));`,
    `${client}client.chat.completions.stream(${body} satisfies OpenAI.ChatCompletionCreateParams);`,
    `${strict}${url}const messages: unknown[] = [];\nfetch(url, { body: JSON.stringify(${body} satisfies Strict) });`,
    `${strict}${url}const messages: unknown[] = [];\nconst sent: Strict = ${body};\nfetch(url, { body: JSON.stringify(sent) });`,
  ];
  forms.forEach((form, index) => {
    write(`src/form-${index}.ts`, `${form}\nexport {};\n`);
  });
  expect(typeErrors()).toEqual([]);
  await scan(["--fix"]);
  expect(typeErrors()).toEqual([]);
  const { stdout } = await scan(["--fix=suggested"]);
  expect(stdout).not.toContain("deepseek-chat");
  expect(typeErrors()).toEqual([]);
});

describe("what is scanned", () => {
  test("foreign folders, ignored, large, binary and minified files are passed over; a named file is taken", async () => {
    for (const name of [
      "a.ts",
      "node_modules/x/a.js",
      "dist/a.js",
      "out/kept.txt",
      "gen/a.ts",
      "deep/skip/a.ts",
      "test/cassettes/a.js",
      "test/__snapshots__/a.js",
      "api.generated.ts",
      "types.generated.d.ts",
      "deep/a.ts",
    ])
      write(name, chat);
    mkdirSync(join(folder, ".git"));
    write(".gitignore", "gen/\n");
    write("deep/.gitignore", "skip\n");
    write("big.js", chat + " ".repeat(2 * 1024 * 1024));
    write("lib.min.js", chat);
    write("models.ts", `/**\n * @generated by a tool\n */\n${chat}`);
    write("data.js", new Uint8Array([0, 1, 2]));
    write("latin.js", Buffer.from(`${chat}// \xe9\n`, "latin1"));
    const report = await reportOf(["."]);
    expect([...new Set(brief(report).map((line) => line.split(":")[0]))]).toEqual(["a.ts", "deep/a.ts"]);
    expect(report.files.skipped).toEqual([
      { file: "api.generated.ts", reason: "generated" },
      { file: "big.js", reason: "larger than 2 MB" },
      { file: "data.js", reason: "not text" },
      { file: "lib.min.js", reason: "minified" },
      { file: "models.ts", reason: "generated" },
      { file: "types.generated.d.ts", reason: "generated" },
      { file: "latin.js", reason: "cannot be read as UTF-8 text" },
    ]);
    expect(brief(await reportOf(["gen/a.ts"]))).toEqual(["gen/a.ts:2 R01 error safe"]);
    expect(brief(await reportOf(["gen"]))).toEqual(["gen/a.ts:2 R01 error safe"]);
  });

  test("a file that only imports the client and the model is found through them", async () => {
    write("lib/llm.ts", `export ${client}export const MODEL = "deepseek-reasoner";\n`);
    write("lib/index.ts", 'export * from "./llm.js";\n');
    write(
      "ask.ts",
      'import { client, MODEL } from "./lib/index.js";\nclient.chat.completions.create({ model: MODEL, messages, max_tokens: 100 });\n',
    );
    write("other.ts", "export const unrelated = 1;\n");
    const report = await reportOf([]);
    expect(report.files).toMatchObject({ scanned: 4, parsed: 3 });
    expect(brief(report)).toContain("ask.ts:2 R03 warning suggested");
  });

  test("a folder without scripts is said to be so", async () => {
    write("readme.txt", "deepseek-chat");
    const { code, stdout } = await scan([]);
    expect(code).toBe(0);
    expect(stdout).toContain("no file of a kind this program reads was found, so nothing was scanned");
  });

  test("a broken file is named with its line and the rest is scanned", async () => {
    write("bad.ts", 'const a = "deepseek";\nconst = ;\n');
    write("good.ts", chat);
    const report = await reportOf([]);
    expect(report.files.broken).toMatchObject([{ file: "bad.ts", line: 2 }]);
    expect(brief(report)).toEqual(["good.ts:2 R01 error safe"]);
  });
});

describe("what must not be found", () => {
  test.each([
    [
      "a distillation",
      'const c = new OpenAI({ baseURL: "https://api.groq.com/openai/v1" });\nc.chat.completions.create({ model: "deepseek-r1-distill-llama-70b", messages, temperature: 0.6, max_tokens: 4096 });',
    ],
    [
      "OpenRouter's copy",
      'const c = new OpenAI({ baseURL: "https://openrouter.ai/api/v1" });\nc.chat.completions.create({ model: "deepseek/deepseek-chat", messages, max_completion_tokens: 5 });',
    ],
    [
      "other hosts' ids",
      'const ids = ["deepseek-ai/DeepSeek-V3", "deepseek-v3", "deepseek-v3.1", "deepseek-r1-0528", "accounts/fireworks/models/deepseek-v3"];',
    ],
    [
      "a table of another host",
      'export const openRouterModels = { "deepseek/deepseek-chat": { contextWindow: 64_000 }, "deepseek/deepseek-r1": { contextWindow: 64_000, maxTokens: 8_000 } };',
    ],
    [
      "a limit of another model",
      'export const models = { "gpt-x": { contextWindow: 128_000 }, "deepseek-v3": { contextWindow: 64_000 } };',
    ],
    ["prose", 'console.log("deepseek-chat was retired in 2026");\n// model: "deepseek-chat"'],
    [
      "today's model with the switch",
      `${client}client.chat.completions.create({ model: "deepseek-flash", messages, thinking: { type: "disabled" }, max_tokens: 500, temperature: 0.2 });`,
    ],
    ["an import of a file of that name", 'import x from "deepseek-chat";\nx();'],
  ])("%s", async (_, text) => {
    write("a.ts", `${text}\n`);
    expect(brief(await reportOf(["--target", "current"]))).toEqual([]);
  });
});

test("a test for the old size in the server's refusal is reported", async () => {
  write("a.ts", `${client}if (/maximum context length is 65536 tokens/.test(message)) shorten();\n`);
  expect(brief(await reportOf([]))).toEqual(["a.ts:2 R06 info -"]);
});

test("what is spread in for other models only is not held against the reasoner", async () => {
  write(
    "a.ts",
    `${client}client.chat.completions.create({ model: "deepseek-reasoner", messages, ...(deep ? {} : { temperature: 0 }) });\n`,
  );
  expect(brief(await reportOf(["--target", "v3.1"]))).toEqual(["a.ts:2 R01 info -"]);
});

test("a request for another maker's model is none that DeepSeek's rules leave open", async () => {
  write(
    "a.ts",
    'const url = "https://api.deepseek.com";\nclient.chat.completions.create({ model: "gpt-5", ...more });\n',
  );
  write("b.ts", 'const url = "https://api.deepseek.com";\nclient.chat.completions.create({ model, ...more });\n');
  const { unresolved } = await reportOf([]);
  expect(unresolved.map(({ file, line }) => `${file}:${line}`)).toEqual(["b.ts:2"]);
});

test("a file nested beyond measure is reported, and the rest is scanned", async () => {
  write("chain.js", `const x = "deepseek"${"\n.a()".repeat(6000)};\n`);
  write("sum.js", `const x = ${Array(6000).fill('"deepseek"').join(" +\n")};\n`);
  write("a.js", chat);
  const report = await reportOf([]);
  expect(brief(report)).toEqual(["a.js:2 R01 error safe"]);
  expect(report.files.broken.map(({ file, message }) => `${file}: ${message}`)).toContain(
    "chain.js: expressions nested too deeply to be read",
  );
});

describe("do no harm", () => {
  const table = 'export const models = { "deepseek-chat": { contextWindow: 64_000 } };\n';

  test("a limit is raised only where the host is known: here nothing says it", async () => {
    write("models.ts", table);
    expect(brief(await reportOf(["--rule", "R06"]))).toEqual(["models.ts:1 R06 info -"]);
    await scan(["--fix=suggested"]);
    expect(read("models.ts")).toBe(table);
  });

  test("a table is of the host that the requests of its importers go to", async () => {
    write("models.ts", table);
    write(
      "a.ts",
      `import { models } from "./models.js";\n${client}client.chat.completions.create({ model, messages });\n`,
    );
    const report = await reportOf(["--rule", "R06"]);
    expect(brief(report)).toEqual(["models.ts:1 R06 info suggested"]);
    expect(report.findings[0]?.host?.evidence).toMatch(/^the requests of a\.ts, which imports it: baseURL/);
    // as soon as one of them asks another host, nothing is certain any more
    write(
      "b.ts",
      `import { models } from "./models.js";\nnew OpenAI({ baseURL: "https://openrouter.ai/api/v1" }).chat.completions.create({ model, messages });\n`,
    );
    expect(brief(await reportOf(["--rule", "R06"]))).toEqual(["models.ts:1 R06 info -"]);
  });

  test("a reasoner with tools is renamed by a person: its successor wants the reasoning back", async () => {
    write("a.js", `${client}client.chat.completions.create({ model: "deepseek-reasoner", messages, tools });\n`);
    const { findings } = await reportOf(["--rule", "R01"]);
    expect(findings[0]?.fix?.applicability).toBe("suggested");
    expect(findings[0]?.manual).toMatch(/reasoning_content/);
    write("b.js", `${client}client.chat.completions.create({ model: "deepseek-chat", messages, tools });\n`);
    expect(brief(await reportOf(["--rule", "R01"]))[1]).toBe("b.js:2 R01 error safe");
  });
});

describe("options", () => {
  test("--diff shows what --fix would write, and writes nothing", async () => {
    write("a.js", chat);
    const { stdout, code } = await scan(["--diff"]);
    expect(code).toBe(1);
    expect(stdout).toContain(
      [
        "--- a/a.js",
        "+++ b/a.js",
        "@@ -1,2 +1,2 @@",
        ' const client = new OpenAI({ baseURL: "https://api.deepseek.com" });',
        '-client.chat.completions.create({ model: "deepseek-chat", messages });',
        '+client.chat.completions.create({ model: "deepseek-flash", thinking: { type: "disabled" }, messages });',
      ].join("\n"),
    );
    expect(read("a.js")).toBe(chat);
    expect((await scan(["--fix", "--diff"])).code).toBe(1);
    expect(read("a.js")).toBe(chat);
  });

  test("a fixed file keeps its permissions, line breaks and byte order mark", async () => {
    const text = `\uFEFF${chat.replaceAll("\n", "\r\n")}`;
    write("a.js", text);
    chmodSync(join(folder, "a.js"), 0o755);
    expect((await scan(["--fix"])).code).toBe(0);
    expect(read("a.js")).toBe(text.replace('"deepseek-chat"', '"deepseek-flash", thinking: { type: "disabled" }'));
    expect(statSync(join(folder, "a.js")).mode & 0o777).toBe(0o755);
  });

  test("--fail-on and --min-severity", async () => {
    write("a.ts", `${client}client.chat.completions.create({ model: "deepseek-flash", messages });\n`);
    expect((await scan([])).code).toBe(0);
    expect((await scan(["--fail-on", "warning"])).code).toBe(1);
    expect((await scan(["--fail-on", "never"])).code).toBe(0);
    const report = await reportOf(["--min-severity", "error"]);
    expect(report.findings).toEqual([]);
    expect(report.hidden).toBe(1);
  });

  test("--rule takes names and codes", async () => {
    write(
      "a.ts",
      `${client}client.chat.completions.create({ model: "deepseek-reasoner", messages, temperature: 0, max_tokens: 9 });\n`,
    );
    const codes = async (...rules: string[]) =>
      (await reportOf(rules.flatMap((rule) => ["--rule", rule]))).findings.map(({ code }) => code);
    expect(await codes("r07")).toEqual(["R07"]);
    expect(await codes("reasoner-max-tokens", "R07")).toEqual(["R07", "R03"]);
  });

  test.each([
    [["--rule", "R99"], "--rule R99: there is no such rule; "],
    [["nowhere"], "nowhere: no such file or folder"],
    [["notes.txt"], "notes.txt: not a kind of file this program reads"],
    [["--target", "v2"], "Allowed choices are v3.1, current"],
    [["--fix", "src"], "It must be safe or suggested; write paths before --fix."],
    [["--report", "x.txt"], "the name must end in .json, .md, .html, .sarif or .xml"],
  ])("%j is refused", async (argv, message) => {
    write("notes.txt", "deepseek");
    const { code, stderr } = await scan(argv);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test("no file that can be read is an error", async () => {
    write("a.js", Buffer.from("// deepseek \xe9\n", "latin1"));
    const { code, stderr } = await scan([]);
    expect(code).toBe(2);
    expect(stderr).toContain("a.js: cannot be read as UTF-8 text");
  });

  test("--report writes both forms", async () => {
    write("a.js", chat);
    await scan(["--diff", "--report", "r.json", "--report", "r.md"]);
    expect((JSON.parse(read("r.json")) as ScanReport).schema).toBe("deepseek-compat/scan@1");
    expect(read("r.md")).toMatch(
      /^## DeepSeek compatibility\n[\s\S]*\| error \| `a\.js:2` \| R01 retired-model-alias \|[\s\S]*```diff\n--- a\/a\.js\n/,
    );
  });
});
