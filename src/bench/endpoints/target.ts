/** How an endpoint is spoken to: OpenAI chat completions, OpenAI completions, Anthropic messages. */
export type Protocol = "chat" | "completions" | "anthropic";

/** One endpoint or model to measure, as the command line describes it. */
export interface Target {
  /** Unique among the targets. */
  readonly label: string;
  /** Base URL as clients name it: `https://api.deepseek.com`, `http://localhost:8000/v1`. */
  readonly url: string;
  readonly protocol: Protocol;
  readonly model: string;
  /** Read from the environment; never in a result, message or report. */
  readonly key: string | undefined;
  /** Beside those the protocol needs. */
  readonly headers: Readonly<Record<string, string>>;
  /** Fields laid over every request body: `{ "thinking": { "type": "enabled" } }`. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly stream: boolean;
  /** `auto`: HTTP/2 where TLS offers it; `off`: HTTP/1.1; `on`: HTTP/2, without TLS by prior knowledge. */
  readonly http2: "auto" | "off" | "on";
}

/** A message of a conversation, in the words of the chat protocol; other protocols translate it. */
export interface Message {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
}

/** What is asked: the same for every target. */
export interface Prompt {
  /** Equal for the same question to every target and in every round: the joint of pairs. */
  readonly id: string;
  readonly messages: readonly Message[];
  /** Body fields in the names of the chat protocol: max_tokens, temperature, stop, tools ... */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Limits on one request; times in seconds. */
export interface RequestLimits {
  /** From start to connected, TLS included. */
  readonly connectSeconds: number;
  /** From sent to the last byte. */
  readonly totalSeconds: number;
  /**
   * Longest silence: of a stream from when it was asked for, of other answers from their head on. Keep-alive comments
   * are not silence, but see `totalSeconds`.
   */
  readonly idleSeconds: number;
  /** Bytes of one answer at most: an endless stream ends here. */
  readonly bytes: number;
  /** How often a request that failed before its first token is sent again: 429 and 5xx after Retry-After, if that is no more than `totalSeconds`. */
  readonly retries: number;
}
