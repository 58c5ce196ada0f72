/** The child process of one model in one round: does what it is asked, one thing at a time, and ends with its parent. */
import { readFileSync } from "node:fs";
import { type Clocks, type Measurement, type Round, startMeasurement } from "../bench/models/measure.js";
import type { Batch } from "../data/batch.js";
import { openSession, type SessionSettings } from "../engine/session.js";
import { UserError } from "../errors.js";
import { cpuSeconds } from "./process-clocks.js";

/** The model to measure. */
export interface Job {
  readonly path: string;
  readonly session: SessionSettings;
  readonly batches: readonly Batch[];
  readonly warmUpSeconds: number;
}

/** What the parent asks, in this order: start once, slices, finish once. */
export type Request = { readonly start: Job } | { readonly slice: number /** Seconds. */ } | { readonly finish: true };

/** What it is told: nothing, the seconds measured so far, the round; or what went wrong. */
export type Answer =
  | { readonly value: undefined | number | Round }
  | { readonly error: string /** Whether the user can mend it. */; readonly user: boolean };

const clocks: Clocks = {
  wall: () => performance.now() / 1000,
  cpu: cpuSeconds,
  residentBytes: () => process.memoryUsage.rss(),
  peakBytes,
};

/** Linux's high-water mark of this process (proc(5), VmHWM); elsewhere the maximum that getrusage(2) reports. */
function peakBytes(): number {
  try {
    const kibibytes = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    if (kibibytes) return Number(kibibytes) * 1024;
  } catch {
    // no /proc here
  }
  return process.resourceUsage().maxRSS * 1024;
}

let measurement: Measurement | undefined;

async function answer(request: Request): Promise<undefined | number | Round> {
  if ("start" in request) {
    const { path, session, batches, warmUpSeconds } = request.start;
    measurement = await startMeasurement(() => openSession(path, session), batches, warmUpSeconds, clocks);
    return undefined;
  }
  return "slice" in request ? measurement!.slice(request.slice) : measurement!.finish();
}

process.on("message", async (request: Request) => {
  let reply: Answer;
  try {
    reply = { value: await answer(request) };
  } catch (error) {
    const user = error instanceof UserError;
    reply = { error: user ? error.message : String((error as Error)?.stack ?? error), user };
  }
  process.send?.(reply);
});
process.once("disconnect", () => process.exit());
