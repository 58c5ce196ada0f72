import type { Host, Options } from "../cli.js";
import type { Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import { type Moments, measureActivations } from "../prune/activations.js";
import { dataScores } from "../prune/data-scores.js";
import { weightScores } from "../prune/importance.js";
import { isEnough, mostTries, searchLatency } from "../prune/latency.js";
import type { Removed } from "../prune/plan.js";
import { rows } from "../prune/rows/index.js";
import { selectChannels } from "../prune/select.js";
import { measureSensitivity } from "../prune/sensitivity.js";
import type { DamageCurve, Limits, Measure, Scores, Selection } from "../prune/settings.js";
import { taylorScores } from "../prune/taylor.js";
import type { LatencySearch, PruneSettings } from "../render/prune-result.js";
import { withProgress } from "./progress.js";
import { dataCriteria, limitsOf } from "./prune-options.js";
import { damageOn, mostJudges, type PruneSamples } from "./prune-samples.js";
import type { Subject } from "./prune-subject.js";
import { nothingOf, openWatch, sliced } from "./prune-watch.js";

/** Which channels go, and how that was found. */
export interface Planned {
  readonly selection: Selection;
  readonly curves: readonly DamageCurve[];
  /** Names of groups that samples say nothing of. */
  readonly idle: readonly string[];
  readonly latency: LatencySearch | null;
  /** What goes and what was asked for lie apart; null where they do not. */
  readonly apart: Apart | null;
  /** What samples showed of the values that sums run over; undefined without samples. */
  readonly moments: Moments | undefined;
  readonly notes: readonly string[];
}

/** Shares of what `by` counts. */
export interface Apart {
  readonly by: Measure;
  readonly asked: number;
  readonly gone: number;
  /** What would go with any width, where that is nearer. */
  readonly finer: number | null;
}

/** Shares further apart than this are told of. */
const farApart = 0.02;

/** Operations that measuring the damage of single groups may take: minutes. A limit in time would give other plans. */
const mostOperations = 6e12;

/** Samples that gradients are taken on where a run is dear, and the FLOPs from which it is. */
const [fewSamples, dearFlops] = [32, 2e8];

/** Decides which channels go. Throws a UserError where the settings cannot be kept. */
export async function planPruning(
  host: Host,
  options: Options,
  subject: Subject,
  settings: PruneSettings,
  samples: PruneSamples,
  original: () => Promise<Session>,
): Promise<Planned> {
  const { structure, groups, costs } = subject;
  const unpruned = { curves: [], idle: [], moments: undefined, notes: [], apart: null };
  if (settings.ratio === 0) {
    return { ...unpruned, selection: nothingOf(subject, "nothing was asked for"), latency: null };
  }
  const watch = settings.by === "latency" ? await openWatch(samples, original) : undefined;
  const prepared = watch && (await watch.prepared(subject));
  if (watch && prepared && isEnough(settings.ratio, prepared.time)) {
    return { ...unpruned, selection: prepared.selection, latency: watch.found(settings.ratio, prepared.selection, []) };
  }
  const { scores, moments, notes } = await scoresOf(host, options, subject, settings, samples);
  const limits = limitsOf(settings);
  const { curves, idle } =
    settings.spread === "sensitivity"
      ? await curvesOf(host, subject, scores, limits, samples)
      : { curves: [], idle: new Set<number>() };
  const shown = curves.map((curve) => (idle.has(curve.group) ? { ...curve, points: [] } : curve));
  const names = groups.groups.flatMap(({ index, name }) => (idle.has(index) ? [name] : []));
  const select = (by: Measure, ratio: number, within = limits): Selection => {
    const { spread } = settings;
    return selectChannels(structure, groups, costs, { by, ratio, spread, scores, curves: shown, limits: within });
  };
  const found = { curves, idle: names, moments, notes };
  if (settings.by !== "latency") {
    const { by, ratio } = settings;
    const selection = select(by, ratio);
    const apart = apartFrom(by, ratio, selection, limits.round, () => select(by, ratio, { ...limits, round: 1 }));
    return { ...found, selection, latency: null, apart };
  }
  const { selection, trace } = await withProgress(host, "measuring time", "trials", (update) =>
    searchLatency({
      ...{ wanted: settings.ratio, prepared: prepared! },
      select: (ratio) => select("flops", ratio),
      async measure(tried, looks) {
        const time = await watch!.measure(subject, tried, looks);
        update(watch!.count() - 1, mostTries);
        return time;
      },
    }),
  );
  const latency = watch!.found(settings.ratio, selection, trace);
  return { ...found, selection, latency, apart: null };
}

/** How far what goes is from what was asked for, and whether other widths would do better. */
function apartFrom(by: Measure, asked: number, selection: Selection, round: number, select: () => Selection) {
  const key = by === "params" ? "parameters" : by;
  const goneOf = ({ before, after }: Selection) => 1 - after[key] / before[key];
  const gone = goneOf(selection);
  if (Math.abs(gone - asked) <= farApart) return null;
  const finer = round > 1 ? goneOf(select()) : gone;
  const isNearer = Math.abs(finer - asked) < Math.abs(gone - asked) - farApart / 4;
  return { by, asked, gone, finer: isNearer ? finer : null };
}

async function scoresOf(
  host: Host,
  options: Options,
  { structure, groups: { groups }, costs }: Subject,
  { criterion, reduction, seed }: PruneSettings,
  { looks, data, outputs }: PruneSamples,
): Promise<{ readonly scores: Scores; readonly moments: Moments | undefined; readonly notes: readonly string[] }> {
  const compensates = options["compensate"] !== false;
  const needsMoments = data !== null && (compensates || (dataCriteria.has(criterion) && criterion !== "taylor"));
  const moments = needsMoments
    ? await withProgress(host, "watching the model on samples", "runs", (onProgress) =>
        measureActivations(structure, looks, { onProgress }),
      )
    : undefined;
  if (criterion === "taylor") {
    const values = await outputs();
    const seen = costs.whole.flops > dearFlops ? { ...looks, count: Math.min(fewSamples, looks.count) } : looks;
    try {
      const scores = await withProgress(host, "following gradients", "runs", (onProgress) =>
        taylorScores(structure, groups, seen, { name: "the model", outputs: values, seed, onProgress }),
      );
      return { scores, moments, notes: [] };
    } catch (error) {
      if (!(error instanceof UserError) || options["criterion"] !== undefined) throw error;
      // the next best that needs no gradients
      const found = moments ?? (await measureActivations(structure, looks));
      const scores = dataScores(structure, groups, found, { criterion: "mean", reduction });
      return { scores, moments, notes: [`judged by activations (mean), for want of gradients: ${error.message}`] };
    }
  }
  if (criterion === "wanda" || criterion === "flap" || criterion === "mean") {
    return { scores: dataScores(structure, groups, moments!, { criterion, reduction }), moments, notes: [] };
  }
  return { ...weightScores(structure, groups, { criterion, reduction, seed }), moments };
}

/**
 * What each group alone does to the outputs when some of it goes; `idle` are groups that no sample runs through (a branch
 * for other inputs, say): without all but one of their channels nothing changes either, so that samples say nothing of which may go.
 */
async function curvesOf(
  host: Host,
  subject: Subject,
  scores: Scores,
  limits: Limits,
  { looks, lookGauge }: PruneSamples,
): Promise<{ readonly curves: readonly DamageCurve[]; readonly idle: ReadonlySet<number> }> {
  const {
    structure,
    groups: { groups },
    costs,
  } = subject;
  const tries = Math.floor(mostOperations / (costs.whole.flops * Math.min(mostJudges, looks.count)));
  let tried = 0;
  const damageOf = (model: ModelProto, removed: Removed) => damageOn(lookGauge, subject, removed, model);
  return withProgress(host, "measuring each group alone", "trials", async (update) => {
    const curves = await measureSensitivity(structure, groups, scores, rows, damageOf, {
      limits,
      mayGoOn: () => tried++ < Math.max(tries, groups.length),
      onMeasure: ({ done, total }) => update(done, total),
    });
    const idle = new Set<number>();
    // after a round of recovery the whole is not the original any more
    const whole = await damageOf(structure.model, new Set());
    for (const { group, points } of curves) {
      if (points.some(({ damage }) => damage !== whole)) continue;
      const own = scores[group]!;
      const best = own.indexOf(own.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY));
      const removed = new Set(groups[group]!.channels.flatMap(({ label }, at) => (at === best ? [] : [label])));
      if ((await damageOf(sliced(subject, { removed }), removed)) === whole) idle.add(group);
    }
    return { curves, idle };
  });
}
