/** What a server that speaks like the DeepSeek API says, for each of its protocols. Pure: objects and texts. */

/** Tokens of one answer so far. */
export interface Counts {
  readonly input: number;
  readonly cached: number | null;
  readonly output: number;
  readonly reasoning: number;
}

/** One event of an answer before it is put into a protocol's words. */
export type Piece =
  | { readonly kind: "role" }
  | { readonly kind: "empty" }
  | { readonly kind: "reasoning" | "content" | "tool-arguments"; readonly text: string }
  | { readonly kind: "tool-name"; readonly name: string };

/** The whole of an answer, for requests that do not stream. */
export interface Whole {
  readonly content: string;
  readonly reasoning: string;
  readonly tool: { readonly name: string; readonly arguments: string } | null;
  readonly finish: string;
}

/** How a protocol writes an answer; each text is whole SSE events, blank lines included. */
export interface Dialect {
  /** `first`: the first of its kind, which opens a block in Anthropic's protocol. */
  event(piece: Piece, finish: string | null, usage: Counts | null): string;
  /** The finish reason on an event of its own, if it was not on the last, and what closes the answer. */
  end(finish: string | null, usage: Counts | null, extraUsage: boolean): string;
  error(message: string): string;
  whole(answer: Whole, usage: Counts | null): string;
}

export type CachedFields = "deepseek" | "openai" | "none";

function openaiUsage(counts: Counts, fields: CachedFields): object {
  const cached = counts.cached ?? 0;
  return {
    prompt_tokens: counts.input,
    completion_tokens: counts.output,
    total_tokens: counts.input + counts.output,
    ...(fields === "deepseek" && {
      prompt_cache_hit_tokens: cached,
      prompt_cache_miss_tokens: counts.input - cached,
    }),
    ...(fields === "openai" && { prompt_tokens_details: { cached_tokens: cached } }),
    ...(counts.reasoning > 0 && { completion_tokens_details: { reasoning_tokens: counts.reasoning } }),
  };
}

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

function chatDelta(piece: Piece): object {
  switch (piece.kind) {
    case "role":
      return { role: "assistant", content: "" };
    case "empty":
      return { content: "" };
    case "content":
      return { content: piece.text };
    case "reasoning":
      return { content: null, reasoning_content: piece.text };
    case "tool-name":
      return {
        tool_calls: [{ index: 0, id: "call_0", type: "function", function: { name: piece.name, arguments: "" } }],
      };
    case "tool-arguments":
      return { tool_calls: [{ index: 0, function: { arguments: piece.text } }] };
  }
}

const textOf = (piece: Piece): string => ("text" in piece && piece.kind === "content" ? piece.text : "");

/** Chat completions, and the older completions with `text` instead of a delta. */
export function openaiDialect(id: string, model: string, fields: CachedFields, completions: boolean): Dialect {
  const object = completions ? "text_completion" : "chat.completion.chunk";
  const head = { id, object, created: 1_756_000_000, model, system_fingerprint: "fp_golden" };
  const choice = (piece: Piece | null, finish: string | null): object =>
    completions
      ? { index: 0, text: piece === null ? "" : textOf(piece), logprobs: null, finish_reason: finish }
      : { index: 0, delta: piece === null ? { content: "" } : chatDelta(piece), logprobs: null, finish_reason: finish };
  const event = (piece: Piece | null, finish: string | null, usage: Counts | null): string =>
    data({
      ...head,
      choices: [choice(piece, finish)],
      ...(usage !== null && { usage: openaiUsage(usage, fields) }),
    });
  return {
    event,
    end(finish, usage, extraUsage) {
      const last = finish === null ? "" : event(null, finish, extraUsage ? null : usage);
      const extra =
        extraUsage && usage !== null ? data({ ...head, choices: [], usage: openaiUsage(usage, fields) }) : "";
      return `${last}${extra}data: [DONE]\n\n`;
    },
    error: (message) => data({ error: { message, type: "server_error", param: null, code: "internal_error" } }),
    whole({ content, reasoning, tool, finish }, usage) {
      const message = {
        role: "assistant",
        content,
        ...(reasoning !== "" && { reasoning_content: reasoning }),
        ...(tool !== null && { tool_calls: [{ index: 0, id: "call_0", type: "function", function: tool }] }),
      };
      return JSON.stringify({
        ...head,
        object: completions ? object : "chat.completion",
        choices: [
          completions
            ? { index: 0, text: content, logprobs: null, finish_reason: finish }
            : { index: 0, message, logprobs: null, finish_reason: finish },
        ],
        ...(usage !== null && { usage: openaiUsage(usage, fields) }),
      });
    },
  };
}

const stopReasons: Readonly<Record<string, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
};

const named = (type: string, value: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...value })}\n\n`;

function anthropicUsage(counts: Counts): object {
  return {
    input_tokens: counts.input - (counts.cached ?? 0),
    cache_read_input_tokens: counts.cached ?? 0,
    cache_creation_input_tokens: 0,
    output_tokens: counts.output,
  };
}

/** Anthropic messages. Blocks are opened and closed as the kind of piece changes. */
export function anthropicDialect(id: string, model: string, input: Counts): Dialect {
  let block: Piece["kind"] | null = null;
  let index = -1;
  let started = false;
  const start = (): string => {
    if (started) return "";
    started = true;
    const message = { id, type: "message", role: "assistant", model, content: [], stop_reason: null };
    return named("message_start", { message: { ...message, usage: anthropicUsage({ ...input, output: 1 }) } });
  };
  const close = (): string => {
    if (block === null) return "";
    block = null;
    return named("content_block_stop", { index });
  };
  const open = (kind: Piece["kind"], content: object): string => {
    if (block === kind) return "";
    const before = close();
    block = kind;
    index += 1;
    return before + named("content_block_start", { index, content_block: content });
  };
  const body = (piece: Piece): string => {
    switch (piece.kind) {
      case "role":
        return named("ping", {});
      case "empty":
        return open("content", { type: "text", text: "" });
      case "content":
        return (
          open("content", { type: "text", text: "" }) +
          named("content_block_delta", { index, delta: { type: "text_delta", text: piece.text } })
        );
      case "reasoning":
        return (
          open("reasoning", { type: "thinking", thinking: "" }) +
          named("content_block_delta", { index, delta: { type: "thinking_delta", thinking: piece.text } })
        );
      case "tool-name":
        return open("tool-arguments", { type: "tool_use", id: "toolu_0", name: piece.name, input: {} });
      case "tool-arguments":
        return named("content_block_delta", { index, delta: { type: "input_json_delta", partial_json: piece.text } });
    }
  };
  return {
    event: (piece) => start() + body(piece),
    end(finish, usage) {
      const reason = stopReasons[finish ?? "stop"] ?? finish;
      const delta = { delta: { stop_reason: reason, stop_sequence: null } };
      return (
        start() +
        close() +
        named("message_delta", usage === null ? delta : { ...delta, usage: { output_tokens: usage.output } }) +
        named("message_stop", {})
      );
    },
    error: (message) => named("error", { error: { type: "overloaded_error", message } }),
    whole({ content, reasoning, tool, finish }, usage) {
      return JSON.stringify({
        id,
        type: "message",
        role: "assistant",
        model,
        content: [
          ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: "" }]),
          ...(content === "" ? [] : [{ type: "text", text: content }]),
          ...(tool === null
            ? []
            : [{ type: "tool_use", id: "toolu_0", name: tool.name, input: JSON.parse(tool.arguments) as unknown }]),
        ],
        stop_reason: stopReasons[finish] ?? finish,
        stop_sequence: null,
        ...(usage !== null && { usage: anthropicUsage(usage) }),
      });
    },
  };
}
