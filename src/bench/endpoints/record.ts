import type { Protocol } from "./target.js";

/** How a request failed, each under its own name. */
export type ErrorKind =
  | "dns"
  | "refused"
  | "unreachable"
  | "tls"
  | "connect-timeout"
  /** The connection ended before the answer did. */
  | "reset"
  /** No end within the time of a request. */
  | "timeout"
  /** Half-open: connected, and silent for too long. */
  | "stalled"
  | "rate-limited"
  /** 401 or 403. */
  | "unauthorized"
  | "http-4xx"
  | "http-5xx"
  /** An error object after status 200. */
  | "in-stream"
  | "malformed-sse"
  | "invalid-json"
  | "malformed-http"
  /** The stream ended without a finish reason or its end mark. */
  | "truncated"
  /** Complete, but without any output. */
  | "empty"
  /** Longer than `RequestLimits.bytes`. */
  | "too-long"
  /** Ended by this program: Ctrl-C, or the end of the run's time. */
  | "cancelled";

/** Where the number of output tokens comes from. */
export type TokenSource = "usage" | "tokenizer" | "events";

/** Tokens as the server counts them; null what it does not say. */
export interface Usage {
  readonly input: number | null;
  readonly output: number | null;
  /** Of the input: prompt_cache_hit_tokens, prompt_tokens_details.cached_tokens, cache_read_input_tokens. */
  readonly cached: number | null;
  /** Of the output: completion_tokens_details.reasoning_tokens. */
  readonly reasoning: number | null;
}

/**
 * What one request measured, whoever sent it. Times in seconds on the run's clock (`Clock.now`). A *token event* is an
 * event with non-empty content, text, reasoning or tool-call arguments: role-only, empty and usage-only events and SSE
 * comments are none.
 */
export interface Outcome {
  /** The moment the request was handed to the socket: of the attempt that is measured, the last. */
  readonly sent: number;
  /** The first attempt's. Equal to `sent` without retries. */
  readonly firstSent: number;
  /** Of the answer's head; null where none came. */
  readonly firstByte: number | null;
  /** Of token events in order, one stamp a socket read. For answers that do not stream: empty. */
  readonly events: readonly number[];
  /** The first token event that is not reasoning; null where there is none or nothing streams. */
  readonly firstAnswer: number | null;
  /** The last byte, or the moment it was given up. */
  readonly done: number;
  readonly streamed: boolean;
  /** Of the body. */
  readonly bytes: number;
  readonly usage: Usage | null;
  /** By `tokenSource`; null for a failed request without usage. */
  readonly outputTokens: number | null;
  readonly tokenSource: TokenSource | null;
  /** Tokens in the first token event, where the server tells (usage in every chunk, token ids, logprobs); else null. */
  readonly firstEventTokens: number | null;
  readonly finish: string | null;
  readonly status: number | null;
  readonly error: { readonly kind: ErrorKind; readonly message: string } | null;
  readonly retries: number;
  readonly protocol: Protocol;
  readonly http: "1.1" | "2" | null;
  /** Whether the connection had served a request before. */
  readonly reused: boolean;
  /** A kept connection was dead before its first byte, and the request went over a fresh one: no error, no retry. */
  readonly reconnected?: boolean;
  /** The answer without reasoning; for the next turn, a tokenizer, and comparing answers. Not in results. */
  readonly text: string;
  /** The reasoning. Not in results. */
  readonly reasoning: string;
}

/** One request of a run. */
export interface RequestRecord extends Omit<Outcome, "text" | "reasoning" | "events"> {
  /** The first and the last token event; null where there is none or nothing streams. */
  readonly firstToken: number | null;
  readonly lastToken: number | null;
  readonly eventCount: number;
  /** Between two token events, in seconds; null below two. */
  readonly longestGap: number | null;
  /** All of them; null once a run has kept its share (`mostKeptEvents`), so that memory stays flat. */
  readonly events: readonly number[] | null;
  /** Label of its target. */
  readonly target: string;
  /** Index of its load point in `EndpointRun.points`. */
  readonly point: number;
  /** From 0; the same prompts go to every target in a round. */
  readonly round: number;
  /**
   * With `prompt` and `turn` the joint of pairs. Whose question it was: users share one stream of conversations, and this
   * is a conversation's place in it modulo their number (so two of one slot may overlap for a moment); for open loops
   * the arrival's number.
   */
  readonly slot: number;
  readonly prompt: string;
  /** Of a conversation, from 0. */
  readonly turn: number;
  /** When it should have been sent; null in closed loops. */
  readonly scheduled: number | null;
  /** Cut: sent while the target was not steady yet. Stays in the raw data, counts for nothing. */
  readonly warmUp: boolean;
}

/** A steady load that is kept up for a while. */
export type LoadPoint =
  | { readonly kind: "closed"; readonly concurrency: number }
  | {
      readonly kind: "open";
      /** Requests per second. */
      readonly rate: number;
      readonly arrival: "constant" | "poisson" | "gamma" | "trace";
      /** Of gamma: shape; below 1 it comes in bursts. */
      readonly burstiness: number | null;
      /** Requests under way at most; null: no limit. */
      readonly maxConcurrency: number | null;
    };

/** What measuring cost the measuring process in one block. */
export interface ClientLoad {
  /** CPU of the process over time on the clock: 1 is one core. */
  readonly cpu: number;
  /** Share of time the event loop was busy: 0 to 1. */
  readonly eventLoop: number;
  /** How late timers of the event loop fire, in seconds (perf_hooks.monitorEventLoopDelay, resolution taken off). */
  readonly lag: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Sent minus scheduled, in seconds; null in closed loops. */
  readonly sendDelay: { readonly p50: number; readonly p99: number } | null;
}

/** One target under one load for a while; requests of others never overlap with it. */
export interface Block {
  readonly target: string;
  readonly point: number;
  readonly round: number;
  /** First send and last end, seconds on the run's clock. */
  readonly start: number;
  readonly end: number;
  /** The steady window, in which throughput is counted. */
  readonly window: { readonly start: number; readonly end: number };
  readonly client: ClientLoad;
}

/** All that was measured. */
export interface EndpointRun {
  readonly points: readonly LoadPoint[];
  readonly blocks: readonly Block[];
  readonly records: readonly RequestRecord[];
  /** Why it ended before its time, if it did: what was measured is kept. */
  readonly stopped: string | null;
}
