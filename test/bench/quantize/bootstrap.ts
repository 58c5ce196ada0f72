import { uniform } from "../../../src/data/random.js";
import { type Counts, type Harness, sumOf } from "./harness.js";

/** Of fewer samples nothing can be said. */
const leastSamples = 10;

/**
 * 95 % interval of the drop of the first measure, in points, by bootstrap over samples: both models are judged on the same ones, so
 * that each resample takes the same samples of both (paired). Percentile method, Efron and Tibshirani 1993, chapter 13.
 * Undefined with too few samples.
 */
export function dropInterval(
  { measures, scoresOf }: Pick<Harness, "measures" | "scoresOf">,
  before: readonly Counts[],
  after: readonly Counts[],
  seed = 1,
  resamples = 2000,
): readonly [number, number] | undefined {
  const { length } = before;
  if (length < leastSamples) return undefined;
  const random = uniform(seed);
  const sign = measures[0]!.better === "lower" ? 1 : -1;
  const drops = Array.from({ length: resamples }, () => {
    const places = Array.from({ length }, () => Math.floor(random() * length));
    const scored = (rows: readonly Counts[]) => scoresOf(sumOf(places.map((at) => rows[at]!)))[0]!;
    return sign * (scored(after) - scored(before));
  }).sort((a, b) => a - b);
  return [drops[Math.round(0.025 * resamples)]!, drops[Math.round(0.975 * resamples) - 1]!];
}
