import { type Order, type Step, stream, word } from "./answer.js";
import type { Exchange } from "./exchange.js";
import type { Pacer } from "./pacer.js";
import { playWhole } from "./play-whole.js";
import type { Served } from "./served.js";

/** One request that is being answered. */
export interface Ticket {
  readonly exchange: Exchange;
  readonly served: Served;
  readonly order: Order;
  readonly now: () => number;
  readonly paced: Pacer;
}

/** A ticket under way. */
export interface Playing extends Ticket {
  /** Whether it has an end, or the client has gone. */
  over(): boolean;
  /** Gives its place to the next one. */
  finish(): void;
}

const sse = { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache" };

/** Steps that are due at once are played together, this many before others get their turn. */
const stepsATurn = 64;

/** Sends the answer in its time; `done` is called once, however it ends. */
export function play(ticket: Ticket, done: () => void): void {
  const { exchange, served, order, now } = ticket;
  let over = false;
  const playing: Playing = {
    ...ticket,
    over: () => over,
    finish() {
      if (!over) done();
      over = true;
    },
  };
  exchange.gone = () => {
    if (served.ended === null) served.gone = true;
    playing.finish();
  };
  served.began = now();
  const { fault, behaviour } = order;
  const before = fault !== null && "after" in fault && fault.after === 0 ? fault.kind : null;
  if (fault?.kind === "malformed-http") {
    served.ended = now();
    exchange.rubbish();
    playing.finish();
  } else if (before === "reset") {
    served.ended = now();
    exchange.reset();
    playing.finish();
  } else if (before !== "half-open") {
    served.status = 200;
    if (!served.streamed) playWhole(playing);
    else {
      exchange.head(200, sse, null);
      if (behaviour.head === "at-once") exchange.write(Buffer.alloc(0));
      if (behaviour.bulk) playBulk(playing);
      else playSteps(playing);
    }
  }
}

function playSteps(playing: Playing): void {
  const { exchange, served, order, now, paced, over } = playing;
  const steps = stream(order);
  let next = steps.next();
  const turn = (): void => {
    for (let count = 0; !next.done && !over(); count += 1) {
      const step = next.value;
      const due = served.began + step.at;
      if (due > now() || count === stepsATurn) {
        paced.at(due, turn);
        break;
      }
      const more = act(step, playing);
      next = steps.next();
      if (!more && !next.done) {
        exchange.drained(turn);
        break;
      }
    }
  };
  turn();
}

/** True if the connection takes more. */
function act(step: Step, { exchange, served, now, finish }: Playing): boolean {
  const sent = now();
  if (step.kind === "write") {
    for (let event = 0; event < step.events; event += 1) served.events.push(sent);
    if (step.answers) served.firstAnswer ??= sent;
    served.tokenEvents += step.events;
    served.tokens += step.tokens;
    return exchange.write(step.text);
  }
  // silence keeps its place until the client goes
  if (step.kind === "silence") return true;
  served.ended = sent;
  exchange[step.kind]();
  finish();
  return true;
}

/** The same events again and again, from bytes that are made once a request. */
function playBulk({ exchange, served, order, now, finish, over }: Playing): void {
  const { behaviour, dialect } = order;
  const perWrite = behaviour.eventsPerWrite;
  const wanted = typeof behaviour.tokens === "number" ? behaviour.tokens : (behaviour.tokens[0] ?? 0);
  const total = Math.min(wanted, order.maxTokens ?? Number.POSITIVE_INFINITY);
  const each = Array.from({ length: perWrite }, (_, index) =>
    exchange.frame(Buffer.from(dialect.event({ kind: "content", text: word(index) }, null, null))),
  );
  const bytes = Buffer.concat(each);
  const turn = (): void => {
    let more = true;
    while (more && !over()) {
      const events = Math.min(perWrite, total - served.tokens);
      if (events <= 0) {
        const counts = { input: order.input, cached: order.cached, output: served.tokens, reasoning: 0 };
        served.ended = now();
        exchange.end(Buffer.from(dialect.end("stop", counts, false)));
        finish();
      } else {
        served.tokens += events;
        served.tokenEvents += events;
        more = exchange.writeFramed(events === perWrite ? bytes : Buffer.concat(each.slice(0, events)));
        if (!more) exchange.drained(turn);
      }
    }
  };
  turn();
}
