import type { ModelProto } from "../formats/onnx.js";
import type { DamageMeter } from "./damage.js";
import { withoutParts } from "./edit.js";

/** Something that can be left out. */
export interface Droppable {
  readonly start: string;
  readonly end: string;
  readonly parameters: number;
}

/** One that was chosen, with the damage of all chosen so far. */
export interface Dropped<T> {
  readonly unit: T;
  readonly damage: number;
}

/** How many of the best candidates of the round before are measured again. */
const measuredAgain = 5;

/**
 * Leaves out one unit after the other, each time the one that does the least damage (with `perParameter` for what it
 * saves), until `enough`; undefined where that is never reached or the damage passes `limit`. What single units do is
 * in `alone`.
 */
export async function chooseDrops<T extends Droppable>(
  model: ModelProto,
  units: readonly T[],
  meter: DamageMeter,
  how: {
    readonly perParameter: boolean;
    readonly limit?: number;
    enough(dropped: readonly Dropped<T>[], smaller: ModelProto): boolean;
    onMeasure?(): void;
  },
): Promise<{ readonly dropped: readonly Dropped<T>[] | undefined; readonly alone: ReadonlyMap<T, number> }> {
  const alone = new Map<T, number>();
  const dropped: Dropped<T>[] = [];
  let scores = new Map<T, number>();
  const measure = async (unit: T) => {
    const smaller = withoutParts(model, [...dropped.map((one) => one.unit), unit]);
    const damage = await meter.measure(smaller);
    how.onMeasure?.();
    return { unit, damage, smaller, score: how.perParameter ? damage / Math.max(1, unit.parameters) : damage };
  };
  while (scores.size > 0 || dropped.length === 0) {
    const first = dropped.length === 0;
    const candidates = first ? units : [...scores.keys()].sort((a, b) => scores.get(a)! - scores.get(b)!);
    let best: Awaited<ReturnType<typeof measure>> | undefined;
    const next = new Map(scores);
    for (const unit of first ? candidates : candidates.slice(0, measuredAgain)) {
      const found = await measure(unit);
      next.set(unit, found.score);
      if (first) alone.set(unit, found.damage);
      if (!best || found.score < best.score) best = found;
    }
    if (!best || best.damage > (how.limit ?? Number.POSITIVE_INFINITY)) break;
    next.delete(best.unit);
    scores = next;
    dropped.push({ unit: best.unit, damage: best.damage });
    if (how.enough(dropped, best.smaller)) return { dropped, alone };
  }
  return { dropped: undefined, alone };
}
