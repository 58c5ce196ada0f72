import type { Batch } from "../../data/batch.js";
import type { Session } from "../../engine/session.js";
import { median, outlierCount, quantile } from "../compare/statistics.js";

/** The clocks of the measuring process. */
export interface Clocks {
  /** Monotonic, in seconds. */
  wall(): number;
  /** CPU time of all threads of the process so far, in seconds. */
  cpu(): number;
  /** Memory resident now, in bytes. */
  residentBytes(): number;
  /** The most memory that was ever resident, in bytes. */
  peakBytes(): number;
}

/** Times of one round, in seconds a run. */
interface Distribution {
  /** Mean over the batches of each one's median. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Type 7; null with fewer than 64 samples, too few to say (loadgen's early-stopping bound at 99 %). */
  readonly p90: number | null;
  /** Samples more than 14.83 MAD from the median. */
  readonly outliers: number;
}

/** What one fresh process measured of one model. */
export interface Round {
  readonly loadSeconds: number;
  readonly firstRunSeconds: number;
  readonly warmUpRuns: number;
  readonly samples: number;
  /** Runs each sample is the mean of: above 1 where a single run is too short for the clocks. */
  readonly runsPerSample: number;
  readonly wall: Distribution;
  readonly cpu: Distribution;
  /** Resident memory before and after the model was loaded, and the most it ever was. */
  readonly baseBytes: number;
  readonly loadedBytes: number;
  readonly peakBytes: number;
  /** Every sample in order, in seconds a run; null when there are more than `maxRawSamples`. */
  readonly raw: { readonly wall: readonly number[]; readonly cpu: readonly number[] } | null;
}

const minSamples = 3;
/** Samples of a round that go into the result one by one. */
export const maxRawSamples = 200;
/** A sample lasts at least this long, so that reading the clocks (about 1 us) does not count. */
const minSampleSeconds = 1e-3;

/** A model being measured in this process, slice by slice, so that others can be measured in between. */
export interface Measurement {
  /** Takes samples for so many seconds, at least one; returns the seconds measured so far. */
  slice(seconds: number): Promise<number>;
  /** Completes the last pass over the batches, so that each weighs the same, and unloads the model. */
  finish(): Promise<Round>;
}

/** Loads a model, runs it once, and warms it up; both are timed. Samples go through the batches in turn. */
export async function startMeasurement(
  open: () => Promise<Session>,
  batches: readonly Batch[],
  warmUpSeconds: number,
  clocks: Clocks,
): Promise<Measurement> {
  const baseBytes = clocks.residentBytes();
  const beforeLoad = clocks.wall();
  const session = await open();
  const loadSeconds = clocks.wall() - beforeLoad;
  const loadedBytes = clocks.residentBytes();
  const beforeFirst = clocks.wall();
  await session.run(batches[0]!);
  const warmUpStart = clocks.wall();
  const firstRunSeconds = warmUpStart - beforeFirst;

  let warmUpRuns = 0;
  do {
    await session.run(batches[warmUpRuns++ % batches.length]!);
  } while (clocks.wall() - warmUpStart < warmUpSeconds);
  const usual = (clocks.wall() - warmUpStart) / warmUpRuns;
  const runsPerSample = Math.max(1, Math.ceil(minSampleSeconds / Math.max(usual, 1e-6)));

  const wall: number[] = [];
  const cpu: number[] = [];
  let measured = 0;
  const takeSample = async () => {
    const batch = batches[wall.length % batches.length]!;
    const cpuBefore = clocks.cpu();
    const wallBefore = clocks.wall();
    for (let run = 0; run < runsPerSample; run++) await session.run(batch);
    const seconds = clocks.wall() - wallBefore;
    wall.push(seconds / runsPerSample);
    cpu.push((clocks.cpu() - cpuBefore) / runsPerSample);
    measured += seconds;
  };
  return {
    async slice(seconds) {
      const end = clocks.wall() + seconds;
      do await takeSample();
      while (clocks.wall() < end);
      return measured;
    },
    async finish() {
      while (wall.length < minSamples || wall.length % batches.length !== 0) await takeSample();
      const peakBytes = clocks.peakBytes();
      await session.close();
      return {
        loadSeconds,
        firstRunSeconds,
        warmUpRuns,
        samples: wall.length,
        runsPerSample,
        wall: distribution(wall, batches.length),
        cpu: distribution(cpu, batches.length),
        baseBytes,
        loadedBytes,
        peakBytes,
        raw: wall.length <= maxRawSamples ? { wall, cpu } : null,
      };
    },
  };
}

/**
 * Sums up the times of a round. Batches may differ in size, so each has its own median and its own outliers; the time
 * of the round is the mean over the batches, which is the median itself where there is one.
 */
function distribution(times: readonly number[], batches: number): Distribution {
  const byBatch = Array.from({ length: batches }, (_, batch) => times.filter((_, at) => at % batches === batch));
  return {
    median: byBatch.reduce((sum, own) => sum + median(own), 0) / batches,
    min: quantile(times, 0),
    max: quantile(times, 1),
    p90: times.length >= 64 ? quantile(times, 0.9) : null,
    outliers: byBatch.reduce((sum, own) => sum + outlierCount(own), 0),
  };
}
