import { normal, uniform } from "../../data/random.js";
import { seedOf } from "../workload/seeds.js";
import type { LoadPoint } from "./record.js";

/** Requests that come at their own times, whether earlier ones have been answered or not. */
export type OpenLoad = Extract<LoadPoint, { readonly kind: "open" }>;

/**
 * When requests are due, in seconds from the start, in ascending order and without end (a trace ends with its last
 * one). The same seed gives the same times.
 *
 * - constant: one every 1 / rate, the first at once
 * - poisson: exponential gaps, mean 1 / rate (the first request after a gap as well)
 * - gamma: gaps of Gamma(shape = burstiness, mean 1 / rate): 1 is Poisson, below comes in bursts, above is more even
 *   (the convention of vLLM's --burstiness)
 * - trace: as recorded, scaled to the rate where `rate` is above 0
 */
export function* arrivals(load: OpenLoad, seed: number, trace: readonly number[] | null = null): Generator<number> {
  if (load.arrival === "trace") {
    yield* traceTimes(trace ?? [], load.rate);
    return;
  }
  const next = uniform(seedOf(seed, "arrivals"));
  const gap =
    load.arrival === "constant"
      ? () => 1 / load.rate
      : load.arrival === "poisson"
        ? () => -Math.log(1 - next()) / load.rate
        : gammaGaps(load.burstiness ?? 1, load.rate, seed);
  if (load.arrival === "constant") {
    // by multiplication: sums would drift
    for (let at = 0; ; at++) yield at / load.rate;
  }
  for (let time = gap(); ; time += gap()) yield time;
}

/**
 * A trace's times from its first arrival on. With a rate above 0, stretched so that they come at that rate over all:
 * (n - 1) gaps in (n - 1) / rate seconds.
 */
function* traceTimes(times: readonly number[], rate: number): Generator<number> {
  const first = times[0] ?? 0;
  const span = (times.at(-1) ?? 0) - first;
  const scale = rate > 0 && span > 0 ? (times.length - 1) / rate / span : 1;
  for (const time of times) yield (time - first) * scale;
}

/**
 * The same arrivals under a rate that grows linearly from 0 to its full value over `rampSeconds` (time transformed by
 * the inverse of the cumulative rate, Law, Simulation Modeling and Analysis, 8.6.2): a Poisson process stays one.
 */
export function* ramped(times: Iterable<number>, rampSeconds: number): Generator<number> {
  for (const time of times) {
    // `time` counts seconds of full rate: t seconds into the ramp, t^2 / (2 ramp) of them have gone by
    yield time < rampSeconds / 2 ? Math.sqrt(2 * time * rampSeconds) : time + rampSeconds / 2;
  }
}

/** Gamma(shape) by Marsaglia and Tsang 2000, "A simple method for generating gamma variables", scaled to its mean. */
function gammaGaps(shape: number, rate: number, seed: number): () => number {
  const next = uniform(seedOf(seed, "gamma"));
  const nextNormal = normal(seedOf(seed, "gamma normal"));
  // below 1: Gamma(shape + 1) * U^(1 / shape)
  const d = (shape < 1 ? shape + 1 : shape) - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  const gamma = (): number => {
    for (;;) {
      const x = nextNormal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  };
  return () => {
    const value = gamma() * (shape < 1 ? (1 - next()) ** (1 / shape) : 1);
    return value / shape / rate;
  };
}
