import type { ModelProto } from "../formats/onnx.js";
import type { DamageMeter } from "./damage.js";
import { type RankBasis, withRanks } from "./low-rank.js";
import { extraTime, isSmall } from "./product-time.js";
import { rankParameters } from "./thick-weights.js";

/** A rank for a weight, and what it costs when it alone is changed. */
export interface RankOption {
  readonly basis: RankBasis;
  readonly rank: number;
  /** Parameters saved. */
  readonly saved: number;
  readonly damage: number;
  /** What a sample takes longer, as operations; below 0 where it is faster. An estimate. */
  readonly time: number;
}

/** The share of a weight's parameters at which its damage is measured. */
const measuredShare = 0.5;
/** Kernels work on so many channels at a time. */
const channels = 8;

/**
 * What each rank of each weight does to the outputs. One rank of a weight is measured; the damage of others is as much
 * more or less as the power is that they leave out of the product.
 */
export async function rankOptions(
  model: ModelProto,
  bases: readonly RankBasis[],
  meter: DamageMeter,
  onDone: (done: number, total: number) => void = () => {},
): Promise<readonly (readonly RankOption[])[]> {
  const options: RankOption[][] = [];
  for (const basis of bases) {
    const { weight, size } = basis;
    const full = weight.parameters / (weight.out + weight.inner);
    const ranks: number[] = [];
    for (let rank = channels; rank < full && rank <= size; rank += channels) ranks.push(rank);
    const lost = lostPower(basis.power);
    const middle = ranks.find((rank) => rank >= measuredShare * full) ?? ranks.at(-1);
    const damage = middle && (await meter.measure(withRanks(model, [{ basis, rank: middle }])));
    options.push(
      ranks.map((rank) => ({
        ...{ basis, rank, saved: weight.parameters - rankParameters(weight, rank) },
        time: extraTime(weight, rank, basis.positions),
        damage: rank === middle ? damage! : (damage! * (lost[rank]! + least)) / (lost[middle!]! + least),
      })),
    );
    onDone(options.length, bases.length);
  }
  return options;
}

/** A share of power that is none: rounding. */
const least = 1e-9;

/** The power that the first r directions leave out, for each r. */
function lostPower(power: Float64Array): Float64Array {
  const lost = new Float64Array(power.length + 1);
  for (let r = power.length - 1; r >= 0; r--) lost[r] = lost[r + 1]! + power[r]!;
  return lost;
}

const sumOf = (list: readonly RankOption[], of: "saved" | "time") => list.reduce((sum, one) => sum + one[of], 0);

/**
 * The ranks that save so many parameters at the least damage, taking damages to add up. Two products may take longer than
 * the whole one, though they have fewer elements: such a split is only made where a call more is hardly noticed and others
 * make up for it, or where the parameters cannot be saved otherwise. Undefined where all together save too little.
 */
export function chooseRanks(
  options: readonly (readonly RankOption[])[],
  wanted: number,
): readonly RankOption[] | undefined {
  const only = (allowed: (one: RankOption) => boolean) =>
    cheapest(
      options.map((list) => list.filter(allowed)),
      wanted,
    );
  const chosen = only(({ time, basis }) => time < 0 || isSmall(basis.weight, basis.positions));
  if (chosen && sumOf(chosen, "time") < 0) return chosen;
  return only(({ time }) => time < 0) ?? only(() => true);
}

/** Each weight has the option that is best at one price of a parameter (Lagrange), which is searched for. */
function cheapest(options: readonly (readonly RankOption[])[], wanted: number): readonly RankOption[] | undefined {
  const chosenAt = (price: number) =>
    options.flatMap((list) => {
      let best: RankOption | undefined;
      for (const one of list) {
        const gain = price * one.saved - one.damage;
        if (gain > (best ? price * best.saved - best.damage : 0)) best = one;
      }
      return best ? [best] : [];
    });
  const saves = (list: readonly RankOption[]) => sumOf(list, "saved");
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
