import { uniform } from "../../data/random.js";
import { type Behaviour, durations, type Fault } from "./behaviour.js";
import type { Counts, Dialect, Piece, Whole } from "./dialects.js";

/** What the server does next in an answer. */
export type Step =
  /** A segment of the body, at that time in seconds since service began. */
  | {
      readonly kind: "write";
      readonly at: number;
      readonly text: Buffer;
      /** Token events that this write completes, and their tokens. */
      readonly events: number;
      readonly tokens: number;
      /** Whether one of them is not reasoning. */
      readonly answers: boolean;
    }
  /** How it ends: in good order, reset, silent, cut inside an HTTP chunk. */
  | { readonly kind: "end" | "reset" | "silence" | "cut"; readonly at: number };

/** What an answer is made from. */
export interface Order {
  readonly behaviour: Behaviour;
  readonly dialect: Dialect;
  readonly fault: Fault | null;
  /** Number of the request of this model, from 0. */
  readonly number: number;
  readonly maxTokens: number | null;
  /** Whether stream_options.include_usage is set. */
  readonly usageAsked: boolean;
  readonly input: number;
  readonly cached: number | null;
  /** By which all durations are longer now. */
  readonly factor: () => number;
}

/** Words of one token each, some of several bytes a character. The text of n tokens is n words. */
const words = ["the ", "model ", "answers ", "naïve ", "in ", "你好 ", "words ", "🙂 ", "that ", '"quote" '] as const;
/** The text of a token of an answer. */
export const word = (index: number): string => words[index % words.length]!;

interface Part {
  readonly kind: "reasoning" | "content" | "tool-arguments";
  readonly text: string;
  readonly tokens: number;
}

interface Amounts {
  readonly reasoning: number;
  readonly content: number;
  readonly tool: number;
  readonly finish: string;
}

function amounts({ behaviour, fault, number, maxTokens }: Order): Amounts {
  if (fault?.kind === "empty") return { reasoning: 0, content: 0, tool: 0, finish: behaviour.finish ?? "stop" };
  if (fault?.kind === "endless") return { reasoning: 0, content: Number.POSITIVE_INFINITY, tool: 0, finish: "stop" };
  const listed = behaviour.tokens;
  const wanted = typeof listed === "number" ? listed : (listed[number % listed.length] ?? 0);
  const limit = maxTokens ?? Number.POSITIVE_INFINITY;
  const reasoning = Math.min(behaviour.reasoningTokens, limit);
  const content = Math.min(wanted, limit - reasoning);
  const tool = Math.min(behaviour.toolCall?.pieces ?? 0, limit - reasoning - content);
  const cut = reasoning + content + tool < behaviour.reasoningTokens + wanted + (behaviour.toolCall?.pieces ?? 0);
  const finish = behaviour.finish ?? (cut ? "length" : behaviour.toolCall === null ? "stop" : "tool_calls");
  return { reasoning, content, tool, finish };
}

/** The token events of an answer in order. */
function* parts(order: Order, { reasoning, content, tool }: Amounts): Generator<Part> {
  const { tokensPerEvent, toolCall } = order.behaviour;
  let event = 0;
  const several = (): number =>
    typeof tokensPerEvent === "number" ? tokensPerEvent : (tokensPerEvent[event % tokensPerEvent.length] ?? 1);
  for (const [kind, total] of [
    ["reasoning", reasoning],
    ["content", content],
  ] as const) {
    for (let sent = 0; sent < total; event += 1) {
      const tokens = Math.min(several(), total - sent);
      let text = "";
      for (let index = 0; index < tokens; index += 1) text += word(sent + index);
      yield { kind, text, tokens };
      sent += tokens;
    }
  }
  const size = toolCall === null ? 0 : Math.ceil(toolCall.arguments.length / toolCall.pieces);
  for (let index = 0; index < tool; index += 1) {
    yield { kind: "tool-arguments", text: toolCall!.arguments.slice(index * size, (index + 1) * size), tokens: 1 };
  }
}

/** An answer that streams, step by step in order of time. Lazy, so that it may be endless. */
export function* stream(order: Order): Generator<Step> {
  const { behaviour, dialect, fault, factor } = order;
  const next = uniform(behaviour.seed * 1_000_003 + order.number);
  const gap = durations(behaviour.gap, next);
  const amount = amounts(order);
  const after = fault !== null && "after" in fault ? fault.after : Number.POSITIVE_INFINITY;

  let at = durations(behaviour.ttft, next, order.number)() * factor();
  let last = 0;
  let output = 0;
  let reasoning = 0;
  let tokenEvents = 0;
  const counts = (): Counts => ({ input: order.input, cached: order.cached, output, reasoning });
  const running = (): Counts | null => (behaviour.usage === "every" ? counts() : null);

  /** Comments that fill the silence up to `at`. */
  function* wait(): Generator<Step> {
    if (behaviour.keepAlive !== null) {
      for (let time = last + behaviour.keepAlive; time < at; time += behaviour.keepAlive) {
        yield* write(": keep-alive\n\n", time, 0, 0, false);
      }
    }
    last = at;
  }
  function* write(text: string, time: number, events: number, tokens: number, answers: boolean): Generator<Step> {
    const bytes = Buffer.from(text);
    const cuts = torn(bytes.length, behaviour.pieces, next);
    for (let index = 0; index < cuts.length; index += 1) {
      const whole = index === cuts.length - 1;
      yield {
        kind: "write",
        at: time + index * 0.002,
        text: bytes.subarray(cuts[index - 1] ?? 0, cuts[index]),
        events: whole ? events : 0,
        tokens: whole ? tokens : 0,
        answers: whole && answers,
      };
    }
  }
  const event = (piece: Piece, finish: string | null = null): string =>
    dialect.event(piece, finish, finish !== null && behaviour.usage === "last" ? counts() : running());

  let opening = "";
  if (behaviour.roleDelta !== "none") opening += event({ kind: "role" });
  if (behaviour.emptyDeltas) opening += event({ kind: "empty" });
  if (behaviour.roleDelta === "early") {
    const first = at;
    at /= 2;
    yield* wait();
    yield* write(opening, at, 0, 0, false);
    opening = "";
    at = first;
  }

  // what waits for the others of its write
  let text = opening;
  let held = { events: 0, tokens: 0, answers: false };
  function* flush(): Generator<Step> {
    if (text === "") return;
    yield* wait();
    yield* write(text, at, held.events, held.tokens, held.answers);
    text = "";
    held = { events: 0, tokens: 0, answers: false };
  }

  const total = Math.max(amount.reasoning + amount.content + amount.tool, 0);
  let named = false;
  let finished = false;
  for (const part of parts(order, amount)) {
    if (tokenEvents === after) {
      yield* flush();
      if (!(yield* goWrong(order, at, part))) return;
      if (fault?.kind === "stall") at += fault.seconds;
      if (fault?.kind === "invalid-json" || fault?.kind === "malformed-sse") {
        // this event was lost to the fault, its tokens were made all the same
        output += part.tokens;
        tokenEvents += 1;
        at += gap() * factor();
        continue;
      }
    }
    if (behaviour.commentEvery > 0 && tokenEvents % behaviour.commentEvery === 0) text += ": keep-alive\n\n";
    if (behaviour.emptyDeltas && tokenEvents % 4 === 3) text += event({ kind: "empty" });
    if (part.kind === "tool-arguments" && !named) {
      named = true;
      text += event({ kind: "tool-name", name: behaviour.toolCall!.name });
    }
    output += part.tokens;
    if (part.kind === "reasoning") reasoning += part.tokens;
    tokenEvents += 1;
    finished = behaviour.finishWithLast && output >= total;
    text += event(part, finished ? amount.finish : null);
    held = {
      events: held.events + 1,
      tokens: held.tokens + part.tokens,
      answers: held.answers || part.kind !== "reasoning",
    };
    if (held.events >= behaviour.eventsPerWrite) yield* flush();
    if (output < total) at += gap() * factor();
  }
  if (tokenEvents <= after && after !== Number.POSITIVE_INFINITY) {
    yield* flush();
    if (!(yield* goWrong(order, at, null))) return;
  }
  const extra = behaviour.usage === "extra" || (behaviour.usage === "asked" && order.usageAsked);
  const usage = behaviour.usage === "absent" || (behaviour.usage === "asked" && !extra) ? null : counts();
  text += dialect.end(finished ? null : amount.finish, usage, extra);
  yield* flush();
  yield { kind: "end", at };
}

/** Plays the fault that begins here; true if the answer goes on after it. */
function* goWrong(order: Order, at: number, part: Part | null): Generator<Step, boolean> {
  const { fault, dialect } = order;
  const say = (text: string): Step => ({
    kind: "write",
    at,
    text: Buffer.from(text),
    events: 0,
    tokens: 0,
    answers: false,
  });
  switch (fault?.kind) {
    case "reset":
      yield { kind: "reset", at };
      return false;
    case "half-open":
      yield { kind: "silence", at };
      return false;
    case "truncated-chunk":
      yield { kind: "cut", at };
      return false;
    case "no-end":
      yield { kind: "end", at };
      return false;
    case "error-event":
      yield say(dialect.error("the server is overloaded"));
      yield { kind: "end", at };
      return false;
    case "malformed-sse":
    case "invalid-json": {
      if (part === null) return true;
      const event = dialect.event(part, null, null);
      const json = event.slice(event.lastIndexOf("data: ") + 6);
      yield say(fault.kind === "invalid-json" ? `data: ${json.slice(0, json.length / 2)}\n\n` : `<<${json.trim()}\n\n`);
      return true;
    }
    default:
      return true;
  }
}

/** Ends of the pieces of so many bytes, torn anywhere. */
function torn(bytes: number, pieces: number, next: () => number): readonly number[] {
  if (pieces <= 1 || bytes < 2) return [bytes];
  const cuts = new Set<number>([bytes]);
  for (let index = 1; index < pieces; index += 1) cuts.add(1 + Math.floor(next() * (bytes - 1)));
  return [...cuts].sort((a, b) => a - b);
}

/** An answer in one piece: its JSON, and how long after service began it is sent. */
export function whole(order: Order): { readonly json: string; readonly at: number; readonly tokens: number } {
  const { behaviour, dialect, factor } = order;
  const amount = amounts(order);
  const next = uniform(behaviour.seed * 1_000_003 + order.number);
  const gap = durations(behaviour.gap, next);
  let at = durations(behaviour.ttft, next, order.number)() * factor();
  const texts = { reasoning: "", content: "", "tool-arguments": "" };
  let tokens = 0;
  let first = true;
  // an endless answer has no tokens here: what is sent instead of it is not made of any
  const finite = amount.content === Number.POSITIVE_INFINITY ? { ...amount, content: 0 } : amount;
  for (const part of parts(order, finite)) {
    texts[part.kind] += part.text;
    tokens += part.tokens;
    if (!first) at += gap() * factor();
    first = false;
  }
  const answer: Whole = {
    content: texts.content,
    reasoning: texts.reasoning,
    tool: amount.tool === 0 ? null : { name: behaviour.toolCall!.name, arguments: texts["tool-arguments"] },
    finish: amount.finish,
  };
  const counts = { input: order.input, cached: order.cached, output: tokens, reasoning: amount.reasoning };
  return { json: dialect.whole(answer, behaviour.usage === "absent" ? null : counts), at, tokens };
}
