import { type Call, type Facts, type Parameter, type Request, textOf } from "../facts.js";
import { asksDeepSeek, settingOf, severityOf } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import { methodOf, setJsonMode, structuredCalls } from "../structured-output.js";
import { writeValue } from "../syntax.js";
import { parameterAt, quoteOf } from "../thinking.js";
import { setUp } from "./example-client.js";

const instead =
  "ask for json_object, put the schema into the prompt with the word json, and check the answer against it";

export const jsonMode: Rule = {
  id: "json-mode",
  code: "R12",
  title: "An answer by schema, which the API refuses, or JSON mode without the word json",
  severity: { "v3.1": "error", current: "error" },
  effect: "hard error",
  explanation:
    'The chat API knows response_format json_object only. json_schema was answered with 422 in the days of V3.0 ("response_format.type `json_schema` is unavailable now") and with 400 later ("This response_format type is unavailable now", seen up to September 2026); zodResponseFormat(), parse() with a response_format, with_structured_output(method="json_schema") and supportsStructuredOutputs all send it. What the API takes instead: json_object with the schema in the prompt, or a strict tool (see strict-tools); @ai-sdk/deepseek writes the schema into the prompt itself. JSON mode needs the word json in a prompt and may still answer with empty content. Self-hosted servers such as vLLM take json_schema; unknown hosts are reported only for DeepSeek\'s own model names.',
  examples: [
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [{ role: "user", content: "Give the capital of France as json, like {\\"capital\\": \\"...\\"}" }],
  response_format: { type: "json_schema", json_schema: { name: "capital", schema } },
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [{ role: "user", content: "Give the capital of France as json, like {\\"capital\\": \\"...\\"}" }],
  response_format: { type: "json_object" },
});
`,
    },
    {
      target: "v3.1",
      language: "ts",
      by: "none",
      before: `${setUp}const reply = await client.chat.completions.parse({
  model: "deepseek-chat",
  messages,
  response_format: zodResponseFormat(Capital, "capital"),
});
export const capital = reply.choices[0].message.parsed;
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-chat",
  messages: [...messages, { role: "user", content: \`Answer in json of this schema: \${schema}\` }],
  response_format: { type: "json_object" },
});
export const capital = Capital.parse(JSON.parse(reply.choices[0].message.content));
`,
    },
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [{ role: "user", content: "List three rivers." }],
  response_format: { type: "json_object" },
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [{ role: "user", content: 'List three rivers in JSON: {"rivers": ["..."]}' }],
  response_format: { type: "json_object" },
});
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-chat")
grader = llm.with_structured_output(Grade, method="json_schema")
`,
      after: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-chat")
grader = llm.with_structured_output(Grade, method="json_mode")
`,
    },
    {
      target: "v3.1",
      language: "sh",
      by: "suggested",
      before: `curl https://api.deepseek.com/chat/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{
    "model": "deepseek-chat",
    "messages": [{"role": "user", "content": "as json"}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
  }'
`,
      after: `curl https://api.deepseek.com/chat/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{
    "model": "deepseek-chat",
    "messages": [{"role": "user", "content": "as json"}],
    "response_format": {"type": "json_object"}
  }'
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/guides/json_mode",
      "https://api-docs.deepseek.com/api/create-chat-completion",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      if (!asksDeepSeek(request)) continue;
      const problem = ofFormat(facts, request) ?? withoutWord(request);
      if (problem) yield problem;
    }
    for (const { call, request } of structuredCalls(facts)) {
      const problem = asksDeepSeek(request) ? ofStructuredOutput(facts, call, request) : undefined;
      if (problem) yield problem;
    }
    for (const flag of facts.files.flatMap((file) => file.flags)) {
      if (!/^supports_?structured_?outputs?$/i.test(flag.name) || !flag.value || flag.host.host !== "official")
        continue;
      yield {
        message: `${flag.name} makes the client send response_format json_schema, which the official API refuses`,
        place: flag.place,
        host: flag.host,
        ...(flag.owner === undefined && flag.host.certainty !== "certain" ? { severity: "warning" as const } : {}),
        manual: "set it to false; without it the client asks for json_object or a tool call",
      };
    }
  },
};

function ofFormat(facts: Facts, request: Request): Problem | undefined {
  const format = settingOf(request, /^response_?format$/i);
  if (!format) return undefined;
  const { parameter, holder } = format;
  const text = textOf(facts, parameter.place.file);
  const code = text.slice(parameter.valuePlace.start, parameter.valuePlace.end);
  const type = parameterAt(parameter.parameters, ["type"])?.value;
  const isSchema = type?.candidates.some(({ value }) => value === "json_schema") ?? false;
  const helper = /^(?:\w+\.)*(zodResponseFormat|zod_response_format|type_to_response_format\w*)\(/.exec(code)?.[1];
  const parses = /(^|\.)chat\.completions\.parse$/.test(request.endpoint) && !type;
  if (!isSchema && !helper && !parses) return undefined;
  const how = isSchema ? `${parameter.name} json_schema` : helper ? `${helper}()` : `${request.callee}()`;
  const common = {
    message: `${how}${isSchema ? "" : " sends json_schema, which"} is refused by DeepSeek's API: "This response_format type is unavailable now"`,
    place: parameter.place,
    host: request.host,
    ...severityOf(request),
  };
  const isSole = isSchema && type?.certainty === "certain" && parameter.object && holder;
  if (request.host.host !== "official" || !isSole) return { ...common, manual: instead };
  const { place, syntax } = parameter.object;
  return {
    ...common,
    manual: `${instead}; nothing but the prompt tells the model the schema then`,
    fix: {
      applicability: "suggested",
      description: "ask for json_object",
      edits: [{ ...place, text: writeValue({ type: "json_object" }, syntax, quoteOf(text, request)) }],
    },
  };
}

/** JSON mode of which all prompts are known, and none has the word. */
function withoutWord(request: Request): Problem | undefined {
  const format = settingOf(request, /^response_?format$/i)?.parameter;
  const type = parameterAt(format?.parameters, ["type"])?.value;
  if (!format?.sure || type?.certainty !== "certain" || type.candidates[0]?.value !== "json_object") return undefined;
  const messages = request.parameters.find(({ name }) => name === "messages")?.elements ?? [];
  const prompts = messages.flatMap((message): readonly (string | undefined)[] => textsOf(message) ?? [undefined]);
  if (prompts.length === 0 || !prompts.every((prompt) => prompt !== undefined && !/json/i.test(prompt))) {
    return undefined;
  }
  return {
    message: "JSON mode without the word json in any prompt: the request is refused, or answers blanks until the limit",
    place: format.place,
    host: request.host,
    severity: "warning",
    manual: "say json in the system or user prompt, with a sample of the answer",
  };
}

/** All text of a message; undefined where some of it is not known. */
function textsOf(message: Parameter): readonly string[] | undefined {
  const content = parameterAt(message.parameters, ["content"]);
  if (!content || message.parameters?.some(({ sure }) => !sure)) return undefined;
  const known = content.value.certainty === "certain" && content.value.candidates.every(({ partial }) => !partial);
  return known ? content.value.candidates.map(({ value }) => String(value)) : undefined;
}

/** LangChain's structured output by schema, asked for or by default. */
function ofStructuredOutput(facts: Facts, call: Call, request: Request): Problem | undefined {
  const method = methodOf(call);
  const byDefault = method === undefined && /OpenAI$/.test(request.callee) && request.host.host === "official";
  const asked = typeof method === "string" && /^json_?schema$/i.test(method);
  if (!asked && !byDefault) return undefined;
  const edits = setJsonMode(facts, call);
  return {
    message: asked
      ? `${call.name}() with method ${method} sends response_format json_schema, which DeepSeek's API refuses`
      : `${call.name}() of ${request.callee} sends response_format json_schema unless told otherwise (in its newer versions), which DeepSeek's API refuses`,
    place: call.calleePlace,
    host: request.host,
    ...(asked ? severityOf(request) : { severity: "warning" as const }),
    manual:
      "in JSON mode the prompt has to name the fields and the word json; a tool call (function calling) needs thinking off",
    ...(edits && request.host.host === "official"
      ? { fix: { applicability: "suggested" as const, description: "use JSON mode", edits } }
      : {}),
  };
}
