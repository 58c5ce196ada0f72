import { percent } from "../percent.js";
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

/** One load on one target. */
interface Step {
  readonly load: number;
  readonly point: number;
  readonly throughput: number;
  /** Why the load is too much, where errors or the SLO say so. */
  readonly broken: string | null;
}

/** Where a target is saturated, as far as is known. */
interface End {
  readonly step: Step;
  readonly why: string;
  /** The loads between which it lies. */
  readonly between: { readonly low: number; readonly high: number } | null;
}

/**
 * Looks for saturation. The load doubles until every target is saturated: twice the load brings less than `growth`, or
 * errors or the SLO break. Then it is halved in between (on a logarithmic scale), for whichever target is least sure: a
 * target's saturation is the smallest load with which it does about as much as it ever does. All targets get the same
 * loads. Where this process is the limit, the sweep ends: higher loads would measure it.
 */
export function* sweep(settings: SweepSettings): Sweep {
  const { start, most, bisections } = settings;
  const targets = new Map<string, Step[]>();
  let point = 0;
  let ended: string | null = null;

  function* measure(load: number): Generator<LoadPoint, void, readonly SweepMeasure[]> {
    const measured = yield withLoad(start, load);
    for (const one of measured) {
      const steps = targets.get(one.target) ?? [];
      targets.set(one.target, steps);
      if (one.limited === null) {
        steps.push({ load, point, throughput: one.throughput, broken: brokenBy(one, load, settings) });
        steps.sort((a, b) => a.load - b.load);
      } else {
        ended ??= `this program is the limit at ${pointName(withLoad(start, load))}: ${one.limited}`;
      }
    }
    point++;
  }
  const ends = () => [...targets.values()].map((steps) => endOf(steps, settings));

  for (let load = loadOf(start); load <= most && ended === null; load *= 2) {
    yield* measure(load);
    if (ends().every((end) => end !== null)) break;
  }
  for (let left = bisections; left > 0 && ended === null; left--) {
    const middles = ends().flatMap((end) => {
      if (end?.between == null) return [];
      const { low, high } = end.between;
      const middle = Math.sqrt(low * high);
      const load = start.kind === "closed" ? Math.round(middle) : Number(middle.toPrecision(3));
      return load > low && load < high ? [{ load, ratio: high / low }] : [];
    });
    const next = middles.sort((a, b) => b.ratio - a.ratio)[0];
    if (next === undefined) break;
    yield* measure(next.load);
  }
  return [...targets].map(([target, steps]) => {
    const end = endOf(steps, settings);
    const why = ended ?? `not saturated at ${pointName(withLoad(start, most))}, the most that was to be tried`;
    return { target, point: (end?.step ?? steps.at(-1))?.point ?? 0, why: end?.why ?? why };
  });
}

/** Where a target is saturated, by the loads it has had, in ascending order; null if it is not yet. */
function endOf(steps: readonly Step[], settings: SweepSettings): End | null {
  const broken = steps.findIndex((step) => step.broken !== null);
  const sound = broken === -1 ? steps : steps.slice(0, broken);
  const bad = steps[broken];
  const last = sound.at(-1);
  if (last === undefined) return bad === undefined ? null : { step: bad, why: bad.broken!, between: null };
  const best = sound.reduce((most, step) => Math.max(most, step.throughput), 0);
  const at = sound.findIndex(({ throughput }) => throughput * (1 + settings.growth) > best);
  const knee = sound[at];
  if (knee !== undefined && last.load >= 2 * knee.load) {
    const beyond = sound.slice(at + 1).reduce((most, step) => (step.throughput > most.throughput ? step : most));
    const below = sound[at - 1];
    const between = below === undefined ? null : { low: below.load, high: knee.load };
    return { step: knee, why: growthOf(knee, beyond, settings), between };
  }
  return bad === undefined ? null : { step: last, why: bad.broken!, between: { low: last.load, high: bad.load } };
}

function growthOf(from: Step, to: Step, { start }: SweepSettings): string {
  const change = to.throughput / from.throughput - 1;
  const words = change < 0 ? `${percent(-change)} less` : `only ${percent(change)} more`;
  return `${pointName(withLoad(start, to.load))} bring ${words} than ${pointName(withLoad(start, from.load))}`;
}

function brokenBy({ errorRate, goodShare }: SweepMeasure, load: number, settings: SweepSettings): string | null {
  const at = pointName(withLoad(settings.start, load));
  if (errorRate > settings.mostErrors) return `${percent(errorRate)} of requests fail at ${at}`;
  if (goodShare === null || goodShare >= settings.leastGood) return null;
  return `only ${percent(goodShare)} of requests meet the SLO at ${at}`;
}

/** What grows in a sweep: users, or requests per second. */
export function loadOf(point: LoadPoint): number {
  return point.kind === "closed" ? point.concurrency : point.rate;
}

function withLoad(point: LoadPoint, load: number): LoadPoint {
  return point.kind === "closed" ? { ...point, concurrency: load } : { ...point, rate: load };
}
