import type { Usage } from "../record.js";
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

/** OpenAI chat completions, as DeepSeek, vLLM, SGLang, Ollama and gateways speak them. */
export const chat: ProtocolRow = {
  path: (base) => (base.endsWith("/chat/completions") ? base : `${base}/chat/completions`),
  headers: bearer,
  body: (prompt, target) => ({
    model: target.model,
    messages: prompt.messages,
    ...prompt.parameters,
    ...streaming(target.stream),
    ...target.body,
  }),
  event: (value, name) => choicesOf(value, name, "delta"),
  answer: (value) => choicesOf(value, "", "message"),
};

export function bearer(key: string | undefined): Readonly<Record<string, string>> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

/** `stream_options` without `stream` is refused by some servers. */
export function streaming(stream: boolean): Fields {
  return stream ? { stream: true, stream_options: { include_usage: true } } : { stream: false };
}

/** Reads a chunk or an answer with `choices`, whose text stands in `delta`, in `message` or in the choice itself. */
export function choicesOf(value: unknown, name: string, place: "delta" | "message" | "choice"): Piece {
  const fields = fieldsOf(value);
  const error = errorOf(value) ?? (name === "error" ? textOf(fields["message"]) || JSON.stringify(value) : null);
  if (error !== null) return { ...nothing, error, known: true };
  const choices = fields["choices"];
  let usage = usageOf(fields["usage"]);
  let answer = "";
  let reasoning = "";
  let tool = "";
  let calls = false;
  let finish: string | null = null;
  let tokens: number | null = null;
  for (const item of listOf(choices)) {
    const choice = fieldsOf(item);
    const text = place === "choice" ? choice : fieldsOf(choice[place] ?? choice["delta"] ?? choice["message"]);
    answer += textOf(text["content"]) + textOf(text["text"]) + textOf(text["refusal"]);
    // some servers send the same under both names
    reasoning += textOf(text["reasoning_content"]) || textOf(text["reasoning"]);
    for (const call of [...listOf(text["tool_calls"]), { function: text["function_call"] }]) {
      const called = fieldsOf(fieldsOf(call)["function"]);
      if (typeof called["name"] === "string" || typeof called["arguments"] === "string") calls = true;
      tool += textOf(called["arguments"]);
    }
    if (typeof choice["finish_reason"] === "string" && choice["finish_reason"] !== "") finish = choice["finish_reason"];
    usage ??= usageOf(choice["usage"]);
    const told = tokensOf(choice);
    if (told !== null) tokens = (tokens ?? 0) + told;
  }
  const known = Array.isArray(choices) || usage !== null;
  return { ...nothing, answer, reasoning, tool, calls, finish, usage, tokens, known };
}

/** Tokens of one choice of a chunk: vLLM's `token_ids`, logprobs of chat (`content`) or completions (`tokens`). */
function tokensOf(choice: Fields): number | null {
  const logprobs = fieldsOf(choice["logprobs"]);
  for (const list of [choice["token_ids"], logprobs["content"], logprobs["reasoning_content"], logprobs["tokens"]]) {
    if (Array.isArray(list) && list.length > 0) return list.length;
  }
  return null;
}

/** Usage in the fields of OpenAI and DeepSeek. */
function usageOf(value: unknown): Usage | null {
  if (!isFields(value)) return null;
  const usage: Usage = {
    input: countOf(value["prompt_tokens"]),
    output: countOf(value["completion_tokens"]),
    cached:
      countOf(value["prompt_cache_hit_tokens"]) ??
      countOf(fieldsOf(value["prompt_tokens_details"])["cached_tokens"]) ??
      countOf(value["cached_tokens"]),
    reasoning:
      countOf(fieldsOf(value["completion_tokens_details"])["reasoning_tokens"]) ?? countOf(value["reasoning_tokens"]),
  };
  return usage.input === null && usage.output === null ? null : usage;
}
