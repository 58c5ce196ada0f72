import { pointName } from "./points.js";
import type { LoadPoint } from "./record.js";

/** What one target did under one load of a sweep. */
export interface SweepMeasure {
  readonly target: string;
  /** Output tokens per second in the steady windows, or requests per second where tokens are not counted. */
  readonly throughput: number;
  /** Failed of all that count, 0 to 1. */
  readonly errorRate: number;
  /** Requests that met the SLO of all that count, 0 to 1; null without one. */
  readonly goodShare: number | null;
  /** Why this process was the limit; null if it was not. */
  readonly limited: string | null;
}

/** How a sweep goes on. */
export interface SweepSettings {
  /** The first load: its concurrency or rate is what grows. */
  readonly start: LoadPoint;
  /** Users or requests per second at most. */
  readonly most: number;
  /** Below this growth of throughput for twice the load, a target is saturated. */
  readonly growth: number;
  /** Errors and broken SLOs beyond these shares end it as well. */
  readonly mostErrors: number;
  readonly leastGood: number;
  /** Loads between the last good and the first saturated one. */
  readonly bisections: number;
}

/** Doubling until twice the load brings less than 5 %, then three steps in between. */
export const usualSweep: Omit<SweepSettings, "start"> = {
  most: 1024,
  growth: 0.05,
  mostErrors: 0.05,
  leastGood: 0.9,
  bisections: 3,
};

/** Up to where more load brought more. */
export interface Saturation {
  readonly target: string;
  /** Index of the load, in the order in which they were measured. */
  readonly point: number;
  readonly why: string;
}

/** Loads one by one, each after the last has been measured on all targets; ends with where each was saturated. */
export type Sweep = Generator<LoadPoint, readonly Saturation[], readonly SweepMeasure[]>;

/** Between which loads a target saturates. */
interface Bracket {
  good: Step | null;
  bad: Step | null;
  why: string | null;
}

interface Step {
  readonly load: number;
  readonly point: number;
  readonly throughput: number;
}

/**
 * Looks for saturation. The load doubles until every target is saturated: its throughput grows by less than `growth`, or
 * errors or the SLO break. Then it is halved in between (on a logarithmic scale), for whichever target is least sure.
 * All targets get the same loads. Where this process is the limit, the sweep ends: higher loads would measure it.
 */
export function* sweep(settings: SweepSettings): Sweep {
  const { start, most, bisections } = settings;
  const brackets = new Map<string, Bracket>();
  let point = 0;
  let ended: string | null = null;

  function* measure(load: number): Generator<LoadPoint, void, readonly SweepMeasure[]> {
    const measured = yield withLoad(start, load);
    for (const one of measured) {
      const bracket = brackets.get(one.target) ?? { good: null, bad: null, why: null };
      brackets.set(one.target, bracket);
      if (one.limited !== null)
        ended ??= `this program is the limit at ${pointName(withLoad(start, load))}: ${one.limited}`;
      else judge(bracket, { load, point, throughput: one.throughput }, one, settings);
    }
    point++;
  }

  for (let load = loadOf(start); load <= most && ended === null; load *= 2) {
    yield* measure(load);
    if ([...brackets.values()].every(({ bad }) => bad !== null)) break;
  }
  for (let left = bisections; left > 0 && ended === null; left--) {
    const between = [...brackets.values()].flatMap(({ good, bad }) => {
      if (good === null || bad === null) return [];
      const middle = Math.sqrt(good.load * bad.load);
      const load = start.kind === "closed" ? Math.round(middle) : Number(middle.toPrecision(3));
      return load > good.load && load < bad.load ? [{ load, ratio: bad.load / good.load }] : [];
    });
    const next = between.sort((a, b) => b.ratio - a.ratio)[0];
    if (next === undefined) break;
    yield* measure(next.load);
  }
  return [...brackets].map(([target, { good, bad, why }]) => ({
    target,
    point: good?.point ?? bad?.point ?? 0,
    why: why ?? ended ?? `not saturated at ${pointName(withLoad(start, most))}, the most that was to be tried`,
  }));
}

/** Moves one end of a bracket to what was measured. */
function judge(bracket: Bracket, step: Step, measured: SweepMeasure, settings: SweepSettings): void {
  const { good, bad } = bracket;
  // of the other target's concern: below what is known to be good, or above what is known to be bad
  if ((good !== null && step.load <= good.load) || (bad !== null && step.load >= bad.load)) return;
  const why = brokenBy(step, good, measured, settings);
  if (why === null) {
    bracket.good = step;
  } else {
    bracket.bad = step;
    bracket.why = why;
  }
}

function brokenBy(step: Step, good: Step | null, measured: SweepMeasure, settings: SweepSettings): string | null {
  const at = pointName(withLoad(settings.start, step.load));
  const { errorRate, goodShare } = measured;
  if (errorRate > settings.mostErrors) return `${percent(errorRate)} of requests fail at ${at}`;
  if (goodShare !== null && goodShare < settings.leastGood) {
    return `only ${percent(goodShare)} of requests meet the SLO at ${at}`;
  }
  if (good === null) return null;
  // asked of a step as it is of a doubling: twice the load has to bring `growth` more
  const expected = (1 + settings.growth) ** Math.log2(step.load / good.load);
  const growth = step.throughput / good.throughput;
  if (growth >= expected) return null;
  const change = percent(Math.abs(growth - 1));
  return `${at} bring ${growth < 1 ? `${change} less` : `only ${change} more`} than ${pointName(withLoad(settings.start, good.load))}`;
}

/** What grows in a sweep: users, or requests per second. */
export function loadOf(point: LoadPoint): number {
  return point.kind === "closed" ? point.concurrency : point.rate;
}

function withLoad(point: LoadPoint, load: number): LoadPoint {
  return point.kind === "closed" ? { ...point, concurrency: load } : { ...point, rate: load };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
