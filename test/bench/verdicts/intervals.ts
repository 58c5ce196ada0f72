import { quantileOf } from "../../../src/bench/compare/distribution.js";
import { pseudomedian } from "../../../src/bench/compare/pseudomedian.js";
import { hodgesLehmann, type Interval } from "../../../src/bench/compare/statistics.js";
import { meanAndError, studentAbove, studentQuantile } from "../../../src/bench/compare/student.js";
import { normal, uniform } from "../../../src/data/random.js";

/*
 * Ways to put an interval around the difference of two versions from a few rounds, to see which covers what it says. All
 * see only one estimate a round: a bootstrap of clusters draws whole rounds.
 */

type Bounds = Pick<Interval, "lower" | "upper"> | null;

const resamples = 1000;
/** Many degrees of freedom: the normal distribution. */
const many = 1e6;

/** Bounds by method, of estimates of rounds at a confidence. */
function intervalsOf(values: readonly number[], confidence: number, seed: number): Record<string, Bounds> {
  const n = values.length;
  const tail = (1 - confidence) / 2;
  const next = uniform(seed);
  const { mean, error } = meanAndError(values);
  const centre = pseudomedian(values);
  const centres = new Float64Array(resamples);
  const scores = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    const drawn = values.map(() => values[Math.floor(next() * n)]!);
    centres[resample] = pseudomedian(drawn);
    const own = meanAndError(drawn);
    scores[resample] = own.error! > 1e-12 ? (own.mean - mean) / own.error! : Math.sign(own.mean - mean) * 1e9;
  }
  centres.sort();
  scores.sort();
  const percentile = (at: number): Bounds => ({ lower: quantileOf(centres, at), upper: quantileOf(centres, 1 - at) });
  const expanded = studentAbove(Math.sqrt(n / (n - 1)) * studentQuantile(tail, n - 1), many);
  return {
    percentile: percentile(tail),
    BCa: accelerated(values, centre, centres, tail),
    studentised: {
      lower: mean - quantileOf(scores, 1 - tail) * error!,
      upper: mean - quantileOf(scores, tail) * error!,
    },
    "expanded percentile": percentile(expanded),
    "signed-rank": hodgesLehmann(values, confidence).interval,
  };
}

/** Efron's bias-corrected and accelerated interval (Efron and Tibshirani 1993, 14.3). */
function accelerated(values: readonly number[], centre: number, centres: Float64Array, tail: number): Bounds {
  let below = 0;
  for (const drawn of centres) below += drawn < centre ? 1 : drawn === centre ? 0.5 : 0;
  const score = (p: number) => studentQuantile(1 - Math.min(1 - 1e-3, Math.max(1e-3, p)), many);
  const bias = score(below / centres.length);
  const without = values.map((_, at) => pseudomedian(values.filter((_, other) => other !== at)));
  const middle = meanAndError(without).mean;
  const cubes = without.reduce((sum, value) => sum + (middle - value) ** 3, 0);
  const squares = without.reduce((sum, value) => sum + (middle - value) ** 2, 0);
  const acceleration = squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
  const moved = (p: number) => {
    const z = bias + score(p);
    return 1 - studentAbove(bias + z / (1 - acceleration * z), many);
  };
  return { lower: quantileOf(centres, moved(tail)), upper: quantileOf(centres, moved(1 - tail)) };
}

/** Estimates of rounds of a version against itself, 0 in the long run: normal, t with 3 degrees, or with disturbed rounds. */
export const roundNoise: Readonly<Record<string, (gauss: () => number) => number>> = {
  normal: (gauss) => gauss(),
  "t, 3 degrees": (gauss) => gauss() / Math.sqrt((gauss() ** 2 + gauss() ** 2 + gauss() ** 2) / 3),
  "15 % disturbed": (gauss) => {
    const own = gauss();
    const isDisturbed = gauss() > 1.036;
    return own + (isDisturbed ? 8 * gauss() : 0);
  },
};

/** How often intervals cover 0, and how long the median one is, by method. */
export function coverageOf(
  noise: (gauss: () => number) => number,
  rounds: number,
  confidence: number,
  trials: number,
  seed: number,
): Record<string, { readonly covered: number; readonly length: number }> {
  const gauss = normal(seed);
  const covered: Record<string, number> = {};
  const lengths: Record<string, number[]> = {};
  for (let trial = 0; trial < trials; trial++) {
    const values = Array.from({ length: rounds }, () => noise(gauss));
    for (const [method, bounds] of Object.entries(intervalsOf(values, confidence, seed + trial))) {
      if (!bounds) continue;
      covered[method] = (covered[method] ?? 0) + (bounds.lower <= 0 && bounds.upper >= 0 ? 1 / trials : 0);
      lengths[method] = [...(lengths[method] ?? []), bounds.upper - bounds.lower];
    }
  }
  return Object.fromEntries(
    Object.entries(covered).map(([method, share]) => [
      method,
      { covered: share, length: quantileOf(Float64Array.from(lengths[method]!).sort(), 0.5) },
    ]),
  );
}
