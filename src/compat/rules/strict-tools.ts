import { clients } from "../clients.js";
import type { Facts, Parameter, Request } from "../facts.js";
import { asksDeepSeek, settingOf } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import { callsOnModels } from "../structured-output.js";
import { parameterAt } from "../thinking.js";
import { setUp } from "./example-client.js";

export const strictTools: Rule = {
  id: "strict-tools",
  code: "R13",
  title: "Strict tools, a beta with conditions of its own",
  severity: { "v3.1": "info", current: "info" },
  effect: "opportunity",
  explanation:
    "Since V3.1 the API can hold a tool's arguments to their schema: base URL https://api.deepseek.com/beta, and strict: true on every function. Then code that mends or asks again for broken JSON can go. Schemas may hold object, string, number, integer, boolean, array, enum, anyOf, $ref, patterns, some formats and bounds of numbers; every property must be required and additionalProperties false; minLength, maxLength, minItems and maxItems are not supported, and a schema that breaks this is refused with 400. Whether strict without /beta is refused or ignored is not documented. Nothing is changed by itself, because strict tools are a choice.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages,
  tools: [{ type: "function", function: { name: "weather", strict: true, parameters } }],
});
`,
      after: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com/beta", apiKey: process.env.DEEPSEEK_API_KEY });
const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages,
  tools: [{ type: "function", function: { name: "weather", strict: true, parameters } }],
});
`,
    },
    {
      target: "v3.1",
      language: "js",
      by: "none",
      before: `${setUp}import { jsonrepair } from "jsonrepair";
const reply = await client.chat.completions.create({ model: "deepseek-chat", messages, tools });
const input = JSON.parse(jsonrepair(reply.choices[0].message.tool_calls[0].function.arguments));
`,
      after: `${setUp.replace(".com", ".com/beta")}const reply = await client.chat.completions.create({ model: "deepseek-chat", messages, tools });
const input = JSON.parse(reply.choices[0].message.tool_calls[0].function.arguments);
`,
    },
    {
      target: "current",
      language: "py",
      by: "none",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}]
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com/beta")
tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}]
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
`,
    },
  ],
  source: {
    urls: ["https://api-docs.deepseek.com/guides/function_calling", "https://api-docs.deepseek.com/news/news250821"],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, _target, from) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      if (asksDeepSeek(request)) yield* ofTools(request);
    }
    for (const { call, request } of callsOnModels(
      facts,
      /^(bindTools|bind_tools|withStructuredOutput|with_structured_output)$/,
    )) {
      const strict = call.parameters.find(({ name }) => name === "strict");
      if (!strict || !isTrue(strict) || !asksDeepSeek(request) || isBeta(request) !== false) continue;
      yield withoutBeta(strict, request);
    }
    if (from === "v3.0") yield* repairs(facts);
  },
};

const isTrue = ({ value }: Parameter): boolean => value.certainty === "certain" && value.candidates[0]?.value === true;

/** Goes a request to the beta's base URL? Undefined where the URL is not known. */
function isBeta({ baseUrl, callee, host }: Request): boolean | undefined {
  const urls = baseUrl?.candidates.map(({ value }) => String(value)) ?? [];
  if (urls.length > 0 && baseUrl && !baseUrl.open) return urls.every((url) => /\/beta(\/|$)/.test(url));
  return baseUrl === undefined && /(^|\.)ChatDeepSeek$/.test(callee) && host.host === "official" ? false : undefined;
}

function withoutBeta(strict: Parameter, request: Request): Problem {
  return {
    message: "strict is read under the base URL https://api.deepseek.com/beta only; here it is ignored or refused",
    place: strict.place,
    host: request.host,
    severity: "warning",
    manual: "set the base URL of the beta, or leave strict out",
  };
}

function* ofTools(request: Request): Iterable<Problem> {
  const { isPlain, isRouter } = clients[request.client];
  const tools = settingOf(request, /^tools$/)?.parameter.elements;
  if (!tools || !isPlain || isRouter) return;
  const functions = tools.map((tool) => ({ tool, body: parameterAt(tool.parameters, ["function"]) }));
  const marked = functions.map((one) => ({ ...one, strict: parameterAt(one.body?.parameters, ["strict"]) }));
  const [first] = marked.filter(({ strict }) => strict && isTrue(strict));
  if (!first?.strict) return;
  if (isBeta(request) === false) yield withoutBeta(first.strict, request);
  const loose = marked.find(({ body, strict }) => body?.parameters && !strict);
  if (loose) {
    yield {
      message: "strict stands on some functions only; the API wants it on every one, or on none",
      place: loose.tool.place,
      host: request.host,
      severity: "warning",
      manual: "set strict on this function too",
    };
  }
  for (const { body, strict } of marked) {
    if (!strict || !isTrue(strict)) continue;
    const schema = parameterAt(body?.parameters, ["parameters"]);
    const faults = [...new Set(faultsOf(schema))];
    if (!schema || faults.length === 0) continue;
    yield {
      message: `a strict schema is refused with ${faults.slice(0, 3).join(", ")}`,
      place: schema.namePlace,
      host: request.host,
      severity: "warning",
      manual:
        "list every property as required, set additionalProperties false, and use bounds of numbers and patterns only",
    };
  }
}

const refused = ["minLength", "maxLength", "minItems", "maxItems"];

/** What strict mode does not take in a JSON schema, as far as it is written out. */
function faultsOf(schema: Parameter | undefined, depth = 0): readonly string[] {
  const parts = schema?.parameters;
  if (!parts || depth > 8) return [];
  const own = (name: string) => parts.find((part) => part.name === name);
  const properties = own("properties")?.parameters;
  const required = own("required");
  const names = required?.elements?.map(({ value }) => value.candidates[0]?.value);
  const isOpen = required !== undefined && names === undefined;
  const optional = isOpen ? [] : (properties ?? []).filter(({ name }) => !names?.includes(name));
  const extra = own("additionalProperties")?.value;
  const allowsMore = extra === undefined || (extra.certainty === "certain" && extra.candidates[0]?.value === true);
  return [
    ...optional.map(({ name }) => `the optional property ${name}`),
    ...(properties && allowsMore ? ["additionalProperties left open"] : []),
    ...refused.filter((name) => own(name)),
    ...(properties ?? []).flatMap((property) => faultsOf(property, depth + 1)),
    ...faultsOf(own("items"), depth + 1),
    ...(own("anyOf")?.elements ?? []).flatMap((one) => faultsOf(one, depth + 1)),
  ];
}

/** Arguments of tools that are mended before they are parsed. */
function* repairs(facts: Facts): Iterable<Problem> {
  for (const call of facts.files.flatMap((file) => file.calls)) {
    const isRepair = /^(jsonrepair|repair_?json)$/i.test(call.name) || /^json_?repair$/.test(call.from?.package ?? "");
    if (!isRepair || call.host.host !== "official") continue;
    if (!call.arguments.some(({ text }) => /\barguments\b|tool_?call/i.test(text))) continue;
    yield {
      message: `${call.callee}() mends a tool's arguments; strict tools (beta, since V3.1) keep to their schema`,
      place: call.place,
      host: call.host,
      manual: "opt in with the base URL https://api.deepseek.com/beta and strict: true on every function",
    };
  }
}
