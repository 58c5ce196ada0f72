import { describe, expect, test } from "@jest/globals";
import type { Certainty, ClientKind, HostName, Request } from "../../src/compat/facts.js";
import { factsOf, onlyPythonRequest } from "./python.js";

const official = 'OpenAI(base_url="https://api.deepseek.com")';

interface Case {
  readonly name: string;
  readonly code: string;
  readonly client?: ClientKind;
  readonly endpoint?: string;
  readonly host?: readonly [HostName, Certainty];
  readonly model?: readonly unknown[];
}

const cases: readonly Case[] = [
  {
    name: "what CrewAI hands to litellm",
    code: `from crewai import LLM\nLLM(model="deepseek/deepseek-chat")`,
    client: "litellm",
    host: ["official", "possible"],
  },
  {
    name: "CrewAI with OpenRouter",
    code: `from crewai import LLM\nLLM(model="deepseek/deepseek-chat", base_url="https://openrouter.ai/api/v1")`,
    host: ["openrouter", "certain"],
  },
  {
    name: "what DSPy hands to litellm",
    code: `import dspy\ndspy.LM("deepseek/deepseek-chat")`,
    client: "litellm",
    host: ["official", "possible"],
    model: ["deepseek/deepseek-chat"],
  },
  {
    name: "openai-python",
    code: `from openai import OpenAI\nclient = ${official}\nclient.chat.completions.create(model="m", messages=x)`,
    client: "openai-python",
    endpoint: "chat.completions.create",
    host: ["official", "certain"],
    model: ["m"],
  },
  {
    name: "an async client, awaited, made in __init__",
    code: `from openai import AsyncOpenAI\nclass A:\n  def __init__(self):\n    self.client = AsyncOpenAI(base_url="https://api.deepseek.com/v1")\n  async def f(self):\n    return await self.client.chat.completions.create(model="m", messages=x)`,
    endpoint: "client.chat.completions.create",
    host: ["official", "certain"],
  },
  {
    name: "a client as context",
    code: `from openai import OpenAI\nwith ${official} as c:\n  c.chat.completions.create(model="m", messages=x)`,
    host: ["official", "certain"],
  },
  {
    name: "a client that a function makes",
    code: `from openai import OpenAI\ndef make():\n  return ${official}\nmake().chat.completions.create(model="m", messages=x)`,
    host: ["official", "certain"],
  },
  {
    name: "a client made later under a global name",
    code: `from openai import OpenAI\nclient = None\ndef get():\n  global client\n  client = ${official}\n  return client\nget().chat.completions.create(model="m", messages=x)`,
    host: ["official", "certain"],
  },
  {
    name: "a client wrapped by another function",
    code: `from openai import OpenAI\nfrom langsmith import wrap_openai\nc = wrap_openai(${official})\nc.chat.completions.create(model="m", messages=x)`,
    host: ["official", "certain"],
  },
  {
    name: "a URL of the environment with a default",
    code: `import os\nfrom openai import OpenAI\nc = OpenAI(base_url=os.getenv("DEEPSEEK_BASE_URL", "https://api.deepseek.com"))\nc.chat.completions.create(model="m", messages=x)`,
    host: ["official", "certain"],
  },
  {
    name: "a URL of any environment with a default",
    code: `import os\nfrom openai import OpenAI\nc = OpenAI(base_url=os.getenv("LLM_URL", "https://api.deepseek.com"))\nc.chat.completions.create(model="m", messages=x)`,
    host: ["official", "possible"],
  },
  {
    name: "one of two clients",
    code: `from openai import OpenAI\nc = ${official} if a else OpenAI(base_url="https://openrouter.ai/api/v1")\nc.chat.completions.create(model="m", messages=x)`,
    host: ["unknown", "unknown"],
  },
  {
    name: "options set afterwards",
    code: `from openai import OpenAI\nc = OpenAI()\nc.with_options(base_url="https://api.deepseek.com").chat.completions.create(model="m", messages=x)`,
    host: ["official", "certain"],
  },
  {
    name: "options spread into the client",
    code: `from openai import OpenAI\no = {"base_url": "https://api.deepseek.com"}\nc = OpenAI(**o)\nc.chat.completions.create(model="m", messages=x)`,
    host: ["official", "certain"],
  },
  {
    name: "a client of which nothing is known",
    code: 'def f(client):\n  client.chat.completions.create(model="deepseek-chat", messages=x)',
    host: ["unknown", "unknown"],
  },
  {
    name: "a class of the project's own",
    code: `from openai import OpenAI\nclass Mine(OpenAI):\n  pass\nc = Mine(base_url="https://api.deepseek.com")\nc.chat.completions.create(model="m", messages=x)`,
    host: ["official", "possible"],
  },
  {
    name: "Azure",
    code: 'from openai import AzureOpenAI\nc = AzureOpenAI()\nc.chat.completions.create(model="m", messages=x)',
    host: ["azure", "certain"],
  },
  {
    name: "the module of openai 1",
    code: 'import openai\nopenai.base_url = "https://api.deepseek.com"\nopenai.chat.completions.create(model="m", messages=x)',
    host: ["official", "possible"],
  },
  {
    name: "the module of openai 0",
    code: 'import openai\nopenai.api_base = "https://api.deepseek.com/v1"\nopenai.ChatCompletion.create(model="m", messages=x)',
    endpoint: "ChatCompletion.create",
    host: ["official", "possible"],
  },
  {
    name: "an alias of the method",
    code: `from openai import OpenAI\nc = ${official}\ncreate = c.chat.completions.create\ncreate(model="m", messages=x)`,
    host: ["official", "certain"],
  },
  {
    name: "partial",
    code: `from functools import partial\nfrom openai import OpenAI\nc = ${official}\nask = partial(c.chat.completions.create, model="m")`,
    host: ["official", "certain"],
    model: ["m"],
  },
  {
    name: "parse, stream and raw responses",
    code: `from openai import OpenAI\nc = ${official}\nc.beta.chat.completions.with_raw_response.parse(model="m", messages=x)`,
    endpoint: "beta.chat.completions.with_raw_response.parse",
    host: ["official", "certain"],
  },
  {
    name: "anthropic",
    code: 'from anthropic import Anthropic\nc = Anthropic(base_url="https://api.deepseek.com/anthropic")\nc.messages.create(model="m", max_tokens=5, messages=x)',
    client: "anthropic-python",
    host: ["official", "certain"],
  },
  {
    name: "requests with json",
    code: 'import requests\nrequests.post("https://api.deepseek.com/chat/completions", json={"model": "m", "messages": x})',
    client: "http",
    endpoint: "post",
    host: ["official", "certain"],
    model: ["m"],
  },
  {
    name: "requests with a payload that is filled",
    code: 'import requests, json\np = {"model": "a", "messages": x}\np["model"] = "m"\nif y:\n  p["temperature"] = 1\nrequests.post("https://api.deepseek.com/chat/completions", data=json.dumps(p))',
    client: "http",
    host: ["official", "certain"],
    model: ["m"],
  },
  {
    name: "a session of aiohttp",
    code: 'import aiohttp\nasync def f():\n  async with aiohttp.ClientSession() as s:\n    async with s.post("https://api.deepseek.com/chat/completions", json={"model": "m", "messages": x}) as r:\n      pass',
    client: "http",
    host: ["official", "certain"],
  },
  {
    name: "a client of httpx with a base URL",
    code: 'import httpx\nc = httpx.Client(base_url="https://api.deepseek.com")\nc.post("/chat/completions", json={"model": "m", "messages": x})',
    client: "http",
    host: ["official", "certain"],
  },
  {
    name: "urllib",
    code: 'import json, urllib.request\nurllib.request.Request("https://api.deepseek.com/chat/completions", data=json.dumps({"model": "m", "messages": x}).encode("utf-8"))',
    client: "http",
    host: ["official", "certain"],
    model: ["m"],
  },
  {
    name: "ChatDeepSeek",
    code: 'from langchain_deepseek import ChatDeepSeek\nChatDeepSeek(model="m")',
    client: "langchain-python",
    host: ["official", "certain"],
  },
  {
    name: "ChatOpenAI with a base URL",
    code: 'from langchain_openai import ChatOpenAI as LLM\nLLM(model_name="m", openai_api_base="https://api.deepseek.com")',
    client: "langchain-python",
    host: ["official", "certain"],
    model: ["m"],
  },
  {
    name: "init_chat_model with a provider",
    code: 'from langchain.chat_models import init_chat_model\ninit_chat_model("m", model_provider="deepseek")',
    client: "langchain-python",
    host: ["official", "certain"],
    model: ["m"],
  },
  {
    name: "init_chat_model with a prefix",
    code: 'from langchain.chat_models import init_chat_model\ninit_chat_model("deepseek:deepseek-chat")',
    host: ["official", "certain"],
  },
  {
    name: "litellm",
    code: 'import litellm\nlitellm.completion(model="deepseek/deepseek-chat", messages=x)',
    client: "litellm",
    endpoint: "completion",
    host: ["official", "certain"],
    model: ["deepseek/deepseek-chat"],
  },
  {
    name: "litellm to OpenRouter",
    code: 'from litellm import acompletion\nacompletion("openrouter/deepseek/deepseek-chat", messages=x)',
    host: ["openrouter", "certain"],
  },
  {
    name: "litellm to another base",
    code: 'from litellm import completion\ncompletion(model="deepseek/deepseek-chat", messages=x, api_base="http://localhost:8000")',
    host: ["self-hosted", "certain"],
  },
  {
    name: "pydantic-ai by name",
    code: 'from pydantic_ai import Agent\nAgent("deepseek:deepseek-chat")',
    client: "pydantic-ai",
    host: ["official", "certain"],
  },
  {
    name: "pydantic-ai by provider",
    code: 'from pydantic_ai.models.openai import OpenAIChatModel\nfrom pydantic_ai.providers.deepseek import DeepSeekProvider\nOpenAIChatModel("m", provider=DeepSeekProvider(api_key="x"))',
    client: "pydantic-ai",
    host: ["official", "certain"],
    model: ["m"],
  },
  {
    name: "llamaindex",
    code: 'from llama_index.llms.deepseek import DeepSeek\nDeepSeek(model="m")',
    client: "llamaindex-python",
    host: ["official", "certain"],
  },
];

describe("requests of Python", () => {
  test.each(cases)("$name", async ({ code, client, endpoint, host, model }) => {
    const request = await onlyPythonRequest({ "a.py": code });
    if (client) expect(request.client).toBe(client);
    if (endpoint) expect(request.endpoint).toBe(endpoint);
    if (host) expect([request.host.host, request.host.certainty]).toEqual(host);
    if (model) expect(request.model?.candidates.map(({ value }) => value)).toEqual(model);
  });

  const none: readonly (readonly [name: string, code: string])[] = [
    ["a message of Twilio", "client.messages.create(to=a, from_=b, body=c)"],
    ["a mock", 'respx.post("https://api.deepseek.com", json={"model": "m"})'],
    [
      "a test client",
      'from fastapi.testclient import TestClient\nc = TestClient(app)\nc.post("/chat", json={"model": "m", "messages": x})',
    ],
    ["a form", 'requests.post(url, data={"model": "m"})'],
    ["another create()", "x.completions.create()"],
    ["a class of the same name of another package", 'from mine import ChatDeepSeek\nChatDeepSeek(model="m")'],
  ];
  test.each(none)("%s is none", async (_name, code) => {
    expect((await factsOf(code)).requests).toEqual([]);
  });
});

const names = ({ parameters }: Request) =>
  Object.fromEntries(parameters.map((one) => [one.name, one.sure ? one.value.candidates[0]?.value : "?"]));

describe("the object of a request", () => {
  const client = `from openai import OpenAI\nc = ${official}\n`;

  test("keyword arguments, nested dicts and lists", async () => {
    const request = await onlyPythonRequest({
      "a.py": `${client}c.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], extra_body={"thinking": {"type": "disabled"}}, tools=T, **kw)`,
    });
    expect(request.object?.syntax).toBe("keywords");
    expect(request.spreads.map(({ known }) => known)).toEqual([false]);
    const body = request.parameters.find(({ name }) => name === "extra_body");
    expect(body?.object?.syntax).toBe("dict");
    expect(body?.parameters?.[0]?.parameters?.[0]?.value.candidates[0]?.value).toBe("disabled");
    const messages = request.parameters.find(({ name }) => name === "messages");
    expect(messages?.elements?.[0]?.parameters?.map(({ name }) => name)).toEqual(["role", "content"]);
  });

  test("what is written into a payload afterwards, under a condition or always", async () => {
    const request = await onlyPythonRequest({
      "a.py":
        'import requests\ndef f():\n  p = {"model": "m", "messages": x}\n  p["stream"] = True\n  if y:\n    p["temperature"] = 1\n    p["model"] = "n"\n  p.update({"top_p": 1})\n  return requests.post("https://api.deepseek.com", json=p)',
    });
    expect(names(request)).toEqual({ model: "?", messages: undefined, stream: true, temperature: "?", top_p: 1 });
    expect(request.model?.certainty).toBe("possible");
    expect(request.model?.candidates.map(({ value }) => value)).toEqual(["m", "n"]);
    expect(request.object?.syntax).toBe("dict");
  });

  test("a payload that something else sees too is no place to put things", async () => {
    const request = await onlyPythonRequest({
      "a.py": 'import requests\np = {"model": "m"}\nsend(p)\nrequests.post("https://api.deepseek.com", json=p)',
    });
    expect(request.object).toBeUndefined();
    expect(request.spreads.every(({ known }) => known)).toBe(false);
  });

  test("the version of the package, from the nearest manifest", async () => {
    const code = `${client}c.chat.completions.create(model="m", messages=x)`;
    const version = async (file: string, text: string) =>
      (await onlyPythonRequest({ "app/a.py": code, [file]: text })).packageVersion;
    expect(await version("requirements.txt", "# x\nopenai[aiohttp]>=1.2,<2 ; python_version > '3.8'\n")).toBe(
      ">=1.2,<2",
    );
    expect(
      await version(
        "pyproject.toml",
        '[project]\nname = "openai-app"\ndependencies = ["openai-x==1", "openai>=1.3"]\n',
      ),
    ).toBe(">=1.3");
    expect(await version("app/pyproject.toml", '[tool.poetry.dependencies]\nopenai = "^1.4"\n')).toBe("^1.4");
    expect(await version("uv.lock", '[[package]]\nname = "openai"\nversion = "1.5.0"\n')).toBe("1.5.0");
    expect(await version("Pipfile", '[packages]\nopenai = {version = "==1.6", extras = []}\n')).toBe("==1.6");
    expect(await version("requirements.txt", "openai-agents==3\n")).toBeUndefined();
  });
});

describe("what callers give as **options", () => {
  const client = `from openai import OpenAI\nclient = ${official}\n`;
  const send = "client.chat.completions.create(messages=m, **options)\n";
  const names = (request: Request) => request.parameters.map(({ name, sure }) => `${name} ${sure}`);

  test.each([
    ["a function", `def ask(m, n=1, **options): ${send}ask(x, n=2, model="m", max_tokens=5)\nother(x, top_p=1)`],
    ["a method", `class A:\n  def ask(self, m, **options): ${send}A().ask(x, model="m", max_tokens=5)`],
    [
      "an instance that is called",
      `class A:\n  def __call__(self, m, **options): ${send}class B:\n  def __init__(self, a=None):\n    self.a = a or A()\n  def f(self): self.a(x, model="m", max_tokens=5)`,
    ],
  ])("reaches the request of %s, but not for sure", async (_, code) => {
    expect(names(await onlyPythonRequest({ "a.py": client + code }))).toEqual([
      "messages true",
      "model false",
      "max_tokens false",
    ]);
  });
});
