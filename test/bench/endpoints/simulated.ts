import type { ErrorKind, Outcome } from "../../../src/bench/endpoints/record.js";
import type { Clock, Sender } from "../../../src/bench/endpoints/sender.js";
import type { Message, Prompt } from "../../../src/bench/endpoints/target.js";
import type { Workload } from "../../../src/bench/workload/workload.js";

interface Waiting {
  readonly time: number;
  readonly order: number;
  readonly go: () => void;
}

/** A clock whose time only passes while everybody waits for it: a long run takes no time, and always goes alike. */
export function simulatedClock(): Clock & { run<T>(task: Promise<T>): Promise<T> } {
  let time = 100;
  let order = 0;
  const waiting = new Set<Waiting>();
  return {
    now: () => time,
    until: (at, stop) =>
      new Promise((resolve) => {
        if (stop?.aborted === true) return resolve();
        const own: Waiting = { time: at, order: order++, go: resolve };
        waiting.add(own);
        stop?.addEventListener(
          "abort",
          () => {
            waiting.delete(own);
            resolve();
          },
          { once: true },
        );
      }),
    /** Lets time pass until the task is done. */
    async run(task) {
      let done = false;
      const end = () => {
        done = true;
      };
      task.then(end, end);
      for (;;) {
        // all that can go on without time passing does so first
        await new Promise((resolve) => setImmediate(resolve));
        if (done) return task;
        const next = [...waiting].sort((a, b) => a.time - b.time || a.order - b.order)[0];
        if (next === undefined) throw new Error("everybody waits for somebody else");
        waiting.delete(next);
        time = Math.max(time, next.time);
        next.go();
      }
    },
  };
}

/** How a simulated target answers one request. */
export interface Behaviour {
  readonly ttft: number;
  readonly gaps: readonly number[];
  readonly error?: ErrorKind;
  readonly text?: string;
}

/** A target on a simulated clock that keeps what it was asked. */
export interface SimulatedTarget extends Sender {
  readonly asked: { readonly prompt: Prompt; readonly at: number }[];
  readonly connected: number[];
  underWay(): number;
}

export function simulatedTarget(
  clock: Clock,
  behave: (request: number, prompt: Prompt, underWay: number) => Behaviour,
): SimulatedTarget {
  const asked: SimulatedTarget["asked"] = [];
  const connected: number[] = [];
  let underWay = 0;
  return {
    asked,
    connected,
    underWay: () => underWay,
    async connect(connections) {
      connected.push(connections);
    },
    async send(prompt, stop) {
      const sent = clock.now();
      underWay++;
      const { ttft, gaps, error, text } = behave(asked.length, prompt, underWay);
      asked.push({ prompt, at: sent });
      const events: number[] = [];
      for (const gap of error === undefined ? [ttft, ...gaps] : [ttft]) {
        await clock.until(clock.now() + gap, stop);
        if (stop?.aborted === true) break;
        if (error === undefined) events.push(clock.now());
      }
      underWay--;
      const kind = stop?.aborted === true ? "cancelled" : error;
      return outcome({
        sent,
        firstSent: sent,
        done: clock.now(),
        events,
        firstAnswer: events[0] ?? null,
        error: kind === undefined ? null : { kind, message: `it was ${kind}` },
        text: text ?? "an answer",
      });
    },
    close() {},
  };
}

/** An outcome with usual values, and those given. */
export function outcome(given: Partial<Outcome>): Outcome {
  return {
    sent: 0,
    firstSent: 0,
    firstByte: null,
    events: [],
    firstAnswer: null,
    done: 1,
    streamed: true,
    bytes: 100,
    usage: null,
    outputTokens: 3,
    tokenSource: "events",
    firstEventTokens: null,
    finish: "stop",
    status: 200,
    error: null,
    retries: 0,
    protocol: "chat",
    http: "1.1",
    reused: true,
    text: "",
    reasoning: "",
    ...given,
  };
}

/** Conversations of so many turns, named by stretch and place. */
export function plainWorkload(turns = 1, thinkSeconds = 0, arrivals: readonly number[] | null = null): Workload {
  const ask = (content: string): readonly Message[] => [{ role: "user", content }];
  return {
    summary: {
      source: "plain",
      sha256: "",
      prompts: 1,
      turns,
      seed: 1,
      uniquePrefixes: false,
      characters: { count: 1, mean: 1, min: 1, max: 1, sd: null, p50: 1, p90: null, p95: null, p99: null, p999: null },
    },
    arrivals,
    answers: "measured",
    conversation: (stretch, place) => ({
      id: `${stretch}/${place}`,
      turns: Array.from({ length: turns }, (_, turn) => ({
        messages: ask(`question ${stretch}/${place}, ${turn}`),
        parameters: {},
        thinkSeconds: turn === 0 ? 0 : thinkSeconds,
        recordedAnswer: null,
      })),
      group: null,
    }),
  };
}
