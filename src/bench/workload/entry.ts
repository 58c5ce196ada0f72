import { UserError } from "../../errors.js";
import type { Message } from "../endpoints/target.js";
import type { Turn } from "./workload.js";

/** Body fields that a line of a data set may hold beside its prompt; anything else is its own business. */
const parameterNames: ReadonlySet<string> = new Set([
  "max_tokens",
  "max_completion_tokens",
  "min_tokens",
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "stop",
  "seed",
  "frequency_penalty",
  "presence_penalty",
  "repetition_penalty",
  "tools",
  "tool_choice",
  "response_format",
  "logprobs",
  "top_logprobs",
  "logit_bias",
  "thinking",
  "reasoning_effort",
  "reasoning",
  "enable_thinking",
  "chat_template_kwargs",
  "ignore_eos",
  "stream_options",
]);

/** Names under which data sets give the length of an answer. */
const lengthNames = ["output_tokens", "output_length", "output_len", "expected_output_len"];

/** What roles are called: OpenAI's names, ShareGPT's. */
const roles: Readonly<Record<string, Message["role"]>> = {
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  assistant: "assistant",
  gpt: "assistant",
  chatgpt: "assistant",
  bing: "assistant",
  bard: "assistant",
  model: "assistant",
};

const shapes = '{"prompt": "..."}, {"messages": [...]}, {"conversations": [...]} or {"turns": [...]}';

/** An object as JSON has them. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The turns of one entry of a data set, by its shape:
 *
 * - a text, or `prompt` (a text or messages): one request
 * - `messages`: one request with its history; an answer at the end is what was recorded, not sent
 * - `conversations` (ShareGPT) or `turns` (texts or messages): each message of the user is a turn, the answer after it
 *   what was recorded
 * - `body` of a request (OpenAI's batch files): what is in there
 *
 * with `system`, `think` (seconds before a turn), `parameters` and body fields beside them. `where` names file and line
 * in errors, which never show what the line says.
 */
export function readEntry(value: unknown, where: string, mostTurns: number): readonly Turn[] {
  if (typeof value === "string") return [turnOf([{ role: "user", content: filled(value, where) }], {}, 0, null)];
  if (!isFields(value)) throw new UserError(`${where} is neither an object nor a text; write ${shapes}`);
  if (isFields(value["body"])) return readEntry(value["body"], `${where}, body`, mostTurns);
  const parameters = parametersOf(value, where);
  const think = value["think"] ?? 0;
  if (typeof think !== "number" || !(think >= 0)) throw new UserError(`${where}: think is not a number of seconds`);
  const system = value["system"] ?? value["system_prompt"];
  const opening: readonly Message[] =
    typeof system === "string" && system !== "" ? [{ role: "system", content: system }] : [];

  const single = value["prompt"] ?? value["messages"];
  if (typeof single === "string") {
    return [turnOf([...opening, { role: "user", content: filled(single, where) }], parameters, 0, null)];
  }
  if (Array.isArray(single)) {
    const messages = readMessages(single, where);
    const last = messages.at(-1);
    const recorded = last?.role === "assistant" ? last.content : null;
    const sent = recorded === null ? messages : messages.slice(0, -1);
    if (sent.length === 0) throw new UserError(`${where} holds no message to send`);
    return [turnOf([...opening, ...sent], parameters, 0, recorded)];
  }
  const several = value["conversations"] ?? value["conversation"] ?? value["turns"];
  if (Array.isArray(several)) {
    const turns = takeTurns([...opening, ...readMessages(several, where)], parameters, think);
    if (turns.length === 0) throw new UserError(`${where}: nobody asks anything in it`);
    return turns.slice(0, mostTurns);
  }
  const seen = Object.keys(value).slice(0, 8).join(", ") || "none";
  throw new UserError(`${where} has no prompt that could be sent (its fields: ${seen}); write ${shapes}`);
}

function turnOf(
  messages: readonly Message[],
  parameters: Fields,
  thinkSeconds: number,
  recordedAnswer: string | null,
): Turn {
  return { messages, parameters, thinkSeconds, recordedAnswer };
}

/** Cuts a conversation behind each answer. */
function takeTurns(messages: readonly Message[], parameters: Fields, think: number): readonly Turn[] {
  const turns: Turn[] = [];
  let asked: Message[] = [];
  const end = (answer: string | null) => {
    if (asked.some(({ role }) => role === "user")) {
      turns.push(turnOf(asked, parameters, turns.length === 0 ? 0 : think, answer));
      asked = [];
    }
  };
  for (const [at, message] of messages.entries()) {
    if (message.role === "assistant") {
      // a greeting before anybody has asked is left out
      end(message.content);
      continue;
    }
    asked.push(message);
    // two questions in a row (turns as plain texts) are two turns
    if (message.role === "user" && messages[at + 1]?.role === "user") end(null);
  }
  end(null);
  return turns;
}

function readMessages(list: readonly unknown[], where: string): readonly Message[] {
  return list.map((item, at) => {
    const own = `${where}, message ${at + 1}`;
    if (typeof item === "string") return { role: "user", content: filled(item, own) };
    if (!isFields(item)) throw new UserError(`${own} is neither an object nor a text`);
    const name = item["role"] ?? item["from"];
    const role = typeof name === "string" ? roles[name.toLowerCase()] : undefined;
    if (role === undefined) {
      throw new UserError(`${own} is of nobody who can be sent (role ${JSON.stringify(name) ?? "missing"})`);
    }
    const content = textOf(item["content"] ?? item["value"]);
    if (content === null) throw new UserError(`${own} has no text: only texts can be sent`);
    return { role, content: role === "assistant" ? content : filled(content, own) };
  });
}

/** A content as a text or as parts of texts; null for images and the like. */
function textOf(content: unknown): string | null {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  const parts = content.map((part) => (isFields(part) && typeof part["text"] === "string" ? part["text"] : null));
  return parts.includes(null) ? null : parts.join("");
}

function filled(text: string, where: string): string {
  if (text.trim() === "") throw new UserError(`${where} is empty; give it a text or take it out`);
  return text;
}

function parametersOf(value: Fields, where: string): Fields {
  const extra = value["parameters"] ?? {};
  if (!isFields(extra)) throw new UserError(`${where}: parameters is not an object`);
  const own = Object.entries(value).filter(([name]) => parameterNames.has(name));
  const length = lengthNames.map((name) => value[name]).find((tokens) => tokens !== undefined);
  const limit = typeof length === "number" && Number.isInteger(length) && length >= 1 ? { max_tokens: length } : {};
  return { ...limit, ...Object.fromEntries(own), ...extra };
}
