import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { quantile } from "../compare/statistics.js";
import type { ClientLoad, RequestRecord } from "./record.js";

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
