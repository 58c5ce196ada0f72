import type { ModelProto } from "../formats/onnx.js";
import type { DamageMeter } from "./damage.js";
import { type RankBasis, withRanks } from "./low-rank.js";
import { rankParameters } from "./thick-weights.js";

/** A rank for a weight, and what it costs when it alone is changed. */
export interface RankOption {
  readonly basis: RankBasis;
  readonly rank: number;
  /** Parameters saved. */
  readonly saved: number;
  readonly damage: number;
}

/** Shares of a weight's parameters that are tried. */
const shares = [0.75, 0.5, 0.35, 0.25, 0.15] as const;
/** Kernels work on so many channels at a time. */
const channels = 8;

/** What each rank of each weight does to the outputs. */
export async function rankOptions(
  model: ModelProto,
  bases: readonly RankBasis[],
  meter: DamageMeter,
  onDone: (done: number, total: number) => void = () => {},
): Promise<readonly (readonly RankOption[])[]> {
  const options: RankOption[][] = [];
  for (const basis of bases) {
    const { weight } = basis;
    const full = weight.parameters / (weight.out + weight.inner);
    const ranks = new Set(shares.map((share) => Math.max(channels, Math.round((share * full) / channels) * channels)));
    const found: RankOption[] = [];
    for (const rank of ranks) {
      const saved = weight.parameters - rankParameters(weight, rank);
      if (saved <= 0 || rank > basis.size) continue;
      found.push({ basis, rank, saved, damage: await meter.measure(withRanks(model, [{ basis, rank }])) });
    }
    options.push(found);
    onDone(options.length, bases.length);
  }
  return options;
}

/**
 * The ranks that save so many parameters at the least damage, taking damages to add up: each weight has the option that is
 * best at one price of a parameter (Lagrange), which is searched for. Undefined where all together save too little.
 */
export function chooseRanks(
  options: readonly (readonly RankOption[])[],
  wanted: number,
): readonly RankOption[] | undefined {
  const chosenAt = (price: number) =>
    options.flatMap((list) => {
      let best: RankOption | undefined;
      for (const one of list) {
        const gain = price * one.saved - one.damage;
        if (gain > (best ? price * best.saved - best.damage : 0)) best = one;
      }
      return best ? [best] : [];
    });
  const saves = (list: readonly RankOption[]) => list.reduce((sum, { saved }) => sum + saved, 0);
  let [low, high] = [0, 1e-12];
  while (saves(chosenAt(high)) < wanted) {
    high *= 4;
    if (high > 1e12) return undefined;
  }
  for (let round = 0; round < 80; round++) {
    const middle = (low + high) / 2;
    if (saves(chosenAt(middle)) < wanted) low = middle;
    else high = middle;
  }
  return withoutSurplus(chosenAt(high), saves, wanted);
}

/** One price steps over the target: options that are not needed for it are taken back, the most damaging first. */
function withoutSurplus(
  chosen: readonly RankOption[],
  saves: (list: readonly RankOption[]) => number,
  wanted: number,
): readonly RankOption[] {
  let kept = chosen;
  for (const one of chosen.toSorted((a, b) => b.damage - a.damage)) {
    const rest = kept.filter((other) => other !== one);
    if (saves(rest) >= wanted) kept = rest;
  }
  return kept;
}
