import { describe, expect, test } from "@jest/globals";
import type { Certainty } from "../../src/compat/facts.js";
import { factsOf, onlyPythonRequest } from "./python.js";

const call = (model: string) => `client.chat.completions.create(${model}, messages=m)\n`;

interface Shape {
  readonly name: string;
  readonly files: Readonly<Record<string, string>> | string;
  readonly certainty: Certainty;
  readonly values: readonly unknown[];
  readonly path?: string;
}

const shapes: readonly Shape[] = [
  { name: "a literal", files: call('model="m"'), certainty: "certain", values: ["m"], path: "" },
  {
    name: "a constant",
    files: `MODEL = "m"\n${call("model=MODEL")}`,
    certainty: "certain",
    values: ["m"],
    path: "MODEL, a.py:1",
  },
  {
    name: "an annotated constant",
    files: `MODEL: str = 'm'\n${call("model=MODEL")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "the last of two assignments",
    files: `x = "a"\nx = "m"\n${call("model=x")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "an assignment after the use",
    files: `x = "m"\n${call("model=x")}x = "b"\n`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "an assignment after the use in a loop",
    files: `x = "m"\nfor i in y:\n    ${call("model=x")}    x = "b"\n`,
    certainty: "possible",
    values: ["m", "b"],
  },
  {
    name: "an assignment under a condition",
    files: `x = "m"\nif y:\n    x = "b"\n${call("model=x")}`,
    certainty: "possible",
    values: ["m", "b"],
  },
  {
    name: "a name of the module seen from a function, assigned twice",
    files: `x = "m"\ndef f():\n    ${call("model=x")}x = "b"\n`,
    certainty: "possible",
    values: ["m", "b"],
  },
  {
    name: "a name that a function declares global",
    files: `x = "m"\ndef g():\n    global x\n    x = y()\n${call("model=x")}`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "a local variable that hides one of the module",
    files: `x = "a"\ndef f():\n    x = "m"\n    ${call("model=x")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "an environment variable with default",
    files: `import os\n${call('model=os.getenv("M", "m")')}`,
    certainty: "possible",
    values: ["m"],
    path: 'os.getenv("M") default',
  },
  {
    name: "os.environ.get with default",
    files: `import os\n${call('model=os.environ.get("M", "m")')}`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "an environment variable or a default",
    files: `import os\n${call('model=os.getenv("M") or "m"')}`,
    certainty: "possible",
    values: ["m"],
  },
  { name: "os.environ alone", files: `import os\n${call('model=os.environ["M"]')}`, certainty: "unknown", values: [] },
  { name: "what a default cannot replace", files: call('model="m" or "n"'), certainty: "certain", values: ["m"] },
  {
    name: "a conditional expression",
    files: call('model="a" if x else "b"'),
    certainty: "possible",
    values: ["a", "b"],
  },
  {
    name: "an f-string of known parts",
    files: `K = "chat"\n${call('model=f"deepseek-{K}"')}`,
    certainty: "certain",
    values: ["deepseek-chat"],
  },
  {
    name: "an f-string with a hole",
    files: call('model=f"deepseek-{k}"'),
    certainty: "possible",
    values: ["deepseek-…"],
  },
  {
    name: "a sum of strings",
    files: `K = "chat"\n${call('model="deepseek-" + K')}`,
    certainty: "certain",
    values: ["deepseek-chat"],
  },
  {
    name: "% formatting",
    files: `K = "chat"\n${call('model="deepseek-%s" % K')}`,
    certainty: "certain",
    values: ["deepseek-chat"],
  },
  {
    name: "str.format",
    files: `K = "chat"\n${call('model="deepseek-{}".format(K)')}`,
    certainty: "certain",
    values: ["deepseek-chat"],
  },
  {
    name: "strings side by side",
    files: call('model="deepseek-" "chat"'),
    certainty: "certain",
    values: ["deepseek-chat"],
  },
  { name: "escapes", files: call('model="d\\x65ep\\u0073eek"'), certainty: "certain", values: ["deepseek"] },
  { name: "strip", files: call('model=" m".strip()'), certainty: "certain", values: [" m"] },
  {
    name: "an entry of a dict",
    files: `C = {"llm": {"model": "m"}}\n${call('model=C["llm"]["model"]')}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "get of a dict",
    files: `C = {"model": "m"}\n${call('model=C.get("model", "n")')}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "get of a dict that lacks it",
    files: `C = {"a": "b"}\n${call('model=C.get("model", "n")')}`,
    certainty: "certain",
    values: ["n"],
  },
  {
    name: "an entry that is written later",
    files: `C = {"model": "m"}\nC["model"] = x\n${call('model=C["model"]')}`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "a dict that is updated with what is not known",
    files: `C = {"model": "m"}\nC.update(x)\n${call('model=C["model"]')}`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "another dict of the same name in another function",
    files: `def g():\n    c = {}\n    c["model"] = 1\ndef f():\n    c = {"model": "m"}\n    ${call('model=c["model"]')}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a table asked by an unknown key",
    files: `T = {"a": "m", "b": "n"}\n${call("model=T[x]")}`,
    certainty: "possible",
    values: ["m", "n"],
  },
  {
    name: "a merge of dicts",
    files: `a = {"n": 1}\nC = {**a, "model": "m"}\n${call('model=C["model"]')}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a merge with |",
    files: `a = {"model": "x"}\nC = a | {"model": "m"}\n${call('model=C["model"]')}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "dict()",
    files: `a = {"model": "x"}\nC = dict(a, model="m")\n${call('model=C["model"]')}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a dict spread into the call",
    files: `o = {"model": "m"}\n${call("**o")}`,
    certainty: "certain",
    values: ["m"],
  },
  { name: "tuple unpacking", files: `a, b = "x", "m"\n${call("model=b")}`, certainty: "certain", values: ["m"] },
  {
    name: "a loop over names",
    files: `for x in ["a", "b"]:\n    ${call("model=x")}`,
    certainty: "possible",
    values: ["a", "b"],
  },
  { name: "a walrus", files: `if (x := "m"):\n    ${call("model=x")}`, certainty: "certain", values: ["m"] },
  {
    name: "a class attribute",
    files: `class C:\n    MODEL = "m"\n${call("model=C.MODEL")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "self.x of __init__",
    files: `class C:\n    def __init__(self):\n        self.model = "m"\n    def f(self):\n        ${call("model=self.model")}`,
    certainty: "certain",
    values: ["m"],
    path: "self.model, a.py:3",
  },
  {
    name: "self.x that another class's code sets",
    files: `class C:\n    def __init__(self):\n        self.model = "m"\n    def f(self):\n        ${call("model=self.model")}c.model = y\n`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "a class attribute that a subclass replaces",
    files: `class C:\n    model = "m"\n    def f(self):\n        ${call("model=self.model")}class D(C):\n    model = "n"\n`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "the default of a constructor",
    files: `class C:\n    def __init__(self, model="m"):\n        self.model = model\n    def f(self):\n        ${call("model=self.model")}`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "what a constructor is given",
    files: `class C:\n    def __init__(self, model):\n        self.model = model\n    def f(self):\n        ${call("model=self.model")}C("m")\n`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "a property",
    files: `class C:\n    @property\n    def model(self):\n        return "m"\n    def f(self):\n        ${call("model=self.model")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a field of a dataclass",
    files: `@dataclass\nclass C:\n    model: str = "m"\nc = C()\n${call("model=c.model")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a field of a dataclass that is given",
    files: `@dataclass\nclass C:\n    n: int\n    model: str = "a"\nc = C(1, model="m")\n${call("model=c.model")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "Field(default=...)",
    files: `class C(BaseModel):\n    model: str = Field(default="m")\nc = C()\n${call("model=c.model")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "settings read from the environment",
    files: `class C(BaseSettings):\n    model: str = "m"\nc = C()\n${call("model=c.model")}`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "an enum",
    files: `class M(str, Enum):\n    CHAT = "m"\n${call("model=M.CHAT")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "the value of an enum",
    files: `class M(Enum):\n    CHAT = "m"\n${call("model=M.CHAT.value")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a keyword default",
    files: `def f(model="m"):\n    ${call("model=model")}`,
    certainty: "possible",
    values: ["m"],
    path: "model, a.py:1 (default)",
  },
  {
    name: "what callers pass",
    files: `def f(model):\n    ${call("model=model")}f("m")\nf(model="n")\n`,
    certainty: "possible",
    values: ["m", "n"],
  },
  {
    name: "a parameter set where it is empty",
    files: `def f(model=None):\n    if model is None:\n        model = "m"\n    ${call("model=model")}`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "what a function returns",
    files: `def f():\n    return "m"\n${call("model=f()")}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "what a function is given and returns",
    files: `def f(x):\n    return x\n${call('model=f("m")')}`,
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a function that calls itself",
    files: `def f():\n    return f()\n${call("model=f()")}`,
    certainty: "unknown",
    values: [],
  },
  {
    name: "a default that is the outer name",
    files: `model = "m"\ndef f(model=model):\n    ${call("model=model")}`,
    certainty: "possible",
    values: ["m"],
  },
  {
    name: "names that stand for each other",
    files: `a = b\nb = a\n${call("model=a")}`,
    certainty: "unknown",
    values: [],
  },
  {
    name: "an import",
    files: { "pkg/config.py": 'MODEL = "m"\n', "pkg/a.py": `from .config import MODEL\n${call("model=MODEL")}` },
    certainty: "certain",
    values: ["m"],
    path: "MODEL, pkg/config.py:1",
  },
  {
    name: "an import under another name, from the root",
    files: { "pkg/mod.py": 'x = "m"\n', "app/a.py": `from pkg.mod import x as y\n${call("model=y")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "an import of a module",
    files: { "config.py": 'MODEL = "m"\n', "a.py": `import config\n${call("model=config.MODEL")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "an import of a module by its whole name",
    files: {
      "pkg/__init__.py": "",
      "pkg/config.py": 'MODEL = "m"\n',
      "a.py": `import pkg.config\n${call("model=pkg.config.MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a re-export of a package in src",
    files: {
      "src/pkg/__init__.py": "from .names import MODEL\n",
      "src/pkg/names.py": 'MODEL = "m"\n',
      "a.py": `from pkg import MODEL\n${call("model=MODEL")}`,
    },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a star import",
    files: { "config.py": 'MODEL = "m"\n', "a.py": `from config import *\n${call("model=MODEL")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "a submodule of a folder",
    files: { "pkg/config.py": 'MODEL = "m"\n', "a.py": `from pkg import config\n${call("model=config.MODEL")}` },
    certainty: "certain",
    values: ["m"],
  },
  {
    name: "an attribute of a module that others set",
    files: {
      "config.py": 'MODEL = "m"\n',
      "b.py": "import config\nconfig.MODEL = x\n",
      "a.py": `import config\n${call("model=config.MODEL")}`,
    },
    certainty: "possible",
    values: ["m"],
  },
];

describe("where a model's name comes from", () => {
  test.each(shapes)("$name", async ({ files, certainty, values, path }) => {
    const { model } = await onlyPythonRequest(typeof files === "string" ? { "a.py": files } : files);
    expect(model?.candidates.map(({ value }) => value) ?? []).toEqual(values);
    expect(model?.certainty).toBe(certainty);
    if (path !== undefined) expect(model?.candidates[0]?.path.join(" -> ")).toBe(path);
  });
});

describe("bounds", () => {
  test("ways that branch again and again end", async () => {
    const steps = Array.from(
      { length: 12 },
      (_, index) =>
        `def f${index}(x, **more):\n  d = {**more, "a": x} if x else {**more, "b": x}\n  f${(index + 1) % 12}(x, **d)\n  f${(index + 5) % 12}(d, **{**d, **more})\n`,
    );
    const text = `from openai import OpenAI\nc = OpenAI(base_url="https://api.deepseek.com")\n${steps.join("")}c.chat.completions.create(model="m", **f0(1))\n`;
    expect((await factsOf(text)).requests).toHaveLength(1);
  });
});
