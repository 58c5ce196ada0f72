import { type Exchange, record } from "./recording.js";

/** What an answer of a chat endpoint holds, streamed or not. */
export interface Answer {
  readonly isGood: boolean;
  /** The server's words, where it refused. */
  readonly error: string;
  readonly content: string;
  /** The field that held reasoning: `reasoning_content` or `reasoning`. */
  readonly reasoningField: string | undefined;
  readonly callsTool: boolean;
  readonly usage: Readonly<Record<string, unknown>> | undefined;
  /** Where the usage of a stream stood. */
  readonly streamUsage: "own chunk" | "last chunk" | "none";
  readonly model: string | undefined;
}

/** Reads an answer; one that is no JSON holds nothing. */
export function answerOf({ status, response, body }: Exchange): Answer {
  const isGood = status >= 200 && status < 300;
  const chunks = body?.["stream"] === true ? chunksOf(response) : [parsed(response)];
  let content = "";
  let reasoningField: string | undefined;
  let callsTool = false;
  let usage: Answer["usage"];
  let streamUsage: Answer["streamUsage"] = "none";
  let model: string | undefined;
  for (const chunk of chunks) {
    const choices = Array.isArray(chunk["choices"]) ? chunk["choices"] : [];
    const choice = record(choices[0]);
    const message = record(choice["message"] ?? choice["delta"]);
    content += String(message["content"] ?? choice["text"] ?? "");
    reasoningField ??= ["reasoning_content", "reasoning"].find(
      (name) => typeof message[name] === "string" && message[name] !== "",
    );
    callsTool ||= Array.isArray(message["tool_calls"]) && message["tool_calls"].length > 0;
    if (typeof chunk["model"] === "string") model = chunk["model"];
    if (typeof chunk["usage"] === "object" && chunk["usage"] !== null) {
      usage = record(chunk["usage"]);
      streamUsage = choices.length === 0 ? "own chunk" : "last chunk";
    }
  }
  return {
    isGood,
    error: isGood ? "" : errorOf(response),
    content,
    reasoningField,
    callsTool,
    usage,
    streamUsage,
    model,
  };
}

/** Ids that `GET /models` lists. */
export function listedModels({ response }: Exchange): readonly string[] {
  const { data } = parsed(response);
  return (Array.isArray(data) ? data : []).map((one) => record(one)["id"]).filter((id) => typeof id === "string");
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return record(JSON.parse(text));
  } catch {
    return {};
  }
}

function chunksOf(text: string): readonly Readonly<Record<string, unknown>>[] {
  return text
    .split(/\r?\n/)
    .flatMap((line) => (line.startsWith("data:") && !line.includes("[DONE]") ? [parsed(line.slice(5))] : []));
}

function errorOf(text: string): string {
  const { error, message, detail } = parsed(text);
  const words =
    record(error)["message"] ?? (typeof error === "string" ? error : undefined) ?? message ?? detail ?? text;
  return String(typeof words === "object" ? JSON.stringify(words) : words)
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 200);
}
