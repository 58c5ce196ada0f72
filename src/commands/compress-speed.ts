import { hodgesLehmann } from "../bench/compare/statistics.js";
import { judge, type RatioVerdict } from "../bench/compare/verdict.js";
import type { Batch } from "../data/batch.js";
import type { Run } from "../evaluate/agreement.js";

/** Rounds of a quick comparison: enough for a 95 % interval. */
const rounds = 9;
/** A difference up to this counts as none. */
const tolerance = 0.05;

/**
 * CPU time of a candidate over that of the original on one sample, one thread, both loaded in this process and taking
 * turns: a quick look, for which `deepseek bench` is the careful one. Takes about `seconds`.
 */
export async function compareSpeed(
  original: Run,
  candidate: Run,
  batch: Batch,
  seconds: number,
): Promise<RatioVerdict> {
  const first = await cpuSeconds(original, batch, 1);
  await cpuSeconds(candidate, batch, 1);
  const runs = Math.max(1, Math.floor(seconds / rounds / 2 / Math.max(first, 1e-6)));
  const logRatios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // A B, B A, A B: a drift of the machine falls on both
    const order = round % 2 === 0 ? [original, candidate] : [candidate, original];
    const times = new Map<Run, number>();
    for (const run of order) times.set(run, await cpuSeconds(run, batch, runs));
    logRatios.push(Math.log(times.get(candidate)! / times.get(original)!));
  }
  return judge(hodgesLehmann(logRatios), rounds, tolerance);
}

async function cpuSeconds(run: Run, batch: Batch, runs: number): Promise<number> {
  const before = process.cpuUsage();
  for (let at = 0; at < runs; at++) await run(batch);
  const { user, system } = process.cpuUsage(before);
  return Math.max(1, user + system) / 1e6;
}
