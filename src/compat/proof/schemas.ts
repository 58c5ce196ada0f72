// Long because it is one table: what each version of the official API does with each field of a request.
import type { Primitive } from "../facts.js";

/**
 * The versions of the official API that requests are checked against: V3.0 and R1 (2024-12 to 2025-05), V3.1
 * (2025-08-21), and today's (deepseek-flash and deepseek-v4-pro, 2026-09-10).
 */
export type ApiVersion = "v3.0" | "v3.1" | "current";

export const apiVersions: readonly ApiVersion[] = ["v3.0", "v3.1", "current"];

export type Endpoint = "chat" | "fim" | "anthropic" | "responses";

/** Does the model think first? Up to V3.1 its name says so (deepseek-reasoner), today the thinking switch. */
export type Mode = "chat" | "thinking";

/** When a row holds; every part that is given must. */
export interface Condition {
  readonly above?: number;
  readonly below?: number;
  readonly is?: readonly Primitive[];
  readonly isNot?: readonly Primitive[];
  /** The value is an object, or an array. */
  readonly shape?: "object" | "array";
  /** An array of more items. */
  readonly longerThan?: number;
  /** The field beside it is one of these: the role of the message that a content belongs to. */
  readonly beside?: { readonly field: string; readonly is: readonly Primitive[] };
  /** It holds where the request lacks this: a base URL with /beta, or `stream: true`. */
  readonly without?: "beta" | "stream";
}

/**
 * One deviation from "documented, so accepted". `changed`: taken, but it means something else than before. `unknown`:
 * the documentation does not say what happens.
 */
export interface Row {
  /** Path in the body: `messages[].role`, `response_format.type`. */
  readonly field: string;
  readonly endpoint: Endpoint;
  readonly versions: readonly ApiVersion[];
  /** Both where left out. */
  readonly mode?: Mode;
  readonly when?: Condition;
  readonly verdict: "ignored" | "changed" | "rejected" | "unknown";
  /** Completes "`field` ...": `is ignored while the model thinks`. */
  readonly reason: string;
  /** The server's answer, where it was seen. */
  readonly error?: string;
  /** Read in DeepSeek's own documentation, or in reports of users. */
  readonly confidence: "primary" | "secondary";
}

/** When and where the tables were read. */
export const schemaSource = {
  date: "2026-11-23",
  urls: [
    "https://api-docs.deepseek.com/guides/reasoning_model",
    "https://api-docs.deepseek.com/news/news250821",
    "https://api-docs.deepseek.com/api/create-chat-completion",
    "https://api-docs.deepseek.com/guides/thinking_mode",
    "https://api-docs.deepseek.com/guides/anthropic_api",
  ],
} as const;

const chatFields = [
  "model",
  "messages",
  "max_tokens",
  "temperature",
  "top_p",
  "presence_penalty",
  "frequency_penalty",
  "stop",
  "stream",
  "stream_options",
  "response_format",
  "tools",
  "tool_choice",
  "logprobs",
  "top_logprobs",
] as const;
const fimFields = [
  "model",
  "prompt",
  "suffix",
  "max_tokens",
  "temperature",
  "top_p",
  "presence_penalty",
  "frequency_penalty",
  "stop",
  "stream",
  "stream_options",
  "echo",
  "logprobs",
] as const;
const anthropicFields = [
  "model",
  "messages",
  "system",
  "max_tokens",
  "temperature",
  "top_p",
  "stop_sequences",
  "stream",
  "tools",
  "tool_choice",
  "thinking",
] as const;

/** Fields a version documents; null where it has no such endpoint. Others are usually ignored without a word. */
export const documented: Readonly<Record<Endpoint, Readonly<Record<ApiVersion, readonly string[] | null>>>> = {
  chat: {
    "v3.0": chatFields,
    "v3.1": chatFields,
    current: [...chatFields, "thinking", "reasoning_effort", "user_id"],
  },
  fim: { "v3.0": fimFields, "v3.1": fimFields, current: fimFields },
  anthropic: { "v3.0": null, "v3.1": anthropicFields, current: [...anthropicFields, "output_config"] },
  // came on 2026-07-31; of its fields only these are known here
  responses: { "v3.0": null, "v3.1": null, current: ["model", "input", "text", "stream"] },
};

/** What each version does with a model's name. Names in neither list are refused. */
export const models: Readonly<
  Record<ApiVersion, { readonly accepted: readonly string[]; readonly unverified: readonly string[] }>
> = {
  "v3.0": { accepted: ["deepseek-chat", "deepseek-reasoner"], unverified: ["deepseek-coder"] },
  "v3.1": { accepted: ["deepseek-chat", "deepseek-reasoner"], unverified: ["deepseek-coder"] },
  current: {
    accepted: ["deepseek-flash", "deepseek-v4-pro", "deepseek-v4-flash", "deepseek-v4-flash-vision-exp"],
    unverified: ["deepseek-pro"],
  },
};

/** Models of the FIM endpoint, which has no thinking. */
export const fimModels: Readonly<Record<ApiVersion, readonly string[]>> = {
  "v3.0": ["deepseek-chat"],
  "v3.1": ["deepseek-chat"],
  current: ["deepseek-v4-pro"],
};

const old = ["v3.0", "v3.1"] as const;
const every = ["v3.0", "v3.1", "current"] as const;

function row(
  endpoint: Endpoint,
  field: string,
  versions: readonly ApiVersion[],
  verdict: Row["verdict"],
  reason: string,
  more: Partial<Omit<Row, "endpoint" | "field" | "versions" | "verdict" | "reason">> = {},
): Row {
  return { endpoint, field, versions, verdict, reason, confidence: "primary", ...more };
}

const secondary = { confidence: "secondary" } as const;
const thinking = { mode: "thinking" } as const;
const invalidMaxTokens = (most: number): string =>
  `Invalid max_tokens value, the valid range of max_tokens is [1, ${most}]`;

/** Every deviation. All rows that hold count, and the gravest decides. */
export const rows: readonly Row[] = [
  // limits
  ...[1, 2].flatMap((side) => {
    const bound = (most: number): Condition => (side === 1 ? { above: most } : { below: 1 });
    return [
      row("chat", "max_tokens", old, "rejected", "is outside 1 to 8192", {
        mode: "chat",
        when: bound(8192),
        error: invalidMaxTokens(8192),
      }),
      row("chat", "max_tokens", ["v3.0"], "rejected", "is outside 1 to 8192", { ...thinking, when: bound(8192) }),
      row("chat", "max_tokens", ["v3.1"], "rejected", "is outside 1 to 65536", { ...thinking, when: bound(65_536) }),
      row("chat", "max_tokens", ["current"], "rejected", "is outside 1 to 393216", {
        when: bound(393_216),
        error: invalidMaxTokens(393_216),
      }),
      row("fim", "max_tokens", every, "rejected", "is outside 1 to 4096", { when: bound(4096) }),
    ];
  }),
  row(
    "chat",
    "max_tokens",
    ["v3.1", "current"],
    "changed",
    "limits reasoning and answer together (R1: the answer only)",
    {
      ...thinking,
    },
  ),
  row("chat", "max_completion_tokens", old, "ignored", "is not documented, and limited nothing where users tried it", {
    ...secondary,
  }),
  row("chat", "max_completion_tokens", ["current"], "ignored", "is ignored, so nothing limits the answer", {
    ...secondary,
  }),
  // sampling
  ...["temperature", "top_p", "presence_penalty", "frequency_penalty"].map((field) =>
    row("chat", field, old, "ignored", "has no effect on deepseek-reasoner", thinking),
  ),
  row("chat", "temperature", ["current"], "ignored", "has no effect while the model thinks", thinking),
  row("chat", "top_p", ["current"], "changed", "works only from 0.95 to 1 while the model thinks", {
    ...thinking,
    when: { below: 0.95 },
  }),
  row("chat", "top_p", ["current"], "ignored", "is fixed at 1 while the model does not think", { mode: "chat" }),
  ...["presence_penalty", "frequency_penalty"].map((field) =>
    row("chat", field, ["current"], "ignored", "has no effect in any mode", {}),
  ),
  ...["logprobs", "top_logprobs"].flatMap((field) => [
    row("chat", field, old, "rejected", "is refused with deepseek-reasoner", { ...thinking, when: { isNot: [false] } }),
    row(
      "chat",
      field,
      ["current"],
      "unknown",
      "was refused with thinking up to V3.2; that is not listed any more",
      thinking,
    ),
  ]),
  // tools
  row(
    "chat",
    "tools",
    ["v3.0"],
    "rejected",
    "is refused with deepseek-reasoner (R1; taken since R1-0528, 2025-05-28)",
    {
      ...thinking,
      ...secondary,
      error: "deepseek-reasoner does not support Function Calling",
    },
  ),
  row(
    "chat",
    "tools",
    ["v3.1"],
    "changed",
    "makes deepseek-chat answer instead of deepseek-reasoner: no reasoning",
    thinking,
  ),
  row("chat", "tools", every, "rejected", "has more than 128 tools", { when: { longerThan: 128 }, ...secondary }),
  row("chat", "tools[].type", every, "rejected", "is not function", { when: { isNot: ["function"] }, ...secondary }),
  row("chat", "tools[].function.strict", ["v3.0"], "ignored", "came with V3.1", { ...secondary }),
  row("chat", "tools[].function.strict", ["v3.1", "current"], "unknown", "is documented on the /beta base URL only", {
    when: { is: [true], without: "beta" },
  }),
  row("chat", "tool_choice", every, "rejected", 'is "any", which the API does not know', {
    when: { is: ["any"] },
    ...secondary,
  }),
  row(
    "chat",
    "tool_choice",
    ["current"],
    "rejected",
    "is other than auto or none, which is refused while the model thinks",
    {
      ...thinking,
      when: { isNot: ["auto", "none"] },
      error: "Thinking mode does not support this tool_choice",
    },
  ),
  row(
    "chat",
    "tool_choice",
    ["v3.1"],
    "unknown",
    "is other than auto or none, which V3.2 refused with deepseek-reasoner",
    {
      ...thinking,
      ...secondary,
      when: { isNot: ["auto", "none"] },
    },
  ),
  // output format
  row("chat", "response_format.type", ["v3.0"], "rejected", "is json_schema, which is not available", {
    ...secondary,
    when: { is: ["json_schema"] },
    error: "response_format.type `json_schema` is unavailable now",
  }),
  row("chat", "response_format.type", ["v3.1", "current"], "rejected", "is json_schema, which is not available", {
    ...secondary,
    when: { is: ["json_schema"] },
    error: "This response_format type is unavailable now",
  }),
  row(
    "chat",
    "response_format.type",
    ["v3.0"],
    "unknown",
    "is json_object, which R1 does not support; refused or ignored is not said",
    {
      ...thinking,
      when: { is: ["json_object"] },
    },
  ),
  // messages
  row("chat", "messages[].role", every, "rejected", "is developer, which is unknown; write system", {
    ...secondary,
    when: { is: ["developer"] },
    error: "unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`",
  }),
  row("chat", "messages[].content", every, "rejected", "is an array of parts in a message of an assistant or a tool", {
    ...secondary,
    when: { shape: "array", beside: { field: "role", is: ["assistant", "tool"] } },
    error: "invalid type: sequence, expected a string",
  }),
  row("chat", "messages[].content[].type", old, "rejected", "is image_url, which is unknown", {
    ...secondary,
    when: { is: ["image_url"] },
    error: "unknown variant `image_url`, expected `text`",
  }),
  row(
    "chat",
    "messages[].content[].type",
    ["current"],
    "unknown",
    "is image_url, which deepseek-flash and its vision models alone take",
    {
      when: { is: ["image_url"] },
    },
  ),
  row("chat", "messages[].reasoning_content", old, "rejected", "must not be sent back", thinking),
  row("chat", "messages[].prefix", every, "rejected", "needs the /beta base URL", {
    when: { is: [true], without: "beta" },
  }),
  row("chat", "stop", every, "rejected", "has more than 16 strings", { when: { longerThan: 16 } }),
  row("chat", "stream_options", ["current"], "rejected", "needs stream: true", {
    when: { without: "stream" },
    ...secondary,
  }),
  // switches
  row("chat", "thinking", old, "ignored", "came with V3.2 (2025-12); the model's name decides", {}),
  row("chat", "reasoning_effort", old, "ignored", "came with V4 (2026-04); the model's name decides", {}),
  row("chat", "reasoning_effort", ["current"], "rejected", "has a value the API does not know", {
    ...secondary,
    when: { isNot: ["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"] },
  }),
  ...["enable_thinking", "chat_template_kwargs", "extra_body"].map((field) =>
    row("chat", field, every, "ignored", "is not read by the official API", secondary),
  ),
  // the beta endpoint for filling in
  row("fim", "prompt", every, "unknown", "is documented on the /beta base URL only", { when: { without: "beta" } }),
  // the endpoint that speaks Anthropic's protocol
  ...["top_k", "metadata", "container", "mcp_servers"].map((field) =>
    row("anthropic", field, ["v3.1", "current"], "ignored", "is not read", {}),
  ),
  row("anthropic", "thinking", ["v3.1"], "ignored", "is not read; the model's name decides", {}),
  row("anthropic", "thinking.budget_tokens", ["current"], "ignored", "is not read; output_config.effort is", {}),
  row("anthropic", "messages[].role", ["current"], "rejected", "is system, which belongs into the field of that name", {
    ...secondary,
    when: { is: ["system"] },
  }),
  row("anthropic", "messages[].content[].type", ["v3.1"], "rejected", "is image or document, which are not supported", {
    when: { is: ["image", "document"] },
  }),
];
