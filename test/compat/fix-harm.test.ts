import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { memorySources } from "./memory.js";

/** A file's text after all safe fixes. */
async function fixed(file: string, text: string): Promise<string> {
  const { changed } = await applyFixes(memorySources({ [file]: text }), { target: "current" }, "safe");
  return changed.get(file) ?? text;
}

const python = 'from openai import OpenAI\nclient = OpenAI(base_url="https://api.deepseek.com")\n';
const js = 'import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
const py = async (code: string) => (await fixed("a.py", python + code)).slice(python.length);
const script = async (code: string) => (await fixed("a.js", js + code)).slice(js.length);
const create = "client.chat.completions.create";

describe("comments that are not about what a fix takes out stay", () => {
  test.each([
    [
      `${create}(\n    model="deepseek-reasoner", temperature=0.7,\n    # about messages\n    messages=m,\n)`,
      `${create}(\n    model="deepseek-flash",\n    extra_body={"thinking": {"type": "enabled"}},\n    # about messages\n    messages=m,\n)`,
    ],
    [
      `${create}(\n    model="deepseek-reasoner", messages=m, # keep me\n    temperature=0.7)`,
      `${create}(\n    model="deepseek-flash",\n    extra_body={"thinking": {"type": "enabled"}}, messages=m # keep me\n    )`,
    ],
    [
      `${create}(model="deepseek-reasoner", messages=m, temperature=0.7 # c1\n    , top_p=1 # c2\n)`,
      `${create}(model="deepseek-flash", extra_body={"thinking": {"type": "enabled"}}, messages=m # c1\n)`,
    ],
  ])("in Python: %j", async (before, after) => {
    expect(await py(before)).toBe(after);
  });

  test.each([
    [
      '{ model: "deepseek-reasoner", temperature: 0.7, /* about messages */ messages }',
      '{ model: "deepseek-flash", thinking: { type: "enabled" }, /* about messages */ messages }',
    ],
    [
      '{ model: "deepseek-reasoner", messages, /* tail */ temperature: 0.7 }',
      '{ model: "deepseek-flash", thinking: { type: "enabled" }, messages /* tail */ }',
    ],
    [
      '{ model: "deepseek-reasoner", temperature: 0.7 /* t */, messages }',
      '{ model: "deepseek-flash", thinking: { type: "enabled" }, /* t */ messages }',
    ],
  ])("in JavaScript: %j", async (before, after) => {
    expect(await script(`${create}(${before});`)).toBe(`${create}(${after});`);
  });

  test("a name written in parts with a comment between them is left to a person", async () => {
    const one = `${create}({ model: "deepseek-" /* kind: */ + "chat", messages });`;
    expect(await script(one)).toBe(one);
    const other = `${create}(model=("deepseek-"  # the maker\n    "chat"), messages=m)`;
    expect(await py(other)).toBe(other);
  });
});

describe("what may hold a thinking switch of its own keeps its model", () => {
  test.each([
    `${create}(model="deepseek-chat", messages=m, extra_body={"foo": 1, **base})`,
    `${create}(model="deepseek-chat", messages=m, extra_body={**base, "thinking": {"type": "disabled"}})`,
    `${create}(model="deepseek-chat", messages=m, extra_body=dict(foo=1, **base))`,
    // whoever calls the result may give another extra_body, which replaces this one
    `from functools import partial\nask = partial(${create}, model="deepseek-chat", messages=m)`,
  ])("in Python: %j", async (code) => {
    expect(await py(code)).toBe(code);
  });

  test("in the options of the AI SDK", async () => {
    const code =
      'import { deepseek } from "@ai-sdk/deepseek";\nimport { generateText } from "ai";\nawait generateText({ model: deepseek("deepseek-chat"), prompt, providerOptions: { deepseek: { ...own } } });\n';
    const manifest = '{ "dependencies": { "@ai-sdk/deepseek": "3.0.56" } }';
    const { changed } = await applyFixes(
      memorySources({ "a.js": code, "package.json": manifest }),
      { target: "current" },
      "safe",
    );
    expect(changed.get("a.js")).toBeUndefined();
  });
});

test("a name that a variable is given on the way is no safe rename", async () => {
  const code = `${create}(model=(name := "deepseek-chat"), messages=m)\nlog(name)`;
  expect(await py(code)).toBe(code);
});

test("a line comes with the line break of its neighbours, not of some other line", async () => {
  const code = `${create}({\n  model: "deepseek-chat",\n  messages,\n});\nconst crlf = \`a\r\nb\`;\n`;
  expect(await script(code)).toBe(
    code.replace('"deepseek-chat",\n', '"deepseek-flash",\n  thinking: { type: "disabled" },\n'),
  );
});

test("a notebook's line that is taken out leaves no empty element", async () => {
  const lines = [
    ...python.split(/(?<=\n)/),
    `${create}(\n`,
    '    model="deepseek-reasoner",\n',
    "    top_p=1,\n",
    "    messages=m)",
  ];
  const notebook = (source: readonly string[]) =>
    JSON.stringify({
      cells: [{ cell_type: "code", metadata: {}, outputs: [], source }],
      metadata: {},
      nbformat: 4,
      nbformat_minor: 5,
    });
  const after = [...lines];
  const at = after.indexOf('    model="deepseek-reasoner",\n');
  after.splice(at, 2, '    model="deepseek-flash",\n', '    extra_body={"thinking": {"type": "enabled"}},\n');
  expect(await fixed("a.ipynb", notebook(lines.filter((line) => line !== "")))).toBe(
    notebook(after.filter((line) => line !== "")),
  );
});

describe("what another host is asked for too stays", () => {
  const other = 'other = OpenAI(base_url="https://openrouter.ai/api/v1")\n';
  const body = 'body = {"model": "deepseek-reasoner", "messages": m}\n';
  test.each([
    ["two requests", `${other}${body}${create}(**body)\nother.chat.completions.create(**body)\n`],
    ["a request and something else", `${body}${create}(**body)\nsend(body)\n`],
  ])("in a dict that is spread into %s", async (_, code) => {
    expect(await py(code)).toBe(code);
  });
});

test("a switch that whoever calls a partial() may replace is no ground for a rename", async () => {
  const code = `from functools import partial\nask = partial(${create}, model="deepseek-chat", extra_body={"thinking": {"type": "disabled"}})`;
  expect(await py(code)).toBe(code);
});

test("a line that is continued with a backslash goes whole", async () => {
  const code = `${create}(model="deepseek-reasoner", \\\n    top_p=1, \\\n    messages=m)`;
  expect(await py(code)).toBe(
    `${create}(model="deepseek-flash", extra_body={"thinking": {"type": "enabled"}}, \\\n    messages=m)`,
  );
});

test("sampling parameters stay where the reasoner is told not to think", async () => {
  const code = `${create}(model="deepseek-reasoner", temperature=0.5, extra_body={"thinking": {"type": "disabled"}})`;
  expect(await py(code)).toBe(code);
});

test("a keyword comes after what is given by position", async () => {
  const head = "from litellm import completion\n";
  expect(await fixed("a.py", `${head}completion("deepseek/deepseek-chat", m)\n`)).toBe(
    `${head}completion("deepseek/deepseek-flash", m, thinking={"type": "disabled"})\n`,
  );
});
