import type { Usage } from "../record.js";
import type { Message } from "../target.js";
import {
  countOf,
  errorOf,
  type Fields,
  fieldsOf,
  isFields,
  listOf,
  nothing,
  type Piece,
  type ProtocolRow,
  textOf,
} from "./protocol.js";

/** The protocol demands a limit; this one is used where the workload names none. */
const defaultMaxTokens = 4096;

/** Of the chat protocol: translated below, or without a counterpart. */
const chatOnly = new Set(
  "max_tokens max_completion_tokens stop tools tool_choice parallel_tool_calls n seed logprobs top_logprobs logit_bias presence_penalty frequency_penalty response_format stream_options reasoning_effort user".split(
    " ",
  ),
);

/** Anthropic messages, as `https://api.deepseek.com/anthropic` speaks them. */
export const anthropic: ProtocolRow = {
  path: (base) => {
    if (base.endsWith("/messages")) return base;
    return base.endsWith("/v1") ? `${base}/messages` : `${base}/v1/messages`;
  },
  headers: (key) => ({ "anthropic-version": "2023-06-01", ...(key === undefined ? {} : { "x-api-key": key }) }),
  body: (prompt, target) => {
    const system = prompt.messages.filter((message) => message.role === "system").map((message) => message.content);
    return {
      model: target.model,
      ...(system.length === 0 ? {} : { system: system.join("\n\n") }),
      messages: prompt.messages.filter((message) => message.role !== "system").map(messageOf),
      ...parametersOf(prompt.parameters),
      stream: target.stream,
      ...target.body,
    };
  },
  event: eventOf,
  answer: answerOf,
};

function messageOf({ role, content }: Message): Fields {
  return { role: role === "assistant" ? "assistant" : "user", content };
}

function parametersOf(parameters: Fields): Fields {
  const { stop, tools, tool_choice: choice } = parameters;
  return {
    max_tokens: parameters["max_tokens"] ?? parameters["max_completion_tokens"] ?? defaultMaxTokens,
    ...Object.fromEntries(Object.entries(parameters).filter(([name]) => !chatOnly.has(name))),
    ...(stop === undefined || stop === null ? {} : { stop_sequences: Array.isArray(stop) ? stop : [stop] }),
    ...(Array.isArray(tools) ? { tools: tools.map(toolOf) } : {}),
    ...(choice === undefined || choice === null ? {} : { tool_choice: choiceOf(choice) }),
  };
}

function toolOf(tool: unknown): unknown {
  const called = fieldsOf(tool)["function"];
  if (!isFields(called)) return tool;
  const { name, description, parameters } = called;
  return {
    name,
    ...(description === undefined ? {} : { description }),
    input_schema: parameters ?? { type: "object", properties: {} },
  };
}

function choiceOf(choice: unknown): unknown {
  if (typeof choice === "string") return { type: choice === "required" ? "any" : choice };
  const name = fieldsOf(fieldsOf(choice)["function"])["name"];
  return name === undefined ? choice : { type: "tool", name };
}

function eventOf(value: unknown, name: string): Piece {
  const fields = fieldsOf(value);
  const type = fields["type"] ?? name;
  const error = errorOf(value) ?? (type === "error" ? JSON.stringify(value) : null);
  if (error !== null) return { ...nothing, error, known: true };
  switch (type) {
    case "message_start": {
      // its output_tokens only tell of the beginning
      const usage = usageOf(fieldsOf(fields["message"])["usage"]);
      return { ...nothing, usage: usage === null ? null : { ...usage, output: null }, known: true };
    }
    case "content_block_start": {
      const block = fieldsOf(fields["content_block"]);
      return {
        ...nothing,
        answer: textOf(block["text"]),
        reasoning: textOf(block["thinking"]),
        calls: block["type"] === "tool_use",
        known: true,
      };
    }
    case "content_block_delta": {
      const delta = fieldsOf(fields["delta"]);
      const tool = textOf(delta["partial_json"]);
      return {
        ...nothing,
        answer: textOf(delta["text"]),
        reasoning: textOf(delta["thinking"]),
        tool,
        calls: tool !== "",
        known: true,
      };
    }
    case "message_delta": {
      const finish = fieldsOf(fields["delta"])["stop_reason"];
      return {
        ...nothing,
        finish: typeof finish === "string" ? finish : null,
        usage: usageOf(fields["usage"]),
        known: true,
      };
    }
    case "message_stop":
      return { ...nothing, end: true, known: true };
    default:
      return type === "ping" || type === "content_block_stop" ? { ...nothing, known: true } : nothing;
  }
}

function answerOf(value: unknown): Piece {
  const fields = fieldsOf(value);
  const error = errorOf(value);
  if (error !== null) return { ...nothing, error, known: true };
  const blocks = listOf(fields["content"]).map(fieldsOf);
  const calls = blocks.filter((block) => block["type"] === "tool_use");
  const finish = fields["stop_reason"];
  return {
    ...nothing,
    answer: blocks.map((block) => textOf(block["text"])).join(""),
    reasoning: blocks.map((block) => textOf(block["thinking"])).join(""),
    tool: calls.map((block) => JSON.stringify(block["input"] ?? {})).join(""),
    calls: calls.length > 0,
    finish: typeof finish === "string" ? finish : null,
    usage: usageOf(fields["usage"]),
    known: Array.isArray(fields["content"]),
  };
}

/** `input_tokens` leaves out what a cache held or took in; here the input is all of it, as with the other protocols. */
function usageOf(value: unknown): Usage | null {
  if (!isFields(value)) return null;
  const fresh = countOf(value["input_tokens"]);
  const cached = countOf(value["cache_read_input_tokens"]);
  const written = countOf(value["cache_creation_input_tokens"]);
  const output = countOf(value["output_tokens"]);
  if (fresh === null && output === null) return null;
  return {
    input: fresh === null ? null : fresh + (cached ?? 0) + (written ?? 0),
    output,
    cached,
    reasoning: null,
  };
}
