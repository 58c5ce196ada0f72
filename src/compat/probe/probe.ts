import { answerOf, listedModels } from "./answers.js";
import { bareUrl, type Exchange } from "./recording.js";

/** A request a probe sends. */
export interface ProbeRequest {
  readonly id: string;
  readonly method: "GET" | "POST";
  /** Below the base URL. */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** What a request may go by: the model that is asked, and what came back so far. */
interface Context {
  readonly model: string;
  done(id: string): Exchange | undefined;
}

interface Row {
  readonly id: string;
  readonly path?: string;
  /** Undefined where the answer is known already, or cannot be asked for. */
  body(context: Context): Readonly<Record<string, unknown>> | undefined;
}

/** Tokens of output each request may cost. */
export const tokensPerRequest = 48;

const limit = { max_tokens: tokensPerRequest };
const ask = (content: string) => [{ role: "user", content }];
const hello = ask("Say hello.");
const tools = [
  {
    type: "function",
    function: {
      name: "weather",
      description: "The weather of a town",
      parameters: { type: "object", properties: { town: { type: "string" } }, required: ["town"] },
    },
  },
];
const question = ask("What is the weather in Paris? Use the tool.");
const call = { id: "call_1", type: "function", function: { name: "weather", arguments: '{"town":"Paris"}' } };

/** Does a request without any switch think? undefined where it was not answered. */
export function thinksByDefault(exchange: Exchange | undefined): boolean | undefined {
  const answer = exchange && answerOf(exchange);
  return answer?.isGood ? answer.reasoningField !== undefined : undefined;
}

/** The other state of thinking than the default, so that a switch that is heard shows. */
const otherState = ({ done }: Context): boolean => thinksByDefault(done("default")) !== true;

/** What makes the endpoint think, as far as it is known by now. */
function thinkingOn({ model, done }: Context): Readonly<Record<string, unknown>> {
  if (thinksByDefault(done("default"))) return { model };
  const flips = (id: string) => {
    const exchange = done(id);
    return exchange !== undefined && answerOf(exchange).reasoningField !== undefined;
  };
  if (flips("thinking")) return { model, thinking: { type: "enabled" } };
  if (flips("enable-thinking")) return { model, enable_thinking: true };
  if (flips("template-kwargs")) return { model, chat_template_kwargs: { thinking: true, enable_thinking: true } };
  return flips("alias-reasoner") ? { model: "deepseek-reasoner" } : { model, thinking: { type: "enabled" } };
}

const refused = (exchange: Exchange | undefined): boolean =>
  exchange !== undefined && exchange.status >= 400 && exchange.status < 500 && exchange.status !== 429;

const rows: readonly Row[] = [
  { id: "default", body: ({ model }) => ({ model, messages: hello, ...limit }) },
  ...["chat", "reasoner"].map(
    (name): Row => ({
      id: `alias-${name}`,
      body: ({ model }) =>
        model === `deepseek-${name}` ? undefined : { model: `deepseek-${name}`, messages: hello, ...limit },
    }),
  ),
  {
    id: "thinking",
    body: (context) => ({
      model: context.model,
      messages: hello,
      thinking: { type: otherState(context) ? "enabled" : "disabled" },
      ...limit,
    }),
  },
  {
    id: "enable-thinking",
    body: (context) => ({ model: context.model, messages: hello, enable_thinking: otherState(context), ...limit }),
  },
  {
    id: "template-kwargs",
    body: (context) => {
      const on = otherState(context);
      return {
        model: context.model,
        messages: hello,
        chat_template_kwargs: { thinking: on, enable_thinking: on },
        ...limit,
      };
    },
  },
  {
    id: "tools",
    body: ({ model }) => ({ model, messages: question, tools, thinking: { type: "disabled" }, ...limit }),
  },
  { id: "tools-thinking", body: (context) => ({ ...thinkingOn(context), messages: question, tools, ...limit }) },
  {
    id: "tool-choice",
    body: (context) => ({ ...thinkingOn(context), messages: question, tools, tool_choice: "required", ...limit }),
  },
  {
    id: "history-without",
    // where tools are refused anyway, the answer would speak of them
    body: (context) => (refused(context.done("tools-thinking")) ? undefined : toolHistory(context, {})),
  },
  {
    id: "history-with",
    body: (context) => {
      const kept = { reasoning_content: "The tool knows." };
      if (!refused(context.done("tools-thinking")))
        return refused(context.done("history-without")) ? undefined : toolHistory(context, kept);
      const messages = [...hello, { role: "assistant", content: "Hello.", ...kept }, ...ask("Again.")];
      return { ...thinkingOn(context), messages, ...limit };
    },
  },
  {
    id: "json-object",
    body: ({ model }) => ({
      model,
      messages: ask('Answer with the JSON {"ok": true}.'),
      response_format: { type: "json_object" },
      ...limit,
    }),
  },
  {
    id: "json-schema",
    body: ({ model }) => ({
      model,
      messages: ask('Answer with the JSON {"ok": true}.'),
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "ok",
          schema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] },
        },
      },
      ...limit,
    }),
  },
  {
    id: "prefix",
    path: "/beta/chat/completions",
    body: ({ model }) => ({
      model,
      messages: [...hello, { role: "assistant", content: "Hel", prefix: true }],
      ...limit,
    }),
  },
  {
    id: "fim",
    path: "/beta/completions",
    body: ({ model }) => ({ model, prompt: "def one(): return ", suffix: "\n", max_tokens: 8 }),
  },
  {
    id: "max-completion-tokens",
    body: ({ model }) => ({
      model,
      messages: ask("Write the numbers from one to forty in words."),
      max_completion_tokens: 5,
      ...limit,
    }),
  },
  {
    id: "stream",
    body: ({ model }) => ({ model, messages: hello, stream: true, stream_options: { include_usage: true }, ...limit }),
  },
  {
    id: "developer",
    body: ({ model }) => ({ model, messages: [{ role: "developer", content: "Be brief." }, ...hello], ...limit }),
  },
];

function toolHistory(context: Context, kept: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const messages = [
    ...question,
    { role: "assistant", content: "", ...kept, tool_calls: [call] },
    { role: "tool", tool_call_id: "call_1", content: "Sunny." },
  ];
  return { ...thinkingOn(context), messages, tools, ...limit };
}

/** The most requests a probe sends. */
export const mostRequests = rows.length + 1;

/** The model a probe asks: the one that was named, else one that the endpoint lists, else the old name. */
export function modelOf(exchanges: readonly Exchange[], named: string | undefined): string {
  if (named !== undefined) return named;
  const list = exchanges.find(({ id }) => id === "models");
  const ids = list ? listedModels(list) : [];
  return ids.find((id) => /deepseek/i.test(id)) ?? ids[0] ?? "deepseek-chat";
}

/** The next request of a probe after what came back so far; undefined at its end. Pure, so a replay takes the same way. */
export function nextRequest(exchanges: readonly Exchange[], named: string | undefined): ProbeRequest | undefined {
  if (exchanges.length === 0) return { id: "models", method: "GET", path: "/models" };
  const done = (id: string) => exchanges.find((one) => one.id === id);
  const context: Context = { model: modelOf(exchanges, named), done };
  const last = exchanges.at(-1)!.id;
  for (const { id, path, body } of rows.slice(rows.findIndex((row) => row.id === last) + 1)) {
    const content = body(context);
    if (content) return { id, method: "POST", path: path ?? "/chat/completions", body: content };
  }
  return undefined;
}

/** The URL of a request: `/beta` stands beside `/v1`, not below it. */
export function urlOfRequest(baseUrl: string, path: string): string {
  return path.startsWith("/beta/") ? bareUrl(baseUrl) + path : baseUrl.replace(/\/+$/, "") + path;
}
