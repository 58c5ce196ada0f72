import { bearer, choicesOf, streaming } from "./chat.js";
import type { Fields, ProtocolRow } from "./protocol.js";

/** Of the chat protocol, and not known to this one. */
const chatOnly = new Set(["tools", "tool_choice", "parallel_tool_calls", "response_format", "max_completion_tokens"]);

/** OpenAI completions: one text instead of messages. */
export const completions: ProtocolRow = {
  path: (base) => (base.endsWith("/completions") ? base : `${base}/completions`),
  headers: bearer,
  body: (prompt, target) => ({
    model: target.model,
    prompt: prompt.messages.map((message) => message.content).join("\n\n"),
    ...parametersOf(prompt.parameters),
    ...streaming(target.stream),
    ...target.body,
  }),
  event: (value, name) => choicesOf(value, name, "choice"),
  answer: (value) => choicesOf(value, "", "choice"),
};

function parametersOf(parameters: Fields): Fields {
  const limit = parameters["max_tokens"] ?? parameters["max_completion_tokens"];
  return {
    ...Object.fromEntries(Object.entries(parameters).filter(([name]) => !chatOnly.has(name))),
    ...(limit === undefined ? {} : { max_tokens: limit }),
  };
}
