import { median, quantile } from "../compare/statistics.js";
import type { ClientLimit } from "./matches.js";
import type { Block, EndpointRun, LoadPoint, RequestRecord } from "./record.js";
import { grouped } from "./slices.js";

/** Share of time from which on a loop is too busy to be trusted. */
const busyShare = 0.7;
/**
 * Own work below this share of a core does not explain late timers: others hold the cores. With 31-38 % of a core spent
 * on 128 streams of 100 tokens/s, stamps were up to 3.6 ms late (99th percentile), with 59-71 % 5 to 13 ms.
 */
const ownShare = 0.3;
/** Lateness that never matters, in seconds, and as a share of what is measured. */
const smallLag = 0.005;
const lagShare = 0.05;
const leastAchieved = 0.98;
/** Below these there is too little to judge. */
const leastSeconds = 1;
const leastSends = 20;

/** Whether this process rather than a target limited a block, and what else was wrong with its clock. */
export interface ClientVerdict {
  /** Why what was measured is this process rather than the target; null if it is not. */
  readonly limited: string | null;
  /** Times were late because of others on the machine, which hits every target alike; null if they were not. */
  readonly disturbed: string | null;
}

/**
 * Judges a block by what measuring it cost:
 *
 * - The event loop was busy for more than 70 % of the time. Below that, queueing in the loop is short.
 * - Timers, or sends over open connections, were late by more than 5 ms and 5 % of the median TTFT in more than 1 % of
 *   cases. That counts as this process's doing only if it worked for at least 30 % of the time (by its CPU as well: a
 *   loop that waits for a core is busy by the clock), or if half of all timers are so late. One user on a shared machine
 *   sees late timers too. Such noise hits all targets alike and widens their intervals; what must not pass is a client
 *   that is slower the faster a target is.
 * - Fewer than 98 % of the intended rate was sent, though no limit of concurrency held requests back.
 *
 * Nothing is said of less than a second (`clientLimits` joins shorter blocks) or 20 sends. `records`: those of the block.
 */
export function judgeClient(block: Block, load: LoadPoint, records: readonly RequestRecord[]): ClientVerdict {
  const { eventLoop, cpu, lag } = block.client;
  const free: ClientVerdict = { limited: null, disturbed: null };
  if (block.end - block.start < leastSeconds) return free;
  const measured = records.filter((record) => !record.warmUp);

  if (eventLoop > busyShare) {
    const starved = cpu < eventLoop / 2 ? ` and got ${percent(cpu)} of a core, for others use the machine` : "";
    return {
      ...free,
      limited: `this program was busy for ${percent(eventLoop)} of the time${starved}: its times include its own queue`,
    };
  }

  const firstTokens = measured.flatMap(({ firstToken, sent }) => (firstToken === null ? [] : [firstToken - sent]));
  const allowed = Math.max(smallLag, lagShare * (firstTokens.length === 0 ? 0 : median(firstTokens)));
  const sends = measured.filter(
    ({ scheduled, turn, reused, retries }) => scheduled !== null && turn === 0 && reused && retries === 0,
  );
  const held = load.kind === "open" && load.maxConcurrency !== null && mostAtOnce(records) >= load.maxConcurrency;
  const judged = !held && sends.length >= leastSends;
  const sendLag = judged
    ? quantile(
        sends.map(({ scheduled, firstSent }) => firstSent - scheduled!),
        0.99,
      )
    : 0;
  const late = Math.max(lag.p99, sendLag);
  if (late > allowed) {
    const what = `${sendLag > lag.p99 ? "requests were sent" : "timers fired"} up to ${ms(late)} late (99th percentile)`;
    if (Math.min(eventLoop, cpu) >= ownShare || lag.p50 > allowed) {
      return { ...free, limited: `${what}, more than the ${ms(allowed)} that do not matter here` };
    }
    const idle = `though this program took only ${percent(cpu)} of a core`;
    return { ...free, disturbed: `${what}, ${idle}: others use the machine` };
  }

  if (judged) {
    const achieved = span(sends.map(({ scheduled }) => scheduled!)) / span(sends.map(({ firstSent }) => firstSent));
    if (achieved < leastAchieved)
      return { ...free, limited: `only ${percent(achieved)} of the intended rate was sent` };
  }
  return free;
}

function span(times: readonly number[]): number {
  return (
    times.reduce((most, time) => Math.max(most, time), -Infinity) -
    times.reduce((least, time) => Math.min(least, time), Infinity)
  );
}

/** Requests under way at the same time, at most. */
function mostAtOnce(records: readonly RequestRecord[]): number {
  const changes = records.flatMap(({ firstSent, done }) => [
    { at: firstSent, by: 1 },
    { at: done, by: -1 },
  ]);
  // one that ends makes room for one that begins at the same time
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let now = 0;
  let most = 0;
  for (const { by } of changes) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function ms(seconds: number): string {
  return `${(1000 * seconds).toFixed(1)} ms`;
}

/** Blocks too short to be judged are joined to parts that are not, in order; costs are means by time. */
function parts(blocks: readonly Block[]): readonly (readonly Block[])[] {
  const found: Block[][] = [];
  let open: Block[] = [];
  for (const block of blocks) {
    open.push(block);
    if (seconds(open) < leastSeconds) continue;
    found.push(open);
    open = [];
  }
  const last = found.at(-1);
  if (last === undefined) return [open];
  last.push(...open);
  return found;
}

function seconds(blocks: readonly Block[]): number {
  return blocks.reduce((sum, { start, end }) => sum + (end - start), 0);
}

function joined(blocks: readonly Block[]): Block {
  const [first] = blocks as readonly [Block];
  if (blocks.length === 1) return first;
  const total = seconds(blocks);
  const mean = (of: (client: Block["client"]) => number) =>
    blocks.reduce((sum, { start, end, client }) => sum + of(client) * (end - start), 0) / total;
  const client = {
    ...first.client,
    cpu: mean(({ cpu }) => cpu),
    eventLoop: mean(({ eventLoop }) => eventLoop),
    lag: {
      p50: mean(({ lag }) => lag.p50),
      p99: mean(({ lag }) => lag.p99),
      max: Math.max(...blocks.map(({ client: { lag } }) => lag.max)),
    },
  };
  return { ...first, start: 0, end: total, client };
}

/**
 * The loads under which this process set the pace in at least half of a target's blocks: one block of several may suffer
 * from a moment's trouble.
 */
export function clientLimits({ points, blocks, records }: EndpointRun): readonly ClientLimit[] {
  const recordsOf = grouped(records, ({ target, point, round }) => `${point} ${round} ${target}`);
  const blocksOf = grouped(blocks, ({ target, point }) => `${point} ${target}`);
  return [...blocksOf.values()].flatMap((own) => {
    const { target, point } = own[0]!;
    const judged = parts(own);
    const whys = judged.flatMap((part) => {
      const measured = part.flatMap((block) => recordsOf.get(`${point} ${block.round} ${target}`) ?? []);
      return judgeClient(joined(part), points[point]!, measured).limited ?? [];
    });
    return whys.length > 0 && 2 * whys.length >= judged.length ? [{ target, point, why: whys[0]! }] : [];
  });
}
