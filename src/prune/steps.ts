import type { GoneShare } from "./group-costs.js";

/** One group goes from one of its levels to the next. */
export interface Step {
  readonly group: number;
  /** The level that is reached. */
  readonly level: number;
  /** Steps are taken from the smallest on; in a group they never get smaller. */
  readonly key: number;
}

/** Less than this part of what is lacking is not worth taking to fill it: it would take many steps, each with its damage. */
const worthwhile = 1 / 8;

/** From this distance to the target on, all that comes nearer is taken. */
const far = 0.02;

/** How often steps are tried in place of each other. */
const rounds = 4;

/** How many steps on both sides of the target are tried in place of each other. */
const nearby = 16;

/** The level of each group; or that all steps, or the smallest first one, are no answer. */
export type Taken =
  | { readonly kind: "taken"; readonly levels: readonly number[] }
  | { readonly kind: "too-much"; readonly most: number }
  | { readonly kind: "nothing"; readonly least: number };

/**
 * Takes steps in their order until `ratio` of the cost is gone, as nearly as can be: all that stay below it, then those
 * that still fit, then others in place of the last ones. `levels` tells how many channels of each group go at each level; a share of
 * `tolerance` beside the target is near enough to leave the order as it is.
 */
export function takeSteps(
  steps: readonly Step[],
  levels: readonly (readonly number[])[],
  gone: GoneShare,
  ratio: number,
  tolerance: number,
): Taken {
  const removed = new Float64Array(levels.length);
  const reached = new Array<number>(levels.length).fill(0);
  const put: Put = (group, level) => {
    reached[group] = level;
    removed[group] = levels[group]![level]!;
  };
  const distance = () => Math.abs(gone(removed) - ratio);
  const goTo = (count: number): number => {
    reached.fill(0);
    removed.fill(0);
    for (let at = 0; at < count; at++) put(steps[at]!.group, steps[at]!.level);
    return gone(removed);
  };
  const most = goTo(steps.length);
  if (most < ratio - tolerance) return { kind: "too-much", most };
  let [below, above] = [0, steps.length + 1];
  while (above - below > 1) {
    const middle = (below + above) >> 1;
    if (goTo(middle) <= ratio) below = middle;
    else above = middle;
  }
  const start = goTo(below);
  const on = steps.slice(below);
  fill(on, reached, put, distance, tolerance, worthwhile);
  for (let round = 0; round < rounds && distance() > tolerance; round++) {
    if (!exchange(steps, reached, put, distance)) break;
  }
  if (distance() > far) fill(on, reached, put, distance, tolerance, 0);
  if (reached.some((level) => level > 0)) return { kind: "taken", levels: reached };
  const first = steps.filter(({ level }) => level === 1);
  return {
    kind: "nothing",
    least: first.reduce((least, { group }) => {
      put(group, 1);
      const share = gone(removed) - start;
      put(group, 0);
      return Math.min(least, share);
    }, 1),
  };
}

/** Puts a group on a level. */
type Put = (group: number, level: number) => void;

/** Takes what comes nearer to the target by more than a part of what is lacking, in order. */
function fill(
  steps: readonly Step[],
  reached: readonly number[],
  put: Put,
  distance: () => number,
  tolerance: number,
  part: number,
): void {
  const blocked = new Set<number>();
  let best = distance();
  for (const { group, level } of steps) {
    if (best <= tolerance) return;
    if (blocked.has(group) || reached[group] !== level - 1) continue;
    put(group, level);
    const here = distance();
    if (here < (1 - part) * best) best = here;
    else {
      put(group, level - 1);
      blocked.add(group);
    }
  }
}

/** Gives back one of the last steps, takes one of the next, or both, if that comes nearer to the target; whether it does. */
function exchange(steps: readonly Step[], reached: readonly number[], put: Put, distance: () => number): boolean {
  let best = distance();
  const isTop = ({ group, level }: Step) => reached[group] === level;
  const isNext = ({ group, level }: Step) => reached[group] === level - 1;
  const back = steps.filter(isTop).slice(-nearby).reverse();
  const on = steps.filter(isNext).slice(0, nearby);
  let found: readonly (Step | undefined)[] = [];
  for (const last of [undefined, ...back]) {
    if (last) put(last.group, last.level - 1);
    for (const next of [undefined, ...on]) {
      if (next && next.group === last?.group) continue;
      if (next) put(next.group, next.level);
      const here = distance();
      if (here < best) [best, found] = [here, [last, next]];
      if (next) put(next.group, next.level - 1);
    }
    if (last) put(last.group, last.level);
  }
  const [last, next] = found;
  if (!last && !next) return false;
  if (last) put(last.group, last.level - 1);
  if (next) put(next.group, next.level);
  return true;
}
