import { studentAbove } from "./student.js";

/** Beyond so many values with ties the normal distribution stands in: the exact one takes the cube of their number. */
const mostTied = 50;
/** Distributions by number of values: every metric of a benchmark asks for the same. */
const known = new Map<number, Float64Array>();

/** P(sum of the ranks with a positive sign = t) for n values without ties, t from 0 to n (n + 1) / 2. */
export function rankSums(n: number): Float64Array {
  const found = known.get(n);
  if (found) return found;
  const chance = sums(Array.from({ length: n }, (_, at) => at + 1));
  known.set(n, chance);
  return chance;
}

/** chance[t]: probability that those ranks with a positive sign sum to t, by adding one rank at a time. */
function sums(ranks: readonly number[]): Float64Array {
  const total = ranks.reduce((sum, rank) => sum + rank, 0);
  const chance = new Float64Array(total + 1);
  chance[0] = 1;
  let most = 0;
  for (const rank of ranks) {
    most += rank;
    for (let t = most; t >= rank; t--) chance[t] = (chance[t]! + chance[t - rank]!) / 2;
    for (let t = rank - 1; t >= 0; t--) chance[t]! /= 2;
  }
  return chance;
}

/**
 * Two-sided p-value of Wilcoxon's signed-rank test that values are symmetric around `centre`, exact for any number of
 * values, with ties up to 50: the distribution of the sum of the ranks (midranks for ties) over all ways to choose signs, that
 * is the sign-flip permutation test of the ranks. Values equal to the centre are left out (Wilcoxon's own way). 1 where
 * nothing is left. As SciPy's wilcoxon(x, method="exact") where there are no ties, and as its permutation over all signs
 * where there are.
 */
export function signedRankPValue(values: readonly number[], centre = 0): number {
  const { below, above } = tails(values, centre);
  return Math.min(1, 2 * Math.min(below, above));
}

/** One-sided: small where the values lie above the centre (SciPy: alternative="greater"). */
export function signedRankAbove(values: readonly number[], centre: number): number {
  return tails(values, centre).above;
}

/** Probabilities of a rank sum as small as the one found or smaller, and as large or larger. */
function tails(values: readonly number[], centre: number): { readonly below: number; readonly above: number } {
  const differences = values.map((value) => value - centre).filter((difference) => difference !== 0);
  const doubled = doubledMidranks(differences.map(Math.abs));
  const positive = doubled.reduce((sum, rank, at) => sum + (differences[at]! > 0 ? rank : 0), 0);
  if (new Set(doubled).size === doubled.length) return tailsOf(rankSums(doubled.length), positive / 2);
  if (doubled.length <= mostTied) return tailsOf(sums(doubled), positive);
  const mean = doubled.reduce((sum, rank) => sum + rank, 0) / 2;
  const deviation = Math.sqrt(doubled.reduce((sum, rank) => sum + rank ** 2, 0)) / 2;
  return {
    below: studentAbove((mean - positive) / deviation, 1e6),
    above: studentAbove((positive - mean) / deviation, 1e6),
  };
}

function tailsOf(chance: Float64Array, positive: number): { readonly below: number; readonly above: number } {
  let below = 0;
  let above = 0;
  for (let t = 0; t < chance.length; t++) {
    if (t <= positive) below += chance[t]!;
    if (t >= positive) above += chance[t]!;
  }
  return { below: Math.min(1, below), above: Math.min(1, above) };
}

/** Twice the rank of each magnitude, ties sharing the mean of theirs: whole numbers. */
function doubledMidranks(magnitudes: readonly number[]): readonly number[] {
  const order = magnitudes.map((_, at) => at).sort((a, b) => magnitudes[a]! - magnitudes[b]!);
  const ranks = new Array<number>(magnitudes.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && magnitudes[order[end]!] === magnitudes[order[start]!]) end++;
    for (let at = start; at < end; at++) ranks[order[at]!] = start + 1 + end;
    start = end;
  }
  return ranks;
}
