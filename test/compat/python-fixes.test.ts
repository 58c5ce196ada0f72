import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { readerOf } from "../../src/compat/readers/index.js";
import type { Applicability } from "../../src/compat/rule.js";
import { scan } from "../../src/compat/scan.js";
import fc from "../property.js";
import { memorySources } from "./memory.js";
import { pythonFacts } from "./python.js";

const current = { target: "current" } as const;
const setUp = 'from openai import OpenAI\nclient = OpenAI(base_url="https://api.deepseek.com")\n';

async function fixed(text: string, level: Applicability = "safe", file = "a.py"): Promise<string> {
  const { changed, withdrawn } = await applyFixes(memorySources({ [file]: text }), current, level);
  expect(withdrawn).toEqual([]);
  const after = changed.get(file) ?? text;
  expect((await applyFixes(memorySources({ [file]: after }), current, level)).changed.size).toBe(0);
  return after;
}

const off = 'extra_body={"thinking": {"type": "disabled"}}';

interface Layout {
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

const layouts: readonly Layout[] = [
  {
    name: "one line",
    before: 'client.chat.completions.create(model="deepseek-chat", messages=m)',
    after: `client.chat.completions.create(model="deepseek-flash", ${off}, messages=m)`,
  },
  {
    name: "single quotes",
    before: "client.chat.completions.create(messages=m, model='deepseek-chat')",
    after:
      "client.chat.completions.create(messages=m, model='deepseek-flash', extra_body={'thinking': {'type': 'disabled'}})",
  },
  {
    name: "lines, a trailing comma and a comment",
    before: 'client.chat.completions.create(\n    model="deepseek-chat",  # cheap, for now\n    messages=m,\n)',
    after: `client.chat.completions.create(\n    model="deepseek-flash",  # cheap, for now\n    ${off},\n    messages=m,\n)`,
  },
  {
    name: "the last line without a comma",
    before: 'client.chat.completions.create(\n\tmessages=m,\n\tmodel="deepseek-chat"  # why\n)',
    after: `client.chat.completions.create(\n\tmessages=m,\n\tmodel="deepseek-flash",  # why\n\t${off}\n)`,
  },
  {
    name: "lines that hang",
    before: 'r = client.chat.completions.create(model="deepseek-chat",\n                                   messages=m)',
    after: `r = client.chat.completions.create(model="deepseek-flash", ${off},\n                                   messages=m)`,
  },
  {
    name: "an extra_body that is there",
    before: 'client.chat.completions.create(model="deepseek-chat", messages=m, extra_body={"a": 1})',
    after:
      'client.chat.completions.create(model="deepseek-flash", messages=m, extra_body={"a": 1, "thinking": {"type": "disabled"}})',
  },
  {
    name: "an extra_body of several lines",
    before:
      'client.chat.completions.create(\n    model="deepseek-chat",\n    messages=m,\n    extra_body={\n        "a": 1,\n    },\n)',
    after:
      'client.chat.completions.create(\n    model="deepseek-flash",\n    messages=m,\n    extra_body={\n        "a": 1,\n        "thinking": {"type": "disabled"},\n    },\n)',
  },
  {
    name: "an empty extra_body",
    before: 'client.chat.completions.create(model="deepseek-chat", messages=m, extra_body={})',
    after:
      'client.chat.completions.create(model="deepseek-flash", messages=m, extra_body={"thinking": {"type": "disabled"}})',
  },
  {
    name: "a switch that says the same already",
    before: `client.chat.completions.create(model="deepseek-chat", messages=m, ${off})`,
    after: `client.chat.completions.create(model="deepseek-flash", messages=m, ${off})`,
  },
  {
    name: "the prefix and quotes of the name",
    before: `client.chat.completions.create(model=r"""deepseek-chat""", messages=m)`,
    after: `client.chat.completions.create(model=r"""deepseek-flash""", ${off}, messages=m)`,
  },
  {
    name: "a body of requests",
    before:
      'import requests\nrequests.post("https://api.deepseek.com/chat/completions", json={"model": "deepseek-chat", "messages": m})',
    after:
      'import requests\nrequests.post("https://api.deepseek.com/chat/completions", json={"model": "deepseek-flash", "thinking": {"type": "disabled"}, "messages": m})',
  },
  {
    name: "a payload with a name",
    before:
      'import requests\npayload = {\n    "model": "deepseek-chat",\n    "messages": m\n}\npayload["stream"] = False\nrequests.post("https://api.deepseek.com/chat/completions", json=payload)',
    after:
      'import requests\npayload = {\n    "model": "deepseek-flash",\n    "thinking": {"type": "disabled"},\n    "messages": m\n}\npayload["stream"] = False\nrequests.post("https://api.deepseek.com/chat/completions", json=payload)',
  },
  {
    name: "litellm, whose own parameter is the switch; a limit that was ignored",
    before: `client.chat.completions.create(model="deepseek-flash", messages=m, max_completion_tokens=9, ${off})`,
    after: `client.chat.completions.create(model="deepseek-flash", messages=m, max_tokens=9, ${off})`,
  },
  {
    name: "parameters that do nothing",
    before: 'client.chat.completions.create(model="deepseek-reasoner", messages=m, temperature=0.2, top_p=1)',
    after:
      'client.chat.completions.create(model="deepseek-flash", extra_body={"thinking": {"type": "enabled"}}, messages=m)',
  },
];

describe("safe fixes of Python", () => {
  test.each(layouts)("$name", async ({ before, after }) => {
    expect(await fixed(`${setUp}${before}\n# ü\n`)).toBe(`${setUp}${after}\n# ü\n`);
    const crlf = (text: string) => `${setUp}${text}\n# ü\n`.replaceAll("\n", "\r\n");
    expect(await fixed(crlf(before))).toBe(crlf(after));
  });

  const left: readonly (readonly [name: string, text: string])[] = [
    ["a host that is not known", 'client.chat.completions.create(model="deepseek-chat", messages=m)'],
    [
      "another host",
      'from openai import OpenAI\nc = OpenAI(base_url="https://openrouter.ai/api/v1")\nc.chat.completions.create(model="deepseek-chat", messages=m)',
    ],
    [
      "a host that is only likely",
      'import os\nfrom openai import OpenAI\nc = OpenAI(base_url=os.getenv("LLM_URL", "https://api.deepseek.com"))\nc.chat.completions.create(model="deepseek-chat", messages=m)',
    ],
    [
      "a default that callers replace",
      `${setUp}def f(model="deepseek-chat"):\n    client.chat.completions.create(model=model, messages=m)`,
    ],
    ["options from elsewhere", `${setUp}client.chat.completions.create(model="deepseek-chat", messages=m, **options)`],
    [
      "an extra_body from elsewhere",
      `${setUp}client.chat.completions.create(model="deepseek-chat", messages=m, extra_body=body)`,
    ],
    [
      "a model that is changed later",
      'import requests\np = {"model": "deepseek-chat", "messages": m}\nif x:\n    p["model"] = y\nrequests.post("https://api.deepseek.com/chat/completions", json=p)',
    ],
    [
      "openai 0, which knows no extra_body",
      'import openai\nopenai.api_base = "https://api.deepseek.com"\nopenai.ChatCompletion.create(model="deepseek-chat", messages=m)',
    ],
    ["a comparison", `${setUp}x = model == "deepseek-chat"`],
    ["a docstring", `"""Use deepseek-chat of https://api.deepseek.com."""\n`],
    [
      "a choice between models",
      `${setUp}client.chat.completions.create(model="deepseek-chat" if x else "deepseek-reasoner", messages=m)`,
    ],
    [
      "a wrapper that passes the method on",
      `${setUp}retry(client.chat.completions.create, model="deepseek-chat", messages=m)`,
    ],
  ];
  test.each(left)("leave %s alone", async (_name, text) => {
    expect(await fixed(text)).toBe(text);
  });
});

test("the switch of other hosts is written as this one's, in the syntax of the file", async () => {
  const body = (one: string) =>
    `import requests\nrequests.post("https://api.deepseek.com/chat/completions", json={"model": "deepseek-flash", "messages": m, ${one}})\n`;
  expect(await fixed(body('"enable_thinking": False'), "suggested")).toBe(body('"thinking": {"type": "disabled"}'));
});

const pieces = [
  setUp,
  'client.chat.completions.create(\n    model="deepseek-chat",\n    messages=[{"role": "user", "content": f"hi {x!r}"}],  # c\n    temperature=0.1,\n)\n',
  "p = {'model': 'deepseek-reasoner', **q, 'a': [1, 2]}\n",
  'def f(self, *a, model: str = "deepseek-chat", **kw):\n    """doc"""\n    return [i for i in a if i != "x"]\n',
  "match x:\n    case {'a': 1}: pass\n    case _: pass\n",
  "class A(B):\n    model: str = Field(default='deepseek-chat')\n    def g(self):\n        self.x = self.x or {**self.x}\n",
  "async with a() as b, c: pass\n",
  "messages.append(r.choices[0].message.model_dump())\n",
  "from .a import (b as c)\nimport d.e\nfrom x import *\n",
  "x = y\ny = x\nz = lambda: z()\n",
];

describe("rubbish", () => {
  test("whatever the text, reading and scanning do not throw", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc
        .tuple(fc.shuffledSubarray(pieces, { minLength: 1 }), fc.nat(), fc.nat(20), fc.string({ maxLength: 3 }))
        .map(([parts, at, length, added]) => {
          const whole = parts.join("");
          const from = at % whole.length;
          return whole.slice(0, from) + added + whole.slice(from + length);
        }),
    );
    await fc.assert(
      fc.asyncProperty(text, async (one) => {
        await scan(memorySources({ "a.py": `${one}\n# deepseek` }), current);
        await scan(memorySources({ "a.ipynb": one }), current);
      }),
      { numRuns: 60 },
    );
  });

  test("deep nesting is read as far as it goes, and others beside it", async () => {
    const deep = (open: string, close: string) => `# deepseek\nx = ${open.repeat(3_000)}1${close.repeat(3_000)}\n`;
    const files = {
      "a.py": deep("(", ")"),
      "b.py": deep("[", "]"),
      "c.py": deep('{"a": ', "}"),
      "d.py": deep("f(", ")"),
      "e.py": deep("-", ""),
      "f.py": deep("1 + ", ""),
      "g.py": `# deepseek\nx = a${".b".repeat(3_000)}\n`,
      "z.py": 'x = "deepseek-chat"\n',
    };
    const facts = await pythonFacts(files);
    expect(Object.keys(facts)).toEqual(Object.keys(files));
    expect(facts["z.py"]!.mentions).toHaveLength(1);
  });

  test("fixing keeps every character outside the edits, and the program as valid as it was", async () => {
    const mutated = fc
      .tuple(
        fc.shuffledSubarray(pieces.slice(1)),
        fc.nat(),
        fc.constantFrom("", "\t", "é", "😀", "#", "\r\n", "(", '"'),
      )
      .map(([parts, at, added]) => {
        const whole = parts.join("");
        const from = whole.length === 0 ? 0 : at % whole.length;
        return `${setUp}${whole.slice(0, from)}${added}${whole.slice(from)}`;
      });
    const reader = await readerOf("a.py")!.load();
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        const { changed } = await applyFixes(memorySources({ "a.py": text }), current, "suggested");
        const after = changed.get("a.py") ?? text;
        expect(reader.countSyntaxErrors("a.py", after)).toBeLessThanOrEqual(reader.countSyntaxErrors("a.py", text));
        // commas and blanks come and go with the arguments beside them
        const plain = (one: string) =>
          one
            .replace(/extra_body=\{"thinking": \{"type": "\w+"\}\}/g, "")
            .replace(/deepseek-(flash|chat|reasoner)/g, "")
            .replace(/temperature=0\.1/g, "")
            .replace(/[,\s]+/g, "");
        expect(plain(after)).toBe(plain(text));
      }),
      { numRuns: 60 },
    );
  });
});
