import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { hostOfEnvironment, hostOfUrl } from "../../src/compat/host.js";
import { rules } from "../../src/compat/rules/index.js";
import { scan } from "../../src/compat/scan.js";
import { memorySources, onlyRequest } from "./memory.js";

const current = { target: "current" } as const;
const open = 'import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
const create = (body: string) => `${open}client.chat.completions.create(${body});\n`;

/** Applicability of a rule's fixes in one file; `none` where there is a finding without one. */
async function fixesOf(code: string, text: string, file = "a.ts") {
  const { findings } = await scan(memorySources({ [file]: text }), current);
  return findings.filter((one) => one.code === code).map(({ fix }) => fix?.applicability ?? "none");
}

async function safelyFixed(text: string, file = "a.ts") {
  const { changed } = await applyFixes(memorySources({ [file]: text }), current, "safe");
  return changed.get(file) ?? text;
}

describe("extra_body", () => {
  test.each([
    [
      "what was without effect takes effect",
      'model: "deepseek-flash", messages, extra_body: { thinking: { type: "disabled" }, temperature: 0 }',
    ],
    [
      "an unknown spread may hold the switch",
      'model: "deepseek-flash", messages, ...rest, extra_body: { thinking: { type: "disabled" } }',
    ],
    [
      "the switch contradicts the name",
      'model: "deepseek-chat", messages, temperature: 0, extra_body: { thinking: { type: "enabled" } }',
    ],
    [
      "an effort for a name that never thought",
      'model: "deepseek-chat", messages, extra_body: { reasoning_effort: "high" }',
    ],
  ])("%s: suggested", async (_, body) => {
    const text = create(`{ ${body} }`);
    expect(await fixesOf("R02", text)).toEqual(["suggested"]);
    expect(await safelyFixed(text)).toContain("extra_body: {");
  });

  test("a rename never goes by a switch that nobody hears", async () => {
    const text = create(
      '{ model: "deepseek-chat", messages, temperature: 0, extra_body: { thinking: { type: "enabled" } } }',
    );
    expect(await fixesOf("R01", text)).toEqual(["none"]);
    expect(await safelyFixed(text)).toBe(text);
    // as soon as it is heard, it is gone by
    const agreeing = create('{ model: "deepseek-chat", messages, extra_body: { thinking: { type: "disabled" } } }');
    expect(await fixesOf("R01", agreeing)).toEqual(["none"]);
    expect(await safelyFixed(agreeing)).toContain(
      '{ model: "deepseek-flash", messages, thinking: { type: "disabled" } }',
    );
  });

  test("several properties under one compiler directive are left to a person", async () => {
    const text = (inner: string) =>
      create(
        `{\n  model: "deepseek-flash",\n  messages,\n  // @ts-expect-error not in the types\n  extra_body: { ${inner} },\n}`,
      );
    expect(await fixesOf("R02", text('thinking: { type: "enabled" }'))).toEqual(["safe"]);
    expect(await fixesOf("R02", text('reasoning_effort: "high", thinking: { type: "enabled" }'))).toEqual([
      "suggested",
    ]);
  });
});

test("extra_body of the project's own type stays where its type has it", async () => {
  const text = `${open}const params: Params = { model: "deepseek-flash", messages, extra_body: { thinking: { type: "disabled" } } };\nclient.chat.completions.create(params);\n`;
  expect(await fixesOf("R02", text)).toEqual(["suggested"]);
});

test("a limit is raised by a suggestion where only a variable's name speaks for the host", async () => {
  const text =
    'const key = process.env.DEEPSEEK_API_KEY;\nexport const models = [{ id: "deepseek-chat", provider: "vllm", contextWindow: 64_000 }];\n';
  expect(await fixesOf("R06", text)).toEqual(["suggested"]);
  expect(await safelyFixed(text)).toBe(text);
});

describe("the endpoint is known by the names that are called", () => {
  test.each([
    ["broken into lines", "client\n  .chat\n  .completions\n  .create"],
    ["behind a long name", "theClientOfTheWholeApplicationThatAsksForAnswers.chat.completions.create"],
  ])("%s", async (_, callee) => {
    const name = callee.split(/[\n.]/)[0]!;
    const text = `const ${name} = new OpenAI({ baseURL: "https://api.deepseek.com" });\n${callee}({ model: "deepseek-chat", messages });\n`;
    expect(await safelyFixed(text, "a.js")).toContain('model: "deepseek-flash", thinking: { type: "disabled" }');
  });

  test("client.responses has no switch, so the name alone is never changed", async () => {
    const text = `${open}client.responses.create({ model: "deepseek-chat", input });\n`;
    expect(await fixesOf("R01", text)).toEqual(["none"]);
  });

  test("client.completions has another model, which a person has to agree to", async () => {
    const text = `${open}client.completions.create({ model: "deepseek-chat", prompt });\n`;
    expect(await fixesOf("R01", text)).toEqual([]);
    expect(await fixesOf("R16", text)).toEqual(expect.arrayContaining(["suggested"]));
    expect(await safelyFixed(text)).toBe(text);
  });
});

describe("types that the compiler may hold the object against", () => {
  const request = '{ model: "deepseek-chat", messages }';
  test.each([
    ["a client of any type", `const client: any = new OpenAI(options);\nclient.chat.completions.create(${request});`],
    [
      "a client cast to another type",
      `const client = new OpenAI(options) as unknown as Llm;\nclient.chat.completions.create(${request});`,
    ],
    [
      "a client handed on under another type",
      `const own = new OpenAI(options);\nconst client: Llm = own;\nclient.chat.completions.create(${request});`,
    ],
    [
      "a client of a function with a type of its own",
      `function make(): Llm { return new OpenAI(options); }\nmake().chat.completions.create(${request});`,
    ],
    [
      "a field of another type",
      `const make = () => new OpenAI(options);\nclass A { client: Llm; constructor() { this.client = make(); } run() { return this.client.chat.completions.create(${request}); } }`,
    ],
    ["a wrapped client", `const client = observe(new OpenAI(options));\nclient.chat.completions.create(${request});`],
    [
      "an object of the project's own type",
      `const client = new OpenAI(options);\nconst params: Params = ${request};\nclient.chat.completions.create(params);`,
    ],
    [
      "a stream of the project's own type",
      `const client = new OpenAI(options);\nclient.chat.completions.stream(${request} satisfies Params);`,
    ],
  ])("%s: suggested", async (_, text) => {
    const whole = `import OpenAI from "openai";\nconst options = { baseURL: "https://api.deepseek.com" };\n${text}\n`;
    expect(await fixesOf("R01", whole)).toEqual(["suggested"]);
    expect(await safelyFixed(whole)).toBe(whole);
  });

  test("require() gives no types to TypeScript, and JavaScript has none", async () => {
    const text = `const OpenAI = require("openai");\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\nclient.chat.completions.create(${request});\n`;
    expect(await fixesOf("R01", text)).toEqual(["suggested"]);
    expect(await fixesOf("R01", text, "a.js")).toEqual(["safe"]);
  });

  test.each([
    [
      "a field with the client's type",
      "class A { client: OpenAI; constructor() { this.client = MADE; } run() { return this.client.CALL; } }",
    ],
    [
      "a client made when it is first asked for",
      "let c: OpenAI | undefined;\nfunction get() { c ??= MADE; return c; }\nget().CALL;",
    ],
    ["a table of clients", "const clients: Record<string, OpenAI> = { one: MADE };\nclients.one.CALL;"],
    ["an async function", "async function make(): Promise<OpenAI> { return MADE; }\n(await make()).CALL;"],
  ])("%s keeps its type", async (_, text) => {
    const whole = `import OpenAI from "openai";\n${text
      .replace("MADE", 'new OpenAI({ baseURL: "https://api.deepseek.com" })')
      .replace("CALL", `chat.completions.create(${request})`)}\n`;
    expect(await fixesOf("R01", whole)).toEqual(["safe"]);
  });

  test("an object that takes any property gets a plain one", async () => {
    const text = `${open}const params: Record<string, unknown> = ${request};\nclient.chat.completions.create(params as any);\n`;
    expect(await safelyFixed(text)).toContain('model: "deepseek-flash", thinking: { type: "disabled" }, messages };');
  });

  test.each([
    ["satisfies", `fetch(url, { body: JSON.stringify(${request} satisfies Body) });`],
    ["a declared type", `const body: Body = ${request};\naxios.post(url, body);`],
    ["a type argument", `axios.post<Answer, Response, Body>(url, ${request});`],
    ["a filter of names", `fetch(url, { body: JSON.stringify(${request}, ["model", "messages"]) });`],
  ])("the body of a plain request under %s: suggested", async (_, text) => {
    expect(await fixesOf("R01", `const url = "https://api.deepseek.com/chat/completions";\n${text}\n`)).toEqual([
      "suggested",
    ]);
  });

  test("the indent of JSON.stringify is no filter", async () => {
    const text = `fetch("https://api.deepseek.com/chat/completions", { body: JSON.stringify(${request}, null, 2) });\n`;
    expect(await fixesOf("R01", text)).toEqual(["safe"]);
  });
});

describe("who answers", () => {
  test.each([
    ["AZURE_DEEPSEEK_ENDPOINT", "azure"],
    ["OPENROUTER_DEEPSEEK_API_KEY", "openrouter"],
    ["VLLM_DEEPSEEK_BASE_URL", undefined],
    ["VITE_DEEPSEEK_API_KEY", "official"],
    ["MY_APP_DEEPSEEK_API_KEY", "official"],
  ])("the variable %s", (name, host) => expect(hostOfEnvironment(name)).toBe(host));

  test("a foreign prefix makes the official default uncertain", () => {
    const { host } = onlyRequest({
      "a.ts":
        'const c = new OpenAI({ baseURL: process.env.VLLM_DEEPSEEK_BASE_URL ?? "https://api.deepseek.com" });\nc.chat.completions.create({ model: "deepseek-chat", messages });',
    });
    expect(host).toMatchObject({ host: "official", certainty: "possible" });
  });

  test.each(["https://api.deepseek.com@localhost/", "https://api.deepseek.com:443@example.org/v1"])(
    "%s is no official URL",
    (url) => expect(hostOfUrl(url)).not.toBe("official"),
  );

  const post = (callee: string) =>
    `${callee}("https://api.deepseek.com/chat/completions", { model: "deepseek-chat", messages: [] });\n`;

  test("a mock's post() is no request, and an unknown one only perhaps", async () => {
    expect(await fixesOf("R01", post("fetchMock.post"))).toEqual(["none"]);
    expect(await fixesOf("R01", post("api.post"))).toEqual(["suggested"]);
    expect(await fixesOf("R01", `import http from "axios";\n${post("http.post")}`)).toEqual(["safe"]);
    expect(
      await fixesOf(
        "R01",
        `import axios from "axios";\nconst api = axios.create({ timeout: 9 });\n${post("api.post")}`,
      ),
    ).toEqual(["safe"]);
  });
});

test("a file that is half merged gets no safe fix", async () => {
  const text = `${open}<<<<<<< HEAD\nlog();\n=======\n>>>>>>> other\nclient.chat.completions.create({ model: "deepseek-chat", messages });\n`;
  expect(await fixesOf("R01", text)).toEqual(["suggested"]);
  expect(await safelyFixed(text)).toBe(text);
});

test("a parameter with a comment of its own is removed by a suggestion, so that the comment is not left behind", async () => {
  const text = (comment: string) =>
    create(`{\n  model: "deepseek-reasoner",\n  messages,${comment}\n  temperature: 0.2,\n}`);
  expect(await fixesOf("R07", text("\n  // keep answers steady"))).toEqual(["suggested"]);
  expect(await fixesOf("R07", text("\n  /* keep answers\n   * steady */"))).toEqual(["suggested"]);
  expect(await fixesOf("R07", text(" // the whole talk"))).toEqual(["safe"]);
});

test("no rule fixes safely what is only likely official", () => {
  // its examples in code have a host that only a variable or the requests nearby speak for
  const limit = rules.find(({ code }) => code === "R06");
  const inCode = limit?.examples.filter(({ language }) => language === "ts" || language === "js");
  expect(inCode?.map(({ by }) => by)).toEqual(["suggested", "suggested"]);
});
