/** Seconds: always the same, uniform within `mean * (1 +- jitter)` by the request's seed, or a list gone through in turn. */
export type Duration = number | { readonly mean: number; readonly jitter: number } | readonly number[];

/**
 * What goes wrong. `after`: token events that come first. Faults of streams do the nearest to it in an answer that does
 * not stream: half of the body, then the fault.
 */
export type Fault =
  /** The connection is reset. */
  | { readonly kind: "reset"; readonly after: number }
  /** Half-open: nothing more comes and the connection stays. `after` of 0: not even a head. */
  | { readonly kind: "half-open"; readonly after: number }
  /** Silence for so long, then it goes on. */
  | { readonly kind: "stall"; readonly after: number; readonly seconds: number }
  /** A line that is no field of SSE and holds what should have been an event. */
  | { readonly kind: "malformed-sse"; readonly after: number }
  /** An event whose data is cut JSON. Then it goes on. */
  | { readonly kind: "invalid-json"; readonly after: number }
  /** The answer begins with bytes that are no HTTP. */
  | { readonly kind: "malformed-http" }
  /** An HTTP chunk that is announced longer than it is; then the connection is closed in good order. */
  | { readonly kind: "truncated-chunk"; readonly after: number }
  /** The body ends in good order, but the answer has no finish reason and no end mark. */
  | { readonly kind: "no-end"; readonly after: number }
  /** That status instead of an answer, for the first `times` requests of a model; null: for all. */
  | {
      readonly kind: "status";
      readonly status: number;
      /** Of the header Retry-After; null: no such header. */
      readonly retryAfter: number | null;
      readonly times: number | null;
    }
  /** An error object in the stream, after status 200, and the end. */
  | { readonly kind: "error-event"; readonly after: number }
  /** Tokens without end. */
  | { readonly kind: "endless" }
  /** Complete, with a finish reason, without any output. */
  | { readonly kind: "empty" };

/** How one model of the server answers. */
export interface Behaviour {
  /** From the whole request read (and a place free) to the first token event. */
  readonly ttft: Duration;
  /** Between two token events. */
  readonly gap: Duration;
  /** Of the answer, without reasoning; `max_tokens` of a request cuts them. A list is gone through request by request. */
  readonly tokens: number | readonly number[];
  /** Sent before the answer, as `reasoning_content` or thinking. */
  readonly reasoningTokens: number;
  /** A list is gone through event by event. */
  readonly tokensPerEvent: number | readonly number[];
  /** Written together, as one segment; the stamp of all of them is that of the write. */
  readonly eventsPerWrite: number;
  /** A tool call after the content, its arguments in so many events of one token each; null: none. */
  readonly toolCall: { readonly name: string; readonly arguments: string; readonly pieces: number } | null;
  /** The head of a stream: when service begins, or with the first bytes of the body. */
  readonly head: "at-once" | "with-first";
  /** Role-only first event: at half of the TTFT, directly before the first token, or never. */
  readonly roleDelta: "early" | "with-first" | "none";
  /** Events with empty content: one after the role-only event, and one directly before every fourth token event. */
  readonly emptyDeltas: boolean;
  /** The finish reason on the last token event instead of an event of its own. */
  readonly finishWithLast: boolean;
  /** Null: `stop`, or `length` and `tool_calls` where they are so. */
  readonly finish: string | null;
  /** Where usage is: with the finish reason, in an extra event without choices (only if asked for: `asked`), everywhere. */
  readonly usage: "last" | "extra" | "asked" | "every" | "absent";
  readonly cachedFields: "deepseek" | "openai" | "none";
  /** Prefixes are remembered in blocks of so many characters; null: no cache. */
  readonly cacheBlock: number | null;
  /** Silence of so long is filled with `: keep-alive`, and with blank lines where nothing streams; null: never. */
  readonly keepAlive: number | null;
  /** Before every n-th token event a comment in the same write; 0: none. */
  readonly commentEvery: number;
  /** Each event is torn into so many HTTP chunks at any byte, some milliseconds apart; 1: whole. */
  readonly pieces: number;
  /** Requests served at a time; others wait in order. Null: no limit. */
  readonly concurrency: number | null;
  /** All durations are longer by this share for each other request under way. */
  readonly slowdown: number;
  /** Each n-th request of the model has the fault; null: none. A request may ask for one itself: header `x-fault`. */
  readonly fault: { readonly every: number; readonly fault: Fault } | null;
  /**
   * For measuring clients: the same `eventsPerWrite` events again and again from bytes made beforehand, as fast as the connection takes
   * them, `eventsPerWrite` a write. Durations do not count, stamps are not kept.
   */
  readonly bulk: boolean;
  readonly seed: number;
}

/** By model name. A request for another model gets 404. */
export type Behaviours = Readonly<Record<string, Partial<Behaviour>>>;

export const plain: Behaviour = {
  ttft: 0.02,
  gap: 0.005,
  tokens: 32,
  reasoningTokens: 0,
  tokensPerEvent: 1,
  eventsPerWrite: 1,
  toolCall: null,
  head: "at-once",
  roleDelta: "with-first",
  emptyDeltas: false,
  finishWithLast: false,
  finish: null,
  usage: "last",
  cachedFields: "deepseek",
  cacheBlock: null,
  keepAlive: null,
  commentEvery: 0,
  pieces: 1,
  concurrency: null,
  slowdown: 0,
  fault: null,
  bulk: false,
  seed: 1,
};

/** Every fault by its name, with what it usually says: for `x-fault: reset` without more. */
const usual: Readonly<Record<Fault["kind"], Fault>> = {
  reset: { kind: "reset", after: 5 },
  "half-open": { kind: "half-open", after: 5 },
  stall: { kind: "stall", after: 5, seconds: 0.3 },
  "malformed-sse": { kind: "malformed-sse", after: 5 },
  "invalid-json": { kind: "invalid-json", after: 5 },
  "malformed-http": { kind: "malformed-http" },
  "truncated-chunk": { kind: "truncated-chunk", after: 5 },
  "no-end": { kind: "no-end", after: 5 },
  status: { kind: "status", status: 500, retryAfter: null, times: null },
  "error-event": { kind: "error-event", after: 5 },
  endless: { kind: "endless" },
  empty: { kind: "empty" },
};

/** `reset`, or JSON that lays fields over it: `{"kind":"reset","after":0}`. Null for what names no fault. */
export function faultOf(text: string): Fault | null {
  let given: Partial<Fault>;
  try {
    given = text.startsWith("{") ? (JSON.parse(text) as Partial<Fault>) : { kind: text as Fault["kind"] };
  } catch {
    return null;
  }
  const kind = given.kind;
  return kind !== undefined && Object.hasOwn(usual, kind) ? ({ ...usual[kind], ...given } as Fault) : null;
}

/** The values of a duration, one after the other. */
export function durations(duration: Duration, next: () => number, from = 0): () => number {
  if (typeof duration === "number") return () => duration;
  if ("mean" in duration) return () => duration.mean * (1 + duration.jitter * (2 * next() - 1));
  let index = from;
  return () => duration[index++ % duration.length] ?? 0;
}
