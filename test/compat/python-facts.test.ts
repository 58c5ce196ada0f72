import { describe, expect, test } from "@jest/globals";
import { scan } from "../../src/compat/scan.js";
import { mentionsDeepSeek } from "../../src/compat/sources.js";
import { memorySources } from "./memory.js";
import { factsOf, pythonFacts } from "./python.js";

const chat = '"deepseek-chat"';

describe("the role of a model's name", () => {
  const roles: readonly (readonly [code: string, kind: string, name: string])[] = [
    [`f(model=${chat})`, "property", "model"],
    [`x = {"model": ${chat}}`, "property", "model"],
    [`f(${chat})`, "argument", "f"],
    [`MODEL = ${chat}`, "constant", "MODEL"],
    [`MODEL = x or ${chat}`, "default", "MODEL"],
    [`os.getenv("MODEL", ${chat})`, "default", "MODEL"],
    [`def f(model=${chat}): pass`, "default", "model"],
    [`def f(model: str = ${chat}): pass`, "default", "model"],
    [`class C:\n    model: str = ${chat}`, "default", "model"],
    [`class C(BaseModel):\n    model: str = Field(default=${chat})`, "default", "model"],
    [`p.add_argument("--model", default=${chat})`, "default", "model"],
    [`x == ${chat}`, "comparison", "x"],
    [`x in (${chat}, "b")`, "comparison", "x"],
    [`${chat} in x`, "text test", "x"],
    [`x.startswith(${chat})`, "text test", "x.startswith"],
    [`match x:\n    case ${chat}: pass`, "switch case", ""],
    [`T = {${chat}: 1}`, "table key", ""],
    [`T[${chat}]`, "table key", "T"],
    [`M = Literal[${chat}, "b"]`, "type", "Literal"],
    [`def f(x: Literal[${chat}]): pass`, "type", ""],
    [`MODELS = [${chat}, "b"]`, "list", "MODELS"],
    [`return_ = f(x, y)\nprint(f"a" ${chat[0]}${chat.slice(1)})`, "", ""],
  ];
  test.each(roles)("%s", async (code, kind, name) => {
    const { mentions } = await factsOf(code);
    expect(mentions.map((one) => [one.kind, one.name])).toEqual(kind ? [[kind, name]] : []);
  });

  test("a docstring and a comment mention nothing", async () => {
    const facts = await factsOf(`"""deepseek-chat"""\n# deepseek-chat\ndef f():\n    "deepseek-chat"\n`);
    expect(facts.mentions).toEqual([]);
    expect(facts.literals.map((one) => one.isDocumentation)).toEqual([true, true]);
  });

  test("ids of every host and framework", async () => {
    const ids = ["deepseek/deepseek-chat", "deepseek:deepseek-chat", "deepseek-ai/DeepSeek-V3", "deepseek-r1:7b"];
    const { mentions } = await factsOf(`x = ${JSON.stringify(ids)}`);
    expect(mentions.map(({ id }) => id)).toEqual(ids);
  });

  test("a constant that only requests use, here and where it is imported", async () => {
    const use = "client.chat.completions.create(model=MODEL, messages=m)\n";
    const only = async (files: Readonly<Record<string, string>>) =>
      Object.values(await pythonFacts(files))
        .flatMap((file) => file.mentions)
        .map((one) => one.onlyRequests);
    expect(await only({ "a.py": `MODEL = ${chat}\n${use}` })).toEqual([true]);
    expect(await only({ "a.py": `MODEL = ${chat}\n${use}print(MODEL)\n` })).toEqual([false]);
    expect(await only({ "c.py": `MODEL = ${chat}\n`, "a.py": `from c import MODEL\n${use}` })).toEqual([true]);
    expect(await only({ "c.py": `MODEL = ${chat}\n`, "a.py": `import c\n${use}` })).toEqual([false]);
    expect(await only({ "c.py": `MODEL = ${chat}\n`, "a.py": `from c import *\n${use}` })).toEqual([false]);
  });
});

describe("numbers, flags and literals", () => {
  test("a number has a name, a form and an owner", async () => {
    const { numbers } = await factsOf(
      `MODELS = {"deepseek-chat": {"max_tokens": 8_192, "ctx": 64 * 1024}}\nclass DeepSeekConfig:\n    window: int = 64000\nif n > 65536: pass\nf(5, 70000)\nInfo(id="deepseek-reasoner", limit=5)\n`,
    );
    expect(numbers.map(({ name, value, text, form, owner }) => [name, value, text, form, owner])).toEqual([
      ["max_tokens", 8192, "8_192", "property", "deepseek-chat"],
      ["ctx", 65536, "64 * 1024", "property", "deepseek-chat"],
      ["window", 64000, "64000", "property", "DeepSeekConfig"],
      ["n", 65536, "65536", "comparison", undefined],
      ["", 70000, "70000", "argument", undefined],
      ["limit", 5, "5", "property", "deepseek-reasoner"],
    ]);
  });

  test("flags", async () => {
    const { flags } = await factsOf(`T = {"deepseek-chat": {"tools": False}}\nf(stream=True)\nDEBUG = True\n`);
    expect(flags.map(({ name, value, owner }) => [name, value, owner])).toEqual([
      ["tools", false, "deepseek-chat"],
      ["stream", true, undefined],
      ["DEBUG", true, undefined],
    ]);
  });

  test("strings, f-strings and patterns", async () => {
    const { literals } = await factsOf(`A = "x" 'y'\nB = f"a{b}c"\nre.compile(r"\\d+")\n`);
    expect(literals.map(({ value, kind, name }) => [value, kind, name])).toEqual([
      ["xy", "string", "A"],
      ["a…c", "template", "B"],
      ["\\d+", "regex", ""],
    ]);
  });
});

describe("calls", () => {
  test("what is called, from where, on what", async () => {
    const text = `from langchain_deepseek import ChatDeepSeek as C\nimport langchain_deepseek as ld\nllm = C(model="m")\nllm.bind_tools([a], strict=True)\nld.ChatDeepSeek()\n`;
    const { calls } = await factsOf(text);
    expect(
      calls.map(({ callee, name, isConstruction, from }) => [callee, name, isConstruction, from?.package, from?.name]),
    ).toEqual([
      ["C", "C", true, "langchain_deepseek", "ChatDeepSeek"],
      ["llm.bind_tools", "bind_tools", false, undefined, undefined],
      ["ld.ChatDeepSeek", "ChatDeepSeek", true, "langchain_deepseek", "ChatDeepSeek"],
    ]);
    const bind = calls[1]!;
    expect(text.slice(bind.maker!.start, bind.maker!.end)).toBe('C(model="m")');
    expect(bind.arguments.map(({ name, text: code, literal }) => [name, code, literal])).toEqual([
      [undefined, "[a]", undefined],
      ["strict", "True", true],
    ]);
    expect(bind.parameters.map(({ name }) => name)).toEqual(["strict"]);
    expect(calls[0]!.host).toMatchObject({ host: "official", certainty: "certain" });
  });
});

describe("tests, members, history, commands", () => {
  test("comparisons", async () => {
    const { comparisons } = await factsOf(
      `a == "x"\n422 != e.status\n"v" in m\nm in ("p", "q")\nm.startswith(("r", "s"))\nisinstance(e, (A, b.C))\ntry: pass\nexcept openai.RateLimitError as e: pass\n`,
    );
    expect(comparisons.map(({ subject, operator, value }) => `${subject} ${operator} ${value}`)).toEqual([
      "a equals x",
      "e.status differs 422",
      "m contains v",
      "m equals p",
      "m equals q",
      "m contains r",
      "m contains s",
      "e instance A",
      "e instance C",
      "e instance RateLimitError",
    ]);
  });

  test("match and chains of elif are switches", async () => {
    const { switches } = await factsOf(
      `match r:\n    case "a" | "b": pass\n    case _: pass\nif x == 1: pass\nelif x == 2: pass\nelif x == 3: pass\nif y == 1: pass\nelif z == 2: pass\nelif y == 3: pass\n`,
    );
    expect(
      switches.map(({ subject, cases, hasDefault }) => [subject, cases.map(({ value }) => value), hasDefault]),
    ).toEqual([
      ["r", ["a", "b"], true],
      ["x", [1, 2, 3], false],
    ]);
  });

  test("members are read, removed and written", async () => {
    const { members } = await factsOf(
      `m.reasoning_content\nm["reasoning_content"]\nm.get("reasoning_content")\ngetattr(m, "reasoning_content", None)\nm.pop("reasoning_content", None)\ndel m["reasoning_content"]\nm.reasoning_content = 1\nx = {"reasoning_content": 1}\n{k: v for k, v in m.items() if k != "reasoning_content"}\n`,
    );
    expect(members.map(({ form, object }) => `${form} ${object}`)).toEqual([
      "read m",
      "read m",
      "read m",
      "read m",
      "remove m",
      "remove m",
      "write m",
      "write ",
      "remove m",
    ]);
  });

  test("answers put into the history", async () => {
    const text = `r = client.chat.completions.create(model="m", messages=messages)\nmsg = r.choices[0].message\nmessages.append(msg)\nmessages.append(r.choices[0].message.model_dump())\nmessages += [msg]\nmessages = messages + [msg]\nmessages = [*messages, msg]\nmessages.append({"role": "assistant", "content": msg.content})\nmessages.append({"role": "user", "content": x})\nmessages.append({"role": "assistant", "content": "Hi"})\n`;
    const { history } = await factsOf(text);
    expect(history.map(({ kind, list, names }) => [kind, list, names.join()])).toEqual([
      ["response", "messages", ""],
      ["response", "messages", ""],
      ["response", "messages", ""],
      ["response", "messages", ""],
      ["response", "*messages".slice(1), ""],
      ["rebuilt", "messages", "role,content"],
    ]);
    expect(history[0]!.request?.start).toBe(4);
  });

  test("commands", async () => {
    const { commands } = await factsOf(
      `run(["vllm", "serve", model, f"--port={p}"])\nos.system("ollama run 'deepseek-v3'")\nx = ["a", "b"]\n`,
    );
    expect(commands.map(({ words, context }) => [context, ...words.map((one) => one.text)])).toEqual([
      ["list", "vllm", "serve", "…", "--port=…"],
      ["shell", "ollama", "run", "deepseek-v3"],
    ]);
  });

  test("comments that speak to this program, and symbols", async () => {
    const facts = await factsOf(
      `# other\nx = 1  # deepseek-compat-ignore R01\nclass A:\n    @d\n    def f(self): pass\n`,
    );
    expect(facts.comments.map(({ text }) => text)).toEqual(["deepseek-compat-ignore R01"]);
    expect(facts.symbols.map(({ kind, name }) => `${kind} ${name}`)).toEqual(["class A", "method A.f"]);
  });

  test("a half-written file is read as far as it goes", async () => {
    const facts = await factsOf(
      `client.chat.completions.create(model="deepseek-chat", messages=m)\ndef f(:\n  x = (\n`,
    );
    expect(facts.requests).toHaveLength(1);
    expect(facts.syntaxErrors.length).toBeGreaterThan(0);
    expect((await factsOf('print "hello"\n')).syntaxErrors).toEqual([]);
  });

  test("offsets count UTF-16 units", async () => {
    const text = `x = "é😀"\ny = "deepseek-chat"  # 😀\n`;
    const [mention] = (await factsOf(text)).mentions;
    expect(text.slice(mention!.place.start, mention!.place.end)).toBe(chat);
    const marked = `\uFEFF${text}`;
    const [other] = (await factsOf(marked)).mentions;
    expect(marked.slice(other!.place.start, other!.place.end)).toBe(chat);
  });
});

describe("which files are read", () => {
  test("those that import one that mentions DeepSeek, in every way to write it", async () => {
    const importers = {
      "a.py": "from pkg.llm import ask\n",
      "b.py": "import pkg.llm\n",
      "c.py": "from pkg import (\n    llm,\n)\n",
      "pkg/d.py": "from .llm import ask\n",
      "pkg/e.py": "from . import llm\n",
      "pkg/sub/f.py": "from ..llm import ask\n",
      "g.ipynb": JSON.stringify({ cells: [{ cell_type: "code", source: ["from pkg.llm import ask\n"] }] }),
      "z.py": "import other\nfrom llm import x\n",
    };
    const files = { "pkg/llm.py": 'MODEL = "deepseek-chat"\n', ...importers };
    expect(Object.values(importers).some(mentionsDeepSeek)).toBe(false);
    const { parsed } = await scan(memorySources(files), { target: "current" });
    expect([...parsed].sort()).toEqual([...Object.keys(files)].filter((path) => path !== "z.py").sort());
  });
});

describe("what CPython's own parser says too", () => {
  const values = async (code: string) => (await factsOf(`x = ${code}\n`)).literals.map(({ value }) => value);

  test("backslashes of a raw string, the code of a debugging hole", async () => {
    expect(await values("r'\\\\'")).toEqual(["\\\\"]);
    expect(await values("r'a\\\\'")).toEqual(["a\\\\"]);
    expect(await values('f"{model=}"')).toEqual(["model=…"]);
    expect(await values('f"{a == b}"')).toEqual(["…"]);
  });

  test("a backslash at the end of a line is no argument, brackets around a text are none of it", async () => {
    const [call] = (await factsOf('ask(a, \\\n    b, words=("x"\n    "y"))\n')).calls;
    expect(call?.arguments.map(({ name, text, literal }) => [name, text, literal])).toEqual([
      [undefined, "a", undefined],
      [undefined, "b", undefined],
      ["words", '("x" "y")', "xy"],
    ]);
  });
});
