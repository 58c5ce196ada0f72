import type { LoadPoint } from "./record.js";

/** Loads that both runs were measured under: index in the old, index in the new. */
export function matchedPoints(
  old: readonly LoadPoint[],
  current: readonly LoadPoint[],
): readonly (readonly [number, number])[] {
  const keys = old.map(keyOf);
  return current.flatMap((point, at) => {
    const from = keys.indexOf(keyOf(point));
    return from < 0 ? [] : [[from, at] as const];
  });
}

function keyOf(point: LoadPoint): string {
  return point.kind === "closed"
    ? `closed ${point.concurrency}`
    : `open ${point.rate} ${point.arrival} ${point.burstiness} ${point.maxConcurrency}`;
}
