import { quantile } from "../compare/statistics.js";
import type { Environment } from "../environment.js";
import type { Behaviours } from "../server/behaviour.js";
import type { RemoteServer } from "../server/child.js";
import type { Outcome } from "./record.js";
import type { Sender } from "./sender.js";
import { createSender } from "./sender-create.js";
import type { Prompt, RequestLimits } from "./target.js";

/** What the measuring program itself can do on this machine: no endpoint can be seen to be faster. */
export interface SelfTestResult {
  readonly schema: "deepseek/bench-self-test@1";
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly environment: Environment;
  /** Many events a read, as from a server faster than this program. */
  readonly coalesced: Rate;
  /** Answers that do not stream. */
  readonly requests: Rate;
  /** One event a read, at a known pace: 16, 64 and 128 streams of 100 tokens a second. */
  readonly paced: readonly Paced[];
  /** As many streams as a big sweep has, each of them slow. */
  readonly openStreams: Paced;
}

export interface Rate {
  /** Events or requests. */
  readonly count: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly streams: number;
}

/** Streams of a known pace. */
export interface Paced {
  readonly streams: number;
  /** Of each stream, asked for. */
  readonly eventsPerSecond: number;
  /** Events that came, of those that were sent. */
  readonly share: number;
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Stamped minus sent, in seconds: the error that the program adds to a TTFT or a gap. */
  readonly error: { readonly p50: number; readonly p99: number; readonly max: number };
  /** By how much the error grew from the first quarter to the last, medians, in seconds: it grows where the program falls behind. */
  readonly drift: number;
}

/** What a measurement of this program needs. */
interface Bench {
  readonly server: Pick<RemoteServer, "url" | "requests" | "forget">;
  /** The clock of the server too: monotonic and comparable between the two processes. */
  readonly now: () => number;
  /** CPU time of this process so far, user and system, in seconds. */
  readonly cpuSeconds: () => number;
}

export interface SelfTestOptions {
  /** Starts a server in another process. */
  start(behaviours: Behaviours): Promise<RemoteServer>;
  readonly now: Bench["now"];
  readonly cpuSeconds: Bench["cpuSeconds"];
  readonly environment: Environment;
  readonly started: string;
  /** Of each measurement; 2 by default. */
  readonly seconds?: number;
  progress?(text: string): void;
}

const limits: RequestLimits = { connectSeconds: 10, totalSeconds: 120, idleSeconds: 60, bytes: 1e9, retries: 0 };
const pace = 100;
const openStreams = 1000;
const openPace = 10;

/** Models of the server that the measurements below ask for. */
const selfTestBehaviours: Behaviours = {
  coalesced: { bulk: true, eventsPerWrite: 16, tokens: 20_000 },
  requests: { ttft: 0, gap: 0, tokens: 16 },
  // each at its own place within the gap, as independent streams are
  paced: { ttft: { mean: 1 / pace, jitter: 0.95 }, gap: 1 / pace, tokens: 1_000_000 },
  open: { ttft: { mean: 1 / openPace, jitter: 0.95 }, gap: 1 / openPace, tokens: 1_000_000 },
};

/** Measures this program against a server of its own in another process. Takes about 8 times `seconds`. */
export async function selfTest(options: SelfTestOptions): Promise<SelfTestResult> {
  const { now, cpuSeconds, environment, started, seconds = 2, progress = () => {} } = options;
  const server = await options.start(selfTestBehaviours);
  const bench: Bench = { server, now, cpuSeconds };
  try {
    progress("many events a read");
    const coalesced = await measureCoalesced(bench, 16, seconds);
    progress("requests that do not stream");
    const requests = await measureRequests(bench, 64, seconds);
    const paced: Paced[] = [];
    for (const streams of [16, 64, 128]) {
      progress(`${streams} streams of ${pace} tokens a second`);
      paced.push(await measurePaced(bench, { model: "paced", streams, pace, seconds }));
    }
    progress(`${openStreams} open streams`);
    const open = await measurePaced(bench, { model: "open", streams: openStreams, pace: openPace, seconds });
    return {
      schema: "deepseek/bench-self-test@1",
      started,
      environment,
      coalesced,
      requests,
      paced,
      openStreams: open,
    };
  } finally {
    await server.close();
  }
}

function senderTo({ server, now }: Bench, model: string, stream: boolean): Sender {
  const target = { label: model, url: server.url, protocol: "chat", model, key: undefined, http2: "off" } as const;
  return createSender({ ...target, headers: {}, body: {}, stream }, limits, { now });
}

const ask = (id: string, parameters: Prompt["parameters"] = {}): Prompt => ({
  id,
  messages: [{ role: "user", content: id }],
  parameters,
});

function checked(outcome: Outcome): Outcome {
  if (outcome.error !== null) throw new Error(`the server of the self-test failed: ${outcome.error.message}`);
  return outcome;
}

/** Requests one after the other on each of the streams for so long; what each gave is counted. */
async function keepAsking(
  bench: Bench,
  sender: Sender,
  streams: number,
  seconds: number,
  count: (outcome: Outcome) => number,
): Promise<Rate> {
  await sender.connect(streams);
  // compiled and warm before it counts
  const warm = bench.now() + Math.min(0.5, seconds / 2);
  const whole = async (until: number): Promise<number> => {
    let sum = 0;
    const one = async (stream: number): Promise<void> => {
      while (bench.now() < until) {
        // not `sum += await ...`, which would take the sum from before the wait
        const outcome = checked(await sender.send(ask(`stream ${stream}`)));
        sum += count(outcome);
      }
    };
    await Promise.all(Array.from({ length: streams }, (_, stream) => one(stream)));
    return sum;
  };
  await whole(warm);
  const begun = bench.now();
  const cpu = bench.cpuSeconds();
  const counted = await whole(begun + seconds);
  const rate = { count: counted, seconds: bench.now() - begun, cpuSeconds: bench.cpuSeconds() - cpu, streams };
  sender.close();
  await bench.server.forget();
  return rate;
}

/** Streams from a server that never waits, 16 events a write. */
function measureCoalesced(bench: Bench, streams: number, seconds: number): Promise<Rate> {
  return keepAsking(bench, senderTo(bench, "coalesced", true), streams, seconds, ({ events }) => events.length);
}

/** Answers in one piece from a server that never waits. */
function measureRequests(bench: Bench, streams: number, seconds: number): Promise<Rate> {
  return keepAsking(bench, senderTo(bench, "requests", false), streams, seconds, () => 1);
}

/** Streams of a pace, whose stamps are held against when the server sent each event. */
async function measurePaced(
  bench: Bench,
  load: { readonly model: string; readonly streams: number; readonly pace: number; readonly seconds: number },
): Promise<Paced> {
  const { server, now, cpuSeconds } = bench;
  const { model, streams, seconds } = load;
  const sender = senderTo(bench, model, true);
  await sender.connect(streams);
  const begun = now();
  const cpu = cpuSeconds();
  const outcomes = await Promise.all(
    Array.from({ length: streams }, (_, stream) =>
      sender.send(ask(`stream ${stream}`, { max_tokens: Math.ceil(seconds * load.pace) })),
    ),
  );
  const took = now() - begun;
  const used = cpuSeconds() - cpu;
  sender.close();
  const sent = new Map((await server.requests()).map((served) => [served.prompt, served.events]));
  await server.forget();
  const errors: number[] = [];
  const quarters: [number[], number[]] = [[], []];
  for (const [stream, outcome] of outcomes.entries()) {
    const truth = sent.get(`stream ${stream}`) ?? [];
    const { events } = checked(outcome);
    const quarter = Math.ceil(truth.length / 4);
    for (let index = 0; index < Math.min(events.length, truth.length); index += 1) {
      const error = events[index]! - truth[index]!;
      errors.push(error);
      if (index < quarter) quarters[0].push(error);
      if (index >= truth.length - quarter) quarters[1].push(error);
    }
  }
  return {
    streams,
    eventsPerSecond: load.pace,
    share: errors.length / (streams * Math.ceil(seconds * load.pace)),
    events: errors.length,
    seconds: took,
    cpuSeconds: used,
    error: { p50: quantile(errors, 0.5), p99: quantile(errors, 0.99), max: errors.reduce((a, b) => Math.max(a, b), 0) },
    drift: quantile(quarters[1], 0.5) - quantile(quarters[0], 0.5),
  };
}
