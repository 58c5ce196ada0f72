import type { Sensitivity } from "./sensitivity.js";

/** One attempt of a search: how many of the worst weights stayed floats, and what was lost. */
interface GateTrial {
  readonly floats: number;
  /** 0.02 = 2 %. */
  readonly drop: number;
}

/** What a search found. */
export interface GateOutcome {
  /** Whether the limit is kept. */
  readonly reached: boolean;
  /** The weights that stay floats, worst first: the fewest found that keep the limit, or those that came nearest to it. */
  readonly floats: readonly string[];
  readonly drop: number;
  readonly trials: readonly GateTrial[];
}

/** The limit set to the noise from 8-bit activations. */
export interface NoiseLimit {
  /** Signal over noise in dB; null where no activation stays in 8 bits. */
  readonly db: number | null;
  readonly trials: readonly { readonly db: number; readonly drop: number }[];
  /** How many values were measured alone. */
  readonly measured: number;
}

/** What was done to keep a limit. */
export interface Gate extends GateOutcome {
  readonly maxDrop: number;
  /** The weights, the worst first. */
  readonly ranking: readonly Sensitivity[];
  /** Whether there was time to measure every weight alone. */
  readonly rankedWhole: boolean;
  /** What weights became that were taken back: float16, or float32 where that was too coarse as well. */
  readonly mildest: "half" | "float";
}

/**
 * Finds how many of the worst-ranked weights must stay floats so that the loss is at most `maxDrop`: none, else by
 * bisection, which takes about log2(n) trials and presumes that leaving more of them never costs accuracy. At least one
 * weight is quantized. `measure` applies a choice and returns its loss. The trial of no floats may be given.
 */
export async function searchFloats(
  ranking: readonly string[],
  maxDrop: number,
  measure: (floats: readonly string[]) => Promise<number>,
  dropOfNone?: number,
): Promise<GateOutcome> {
  const trials: GateTrial[] = [];
  const attempt = async (floats: number, known?: number): Promise<boolean> => {
    const drop = known ?? (await measure(ranking.slice(0, floats)));
    trials.push({ floats, drop });
    return drop <= maxDrop;
  };
  let fails = 0;
  let keeps = ranking.length;
  if (await attempt(0, dropOfNone)) keeps = 0;
  while (keeps - fails > 1) {
    const middle = Math.floor((fails + keeps) / 2);
    if (await attempt(middle)) keeps = middle;
    else fails = middle;
  }
  const best = trials.find(({ floats, drop }) => floats === keeps && drop <= maxDrop);
  // without one that keeps the limit, the nearest to it; of equals the one with fewer floats
  const chosen = best ?? [...trials].sort((a, b) => a.drop - b.drop || a.floats - b.floats)[0]!;
  return { reached: best !== undefined, floats: ranking.slice(0, chosen.floats), drop: chosen.drop, trials };
}
