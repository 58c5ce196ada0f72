/**
 * Adjusts p-values for testing several hypotheses at once, so that the chance of a single false alarm among them stays
 * below the level (Holm 1979; R's p.adjust(p, "holm")). In the order given.
 */
export function holm(pValues: readonly number[]): readonly number[] {
  const adjusted = new Array<number>(pValues.length);
  const order = pValues.map((_, at) => at).sort((a, b) => pValues[a]! - pValues[b]!);
  let largest = 0;
  order.forEach((at, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * pValues[at]!));
    adjusted[at] = largest;
  });
  return adjusted;
}

/**
 * Cliff's delta: how often a value of `a` is above one of `b`, minus how often it is below, over all pairs of them: -1 to
 * 1, 0 for the same distribution (Cliff 1993). Null where one side is empty. Takes n log n.
 */
export function cliffsDelta(a: readonly number[], b: readonly number[]): number | null {
  if (a.length === 0 || b.length === 0) return null;
  const order = Float64Array.from(b).sort();
  let balance = 0;
  let below = 0;
  let upTo = 0;
  for (const value of Float64Array.from(a).sort()) {
    while (below < order.length && order[below]! < value) below++;
    while (upTo < order.length && order[upTo]! <= value) upTo++;
    balance += below - (order.length - upTo);
  }
  return balance / (a.length * b.length);
}
