import { UserError } from "../../errors.js";
import type { Workload } from "../workload/workload.js";
import type { BlockPlan } from "./block.js";
import type { LoadPoint } from "./record.js";

/** Users that a process can be asked to play: each holds a connection. */
const mostUsers = 20_000;

/** Throws a UserError for loads and lengths that would measure nothing or never end. */
export function checkPlan(
  points: readonly LoadPoint[],
  plan: { readonly rounds: number; readonly block: BlockPlan["length"]; readonly totalSeconds: number | null },
  workload: Workload,
): void {
  if (!Number.isInteger(plan.rounds) || plan.rounds < 1) throw new UserError(`${plan.rounds} rounds: give at least 1`);
  if ("seconds" in plan.block) positive(plan.block.seconds, "the duration", "seconds");
  else if (!Number.isInteger(plan.block.requests) || plan.block.requests < 1) {
    throw new UserError(`${plan.block.requests} requests: give a whole number from 1 on`);
  }
  if (plan.totalSeconds !== null) positive(plan.totalSeconds, "the time limit", "seconds");
  for (const point of points) {
    if (point.kind === "closed") {
      users(point.concurrency, "concurrency");
      continue;
    }
    if (point.maxConcurrency !== null) users(point.maxConcurrency, "the most requests at a time");
    if (point.burstiness !== null)
      positive(point.burstiness, "the burstiness", "(1 is Poisson, below comes in bursts)");
    if (point.arrival !== "trace") positive(point.rate, "the rate", "requests per second");
    else if (workload.arrivals === null)
      throw new UserError("a trace is replayed only where the prompts are one: give its file");
  }
}

function positive(value: number, what: string, unit: string): void {
  if (!(value > 0) || !Number.isFinite(value)) throw new UserError(`${what} is ${value}; give more than 0 ${unit}`);
}

function users(value: number, what: string): void {
  if (!Number.isInteger(value) || value < 1 || value > mostUsers) {
    throw new UserError(`${what} is ${value}; give a whole number from 1 to ${mostUsers}`);
  }
}
