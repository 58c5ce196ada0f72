import { clients } from "../clients.js";
import { type Call, type Facts, type FileFacts, type Parameter, type Place, type Request, textOf } from "../facts.js";
import { removeProperty } from "../fix/edits.js";
import { isCurrentId, isRetiredAlias } from "../models.js";
import { officialFile } from "../official.js";
import type { Problem, Rule } from "../rule.js";
import { parameterAt } from "../thinking.js";
import { setUp } from "./example-client.js";

/** What the API has instead of each, or that it has nothing. */
const noCounterpart: Readonly<Record<string, string>> = {
  chunk_size:
    "there is no such parameter: the context (128K in V3.1, 1M today) takes long input whole; cut it in your own code if it must be cut",
  dynamic_attention_window:
    "there is no such parameter: the attention is part of the model; the whole context (128K in V3.1, 1M today) is always open",
  summary_generation:
    "there is no such parameter or task: a summary is an ordinary chat completion whose message asks for one",
};

export const guideParameters: Rule = {
  id: "guide-parameters",
  code: "R60",
  title: "A parameter or call that the official API never had",
  severity: { "v3.1": "warning", current: "warning" },
  effect: "silent change",
  explanation:
    "Guides to V3.1 go round with parameters that DeepSeek's API reference has in no version: stop_sequence (the API's name is stop, a string or up to 16 of them), stop_sequences (Anthropic's name, right on the /anthropic endpoint only), chunk_size and dynamic_attention_window (nothing of the kind exists; 128K in V3.1, 1M today are taken whole), summary_generation (a summary is a chat completion that asks for one) and client.generate() (chat completions are the call). DeepSeek does not document what its server does with names it does not know; other unknown names were seen to be ignored in silence. openai-python refuses them before anything is sent. Renaming stop_sequence makes a stop effective that was not, so it is a suggestion.",
  examples: [
    {
      target: "v3.1",
      language: "js",
      by: "suggested",
      before: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-chat", messages, stop_sequence: ["END"] }),
});
`,
      after: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-chat", messages, stop: ["END"] }),
});
`,
    },
    {
      target: "current",
      language: "js",
      by: "suggested",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages,
  chunk_size: 4096,
  dynamic_attention_window: true,
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages,
});
`,
    },
    {
      target: "current",
      language: "js",
      by: "none",
      before: `${setUp}const reply = await client.generate({ model: "deepseek-flash", prompt });
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [{ role: "user", content: prompt }],
});
`,
    },
    {
      target: "v3.1",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-chat", messages=messages, stop_sequence=["END"], chunk_size=4096)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-chat", messages=messages, stop=["END"])
`,
    },
    {
      target: "current",
      language: "py",
      by: "none",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.generate(prompt="Sum up", summary_generation=True)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "user", "content": "Sum up"}])
`,
    },
    {
      target: "current",
      language: "sh",
      by: "suggested",
      before: `curl https://api.deepseek.com/chat/completions -d '{"model": "deepseek-flash", "messages": [], "stop_sequence": "END"}'
`,
      after: `curl https://api.deepseek.com/chat/completions -d '{"model": "deepseek-flash", "messages": [], "stop": "END"}'
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/api/create-chat-completion",
      "https://api-docs.deepseek.com/guides/anthropic_api",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    // a parameter and its value end at the same place
    const seen = new Set<string>();
    const once = (problem: Problem | undefined): readonly Problem[] => {
      const key = problem && `${problem.place.file}:${problem.place.end}`;
      if (!key || seen.has(key)) return [];
      seen.add(key);
      return [problem];
    };
    for (const file of facts.files) {
      for (const request of file.requests) {
        for (const parameter of bodyOf(request)) yield* once(ofParameter(facts, request, parameter));
      }
      for (const call of file.calls) yield* once(ofCall(facts, file, call));
      for (const named of namesOf(file)) yield* once(ofName(file, named));
    }
  },
};

/** The parameters of a request, and those its client passes on in an object of their own. */
function bodyOf(request: Request): readonly Parameter[] {
  const paths = [["extra_body"], clients[request.client].body, ["modelKwargs"], ["model_kwargs"]];
  const nested = paths.flatMap((path) =>
    path.length > 0 ? (parameterAt(request.parameters, path)?.parameters ?? []) : [],
  );
  return [...request.parameters, ...nested];
}

/** Is it a request to the official API, or one by a name that only the official API had? */
function isOurs({ host, model }: Request): boolean {
  if (host.host === "official") return true;
  const ids = model?.candidates ?? [];
  return (
    host.host === "unknown" && ids.length > 0 && ids.every(({ value }) => isRetiredAlias(value) || isCurrentId(value))
  );
}

function ofParameter(facts: Facts, request: Request, parameter: Parameter): Problem | undefined {
  const { name, place } = parameter;
  const snake = name.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
  if (!isOurs(request) || /^anthropic/.test(request.client)) return undefined;
  // LangChain and the AI SDK have stopSequences of their own, and send it as stop
  if (/^stop_sequences?$/.test(snake))
    return clients[request.client].isPlain ? ofStop(facts, request, parameter) : undefined;
  const answer = Object.hasOwn(noCounterpart, snake) ? noCounterpart[snake] : undefined;
  if (answer === undefined) return undefined;
  const common = { message: `${name} is no parameter of the API in any version`, place, host: request.host };
  const holder = parameter.direct ? holderOf(request, parameter) : undefined;
  if (request.host.host !== "official" || !holder || snake === "summary_generation")
    return { ...common, manual: answer };
  return {
    ...common,
    manual: answer,
    fix: {
      applicability: "suggested",
      description: `remove ${name}`,
      edits: removeProperty(textOf(facts, place.file), holder, place),
    },
  };
}

/** The object that a parameter stands in. */
function holderOf(request: Request, { place }: Parameter): Request["object"] {
  const shapes = [
    request.object,
    ...request.parameters.flatMap((one) => [one.object, ...(one.parameters ?? []).map((inner) => inner.object)]),
  ];
  return shapes.find(
    (shape) => shape?.place.file === place.file && shape.properties.some(({ start }) => start === place.start),
  );
}

function ofStop(facts: Facts, request: Request, parameter: Parameter): Problem {
  const { name, place, namePlace, shorthand, direct } = parameter;
  const text = textOf(facts, place.file).slice(namePlace.start, namePlace.end);
  const common = { message: `${name} is not read by the API; the name is stop`, place, host: request.host };
  if (request.host.host !== "official") return { ...common, manual: "an unknown host is never fixed" };
  if (bodyOf(request).some((other) => other.name === "stop")) {
    return { ...common, manual: "stop is set as well; remove one of the two" };
  }
  if (!direct || !request.object || parameterAt(request.parameters, [name]) !== parameter) {
    return { ...common, manual: "it is set away from the request's own object; write stop there" };
  }
  return {
    ...common,
    manual: "answers will end at these words, which they did not so far",
    fix: {
      applicability: "suggested",
      description: "rename to stop",
      edits: [{ ...namePlace, text: shorthand ? `stop: ${name}` : text.replace(name, "stop") }],
    },
  };
}

/** Packages by other people that call themselves DeepSeek's, and may have any method. */
const unofficial = /deep_?seek/i;
const official = /^(openai|OpenAI)$/;

function ofCall(facts: Facts, file: FileFacts, call: Call): Problem | undefined {
  const isGenerate = call.name === "generate";
  if (!isGenerate && !/^summary_?generation$/i.test(call.name)) return undefined;
  if (!call.callee.includes(".") || /^(this|self)\.[\w]+$/.test(call.callee)) return undefined;
  const maker = call.maker && facts.files.flatMap(({ calls }) => calls).find((one) => isSame(one.place, call.maker!));
  const from = maker?.from?.package ?? "";
  if (/langchain|llama|@ai-sdk|vllm|transformers|ollama/i.test(from)) return undefined;
  const isOpenAI = official.test(from);
  // where the client is not followed, its name and the rest of the file have to say it
  const byName = !maker && /^(client|deepseek\w*|deepSeek\w*|ds_?client)\./.test(call.callee);
  const host = maker && maker.host.host !== "unknown" ? maker.host : officialFile(file);
  if (host?.host !== "official") return undefined;
  if (!isOpenAI && !byName && !(maker && unofficial.test(`${from} ${maker.name}`) && from !== "")) return undefined;
  return {
    message: `${call.callee}() is no call of ${isOpenAI ? "this client" : "DeepSeek's API or of a client that it documents"}`,
    place: call.calleePlace,
    host,
    severity: isOpenAI ? "error" : "info",
    manual: isGenerate
      ? `call client.chat.completions.create({ model, messages: [{ role: "user", content: prompt }] })${renamings(call)}`
      : noCounterpart["summary_generation"]!,
  };
}

function renamings({ parameters }: Call): string {
  const names = parameters.map(({ name }) => name);
  const stop = names.find((name) => /^stop_?sequences?$/i.test(name));
  const lost = names.filter((name) => Object.hasOwn(noCounterpart, name));
  return `${stop ? `; ${stop} is named stop there` : ""}${lost.length > 0 ? `; ${lost.join(", ")} have no counterpart` : ""}`;
}

const isSame = (a: Place, b: Place): boolean => a.file === b.file && a.start === b.start;

interface Named {
  readonly name: string;
  readonly value: unknown;
  readonly place: Place;
}

/** Everything with a name and a value, wherever it stands. */
function namesOf(file: FileFacts): readonly Named[] {
  return [...file.literals, ...file.flags, ...file.numbers, ...file.settings];
}

/** Names that nothing else bears, and addresses that never were, in a file that speaks to DeepSeek alone. */
function ofName(file: FileFacts, { name, value, place }: Named): Problem | undefined {
  const host = officialFile(file);
  const text = typeof value === "string" ? value : "";
  if (
    /^https?:\/\/api\.deepseek\.com\/(v1\/|beta\/)?(generate|summary_generation|summari[sz]e|completions?\/generate)\/?$/.test(
      text,
    )
  ) {
    return {
      message: `${text} is no address of the API`,
      place,
      severity: "error",
      manual: "POST to https://api.deepseek.com/chat/completions with model and messages",
    };
  }
  if (!host) return undefined;
  if (/^dynamic_?attention_?window$/i.test(name)) {
    return {
      message: `${name} is no parameter of the API in any version`,
      place,
      host,
      manual: noCounterpart["dynamic_attention_window"]!,
    };
  }
  if (
    text === "summary_generation" &&
    /^(task|mode|endpoint|type|operation|action|method)(_?(type|name))?$/i.test(name)
  ) {
    return {
      message: `the API has no ${name} "summary_generation"`,
      place,
      host,
      manual: noCounterpart["summary_generation"]!,
    };
  }
  return undefined;
}
