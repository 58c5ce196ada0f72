import { UserError } from "../errors.js";
import { OutOfReach } from "./refusals.js";
import type { Selection } from "./settings.js";

/** One selection that was measured. */
interface LatencyTry {
  /** What it was asked for: a share of FLOPs, say. */
  readonly ratio: number;
  /** Time of a run over that of the original. */
  readonly time: number;
}

export interface LatencySearch {
  /** The measured one, or the prepared one, whose time is nearest to what is wanted. */
  readonly selection: Selection;
  readonly ratio: number;
  readonly time: number;
  /** All that was measured, in that order. */
  readonly trace: readonly LatencyTry[];
}

export interface LatencyGoal {
  /** Share of the time that is to go, over 0 and below 1. */
  readonly wanted: number;
  /**
   * The model that nothing is removed of: bringing it into the form that is pruned may have changed its time. It is what
   * comes out where nothing measured is nearer to the goal and it is within 0.05.
   */
  readonly prepared?: { readonly selection: Selection; readonly time: number };
  /** As `selectChannels` does; larger ratios should take less time. */
  select(ratio: number): Selection;
  /**
   * Time of a run over that of the original, which runs beside it, so that a busy machine slows down both; `looks` times
   * as long a look as usual.
   */
  measure(selection: Selection, looks: number): Promise<number>;
}

interface Tried extends LatencyTry {
  readonly selection: Selection;
}

/** A time this near to the goal (a share of the original's) ends the search. */
const closeEnough = 0.01;

/** Whether a model of which nothing is selected is fast enough already; for twice as much, as it costs nothing. */
export function isEnough(wanted: number, prepared: number): boolean {
  return prepared <= 1 - wanted + 2 * closeEnough;
}

/** Measurements that a search takes at most. */
export const mostTries = 8;
/** A second look takes so many times as long. */
const closer = 3;
/** A result further than this from the goal is none. */
const tooFar = 0.05;
/** So many halvings of the ratios between two tries find a width that was not tried, where there is one. */
const halvings = 12;

/**
 * Finds how much must go for the wanted time with few measurements. FLOPs are the first guess; then the ratio where a
 * falling line through all measurements (isotonic regression: noise makes no ups) crosses the wanted time, kept off the
 * ends of the interval that holds it. Ends at a time within 0.01 of it that a second, longer look confirms, when all widths around it
 * are measured, or after 8 looks.
 * Throws a UserError where even the most that the limits allow is too slow by 0.05.
 */
export async function searchLatency({ wanted, prepared, select, measure }: LatencyGoal): Promise<LatencySearch> {
  if (!(wanted > 0 && wanted < 1)) {
    throw new UserError(`--prune ${wanted}: is not a share of the time over 0 and below 1, such as 0.3 or 30%`);
  }
  const goal = 1 - wanted;
  const start = prepared?.time ?? 1;
  const tried: Tried[] = [];
  const measured = new Map<string, number>();
  let most = 0.999;
  let next = Math.max(0.01, (wanted - (1 - start)) / start);
  let taken = 0;
  const look = (selection: Selection, looks: number) => {
    taken++;
    return measure(selection, looks);
  };
  while (taken < mostTries) {
    const chosen = untried(select, next, interval(tried, goal, most), measured);
    if (!chosen) break;
    const { ratio, selection, largest } = chosen;
    most = Math.min(most, largest);
    let time = await look(selection, 1);
    // of several the one that looks right is likely to be one whose noise made it so
    const isRight = Math.abs(time - goal) <= closeEnough;
    if (isRight && taken < mostTries) time = (time + closer * (await look(selection, closer))) / (1 + closer);
    tried.push({ ratio, time, selection });
    measured.set(keyOf(selection), time);
    if (isRight && Math.abs(time - goal) <= 1.5 * closeEnough) break;
    next = crossing(tried, start, goal, most);
  }
  const isNear = prepared && Math.abs(prepared.time - goal) <= tooFar;
  const found = isNear ? [...tried, { ratio: 0, ...prepared }] : tried;
  const best = found.reduce((a, b) => (Math.abs(b.time - goal) < Math.abs(a.time - goal) ? b : a));
  if (best.time - goal > tooFar && found.every(({ time }) => time > goal)) {
    const share = Math.floor(Math.max(0, 1 - best.time) * 100) / 100;
    throw new UserError(
      `--prune ${wanted} --by latency: at most ${share} of the time can go with these limits on this machine`,
    );
  }
  const trace = tried.map(({ ratio, time }) => ({ ratio, time }));
  return { selection: best.selection, ratio: best.ratio, time: best.time, trace };
}

function keyOf({ removed }: Selection): string {
  return [...removed].sort((a, b) => a - b).join();
}

/** The ratios between which the goal lies, by what was measured. */
function interval(tried: readonly LatencyTry[], goal: number, most: number): readonly [number, number] {
  const line = fallingLine(tried);
  const slow = line.findLast(({ time }) => time > goal);
  const fast = line.find(({ time }) => time <= goal);
  return [slow?.ratio ?? 0, fast?.ratio ?? most];
}

/** The selection for a ratio; where it was measured already, one for another ratio of the interval. */
function untried(
  select: (ratio: number) => Selection,
  first: number,
  [low, high]: readonly [number, number],
  measured: ReadonlyMap<string, number>,
): { readonly ratio: number; readonly selection: Selection; readonly largest: number } | undefined {
  let largest = 0.999;
  const selected = (ratio: number) => {
    try {
      return { ratio, selection: select(ratio) };
    } catch (error) {
      if (!(error instanceof OutOfReach)) throw error;
      if (error.nearest < ratio) largest = Math.min(largest, error.nearest);
      return { ratio: error.nearest, selection: select(error.nearest) };
    }
  };
  const spread = Array.from({ length: halvings }, (_, at) => low + ((high - low) * (at + 0.5)) / halvings);
  const others = spread.sort((a, b) => Math.abs(a - first) - Math.abs(b - first));
  for (const ratio of [first, ...others, high]) {
    const found = selected(ratio);
    if (!measured.has(keyOf(found.selection))) return { ...found, largest };
  }
  return undefined;
}

/** Measurements by ratio, from the original's on, their times made to fall: neighbours that rise share their mean. */
function fallingLine(tried: readonly LatencyTry[]): readonly LatencyTry[] {
  const sorted = [...tried].sort((a, b) => a.ratio - b.ratio);
  const pools: { times: number; ratios: number[] }[] = [];
  const mean = (pool: { times: number; ratios: number[] }) => pool.times / pool.ratios.length;
  for (const { ratio, time } of sorted) {
    let pool = { times: time, ratios: [ratio] };
    for (let last = pools.at(-1); last && mean(last) <= mean(pool); last = pools.at(-1)) {
      pools.pop();
      pool = { times: last.times + pool.times, ratios: [...last.ratios, ...pool.ratios] };
    }
    pools.push(pool);
  }
  return pools.flatMap((pool) => pool.ratios.map((ratio) => ({ ratio, time: mean(pool) })));
}

/** Where the falling line crosses the goal; beyond it in the direction of its last part. */
function crossing(tried: readonly LatencyTry[], start: number, goal: number, most: number): number {
  const line = [{ ratio: 0, time: start }, ...fallingLine(tried)];
  const slow = line.findLast(({ time, ratio }) => time > goal || ratio === 0)!;
  const fast = line.find(({ time, ratio }) => time <= goal && ratio > slow.ratio);
  if (!fast) {
    // no faster one yet: on from the start through the last, but not all the way
    const gained = start - slow.time;
    const guess = gained > 0 ? (slow.ratio * (start - goal)) / gained : most;
    return guess >= most ? most : Math.min(guess, slow.ratio + 0.6 * (most - slow.ratio));
  }
  const width = fast.ratio - slow.ratio;
  const part = (slow.time - goal) / (slow.time - fast.time);
  return slow.ratio + width * Math.min(0.9, Math.max(0.1, part));
}
