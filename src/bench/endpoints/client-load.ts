import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { median, quantile } from "../compare/statistics.js";
import type { Block, ClientLoad, LoadPoint, RequestRecord } from "./record.js";

/** Measures this process while it measures. */
export interface Meter {
  /** What measuring has cost since the meter was started; stops it. */
  stop(): Omit<ClientLoad, "sendDelay">;
}

/** Timer that watches the event loop, in milliseconds. */
const resolutionMs = 1;

/** Starts measuring this process. `cpuSeconds`: its CPU time so far, user and system (process.cpuUsage). */
export function startMeter(cpuSeconds: () => number): Meter {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  const loop = performance.eventLoopUtilization();
  const cpu = cpuSeconds();
  const start = performance.now();
  delay.enable();
  return {
    stop() {
      delay.disable();
      const seconds = (performance.now() - start) / 1000;
      // the histogram holds whole periods in ns, 0 where it saw none
      const late = (ns: number) => (Number.isFinite(ns) ? Math.max(0, ns / 1e9 - resolutionMs / 1000) : 0);
      return {
        cpu: seconds > 0.001 ? (cpuSeconds() - cpu) / seconds : 0,
        eventLoop: performance.eventLoopUtilization(loop).utilization,
        lag: { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) },
      };
    },
  };
}

/** How late requests were sent, in seconds; null where none had an intended time. */
export function sendDelay(records: readonly RequestRecord[]): ClientLoad["sendDelay"] {
  const late = records.flatMap((record) =>
    record.scheduled === null || record.turn > 0 ? [] : [Math.max(0, record.firstSent - record.scheduled)],
  );
  return late.length === 0 ? null : { p50: quantile(late, 0.5), p99: quantile(late, 0.99) };
}

/** Share of time from which on a loop is too busy to be trusted. */
const busyShare = 0.7;
/** Own work below this share does not explain late timers: others hold the cores. */
const ownShare = 0.1;
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
 *   cases. That counts as this process's doing only if it was busy for at least 10 % of the time, or if half of all
 *   timers are so late: one user on a shared machine sees late timers too, while the loop waits for a core. Such noise
 *   hits both targets and widens their intervals; what must not pass is a client that is slower the faster a target is.
 * - Fewer than 98 % of the intended rate was sent, though no limit of concurrency held requests back.
 *
 * Nothing is said of less than a second or 20 sends. `records`: those of the block.
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
    if (eventLoop >= ownShare || lag.p50 > allowed) {
      return { ...free, limited: `${what}, more than the ${ms(allowed)} that do not matter here` };
    }
    const idle = `though this program was busy for only ${percent(eventLoop)} of the time`;
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
