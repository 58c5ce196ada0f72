import { basename } from "node:path";
import type { Host, Options } from "../cli.js";
import type { Batch } from "../data/batch.js";
import type { Session } from "../engine/session.js";
import type { EmptyPlaces } from "../evaluate/empty-places.js";
import type { ModelProto } from "../formats/onnx.js";
import { declaredInputs } from "../graph/declared-inputs.js";
import type {
  PrunePlanResult,
  PruneResult,
  PruneSettings,
  PruneVerification,
  Recovery,
  Sparsity,
  Stage,
} from "../render/prune-result.js";
import type { DistillResult } from "../render/training-result.js";
import { describeFile } from "./compress-describe.js";
import type { Staging } from "./files.js";
import { type ModelFile, readModelFile } from "./model-files.js";
import { withProgress } from "./progress.js";
import { applyPlan } from "./prune-apply.js";
import { describePruned, type PrunedModel } from "./prune-describe.js";
import { exactnessOf } from "./prune-exactness.js";
import { dropLayers } from "./prune-layers.js";
import { pruneSettings } from "./prune-options.js";
import { type Planned, planPruning } from "./prune-plan.js";
import { type QuantizedStage, quantizePruned } from "./prune-quantize.js";
import { openRecoverer } from "./prune-recover.js";
import { firstSamples, openPruneSamples } from "./prune-samples.js";
import { originalStage, type Scale, type Weighed, weigh } from "./prune-stages.js";
import { emptyPlacesOf, openSubject } from "./prune-subject.js";
import { advice, apartWords, idleWords, unmatchedNames } from "./prune-warnings.js";
import type { Scratch } from "./scratch.js";
import { fileOf } from "./training-describe.js";
import { modelBytes, writeModelFile } from "./write-model.js";

/** Where a pruning takes place. */
export interface Place {
  readonly source: ModelFile;
  readonly staging: Staging;
  readonly scratch: Scratch;
  /** The original, loaded when it is first asked for. */
  readonly original: () => Promise<Session>;
  readonly output: string;
  /** Of the data file beside the output. */
  readonly dataName: string | null;
  readonly isPlan: boolean;
}

/** What came of it. */
export type Done =
  | { readonly kind: "plan"; readonly result: PrunePlanResult }
  | { readonly kind: "stopped" }
  | {
      readonly kind: "result";
      readonly result: PruneResult;
      readonly files: readonly string[];
      /** Whether the files may be published. */
      readonly isWanted: boolean;
      /** Drops what was kept to go on from. */
      close(): void;
    };

/** Larger models are not run a second time with zeros, for the memory that would take. */
const largestExact = 1e9;

/** From this size on new weights wait in a file. */
const largeBytes = 1 << 26;

/**
 * Prunes a model in one or several rounds, each followed by recovery where that is asked for, then quantizes what came of
 * it. Files are left in the staging folder.
 */
export async function pruneModel(host: Host, options: Options, place: Place): Promise<Done> {
  const { source, staging, scratch, original, output } = place;
  const { readExternal } = scratch;
  const settings = pruneSettings(options, options["data"] !== undefined);
  const whole = await fileOf(source);
  const inputs = declaredInputs(source.model);
  const samples = await openPruneSamples(host, options, source.model, inputs, original, readExternal);
  const seen = await firstSamples(samples, source.model);
  const [sample] = seen as [Batch];
  const scale: Scale = { samples, original, options, verifies: options["verify"] !== false };
  const quantizes = options["int8"] === true || options["int4"] === true;
  let recovers = options["distill"] === true;
  const last = settings.steps - 1;
  const nameOf = (round: number, stage: "pruned" | "recovered") => {
    const isFinal = round === last && !quantizes && (stage === "recovered" || !recovers);
    return isFinal ? basename(output) : `${stage}-${round + 1}.onnx`;
  };
  const recoverer = recovers ? openRecoverer(host, options, source.path, output, staging, settings.steps) : undefined;
  const dropped = await withProgress(host, "measuring layers", "trials", (update) =>
    dropLayers(options, { ...source, readExternal }, samples, update),
  );
  const before = dropped
    ? (await openSubject({ path: source.path, model: dropped.whole, readExternal }, options, seen)).costs.whole
    : undefined;
  const common = { settings, samples, sample, dropped, before, whole };
  const store = source.bytes > largeBytes ? scratch.put : undefined;
  const rounds: PrunedModel[] = [];
  const recoveries: DistillResult[] = [];
  const warnings: string[] = [];
  const notes: string[] = [];
  let sparsity: Sparsity | null = null;
  let damage: string | null = null;
  let empty: readonly EmptyPlaces[] = [];
  let model: ModelProto = dropped?.model ?? source.model;
  let exactness: PruneVerification["exactness"] = null;
  let pruned: Weighed | undefined;
  let final: Weighed | undefined;
  let current: { readonly name: string; readonly files: readonly string[] } = { name: "", files: [] };
  for (const [round, ratio] of ratiosOf(settings).entries()) {
    const startedMs = performance.now();
    const subject = await openSubject({ path: source.path, model, readExternal }, options, seen, empty);
    const planned = await planPruning(host, options, subject, { ...settings, ratio }, samples, original);
    const latest = { subject, planned };
    empty = [...empty, ...emptyPlacesOf(subject.structure, planned.selection.removed)];
    if (recovers && isUntouched(options, planned) && !dropped) {
      recovers = false;
      warnings.push("without effect: --distill: no channel went, so there is nothing to recover");
    }
    if (planned.curves.length > 0) damage = (await samples.lookGauge()).measure.name;
    if (round === 0) warnings.push(...unmatchedNames(settings, planned.selection), ...idleWords(planned.idle));
    warnings.push(...apartWords(planned.apart, settings.steps));
    rounds.push(latest);
    const made = await applyPlan(host, options, subject, planned, samples, { store, isLast: round === last });
    const shared = { ...common, first: rounds[0]!, latest, sparsity: made.sparsity, damage, empty };
    if (place.isPlan) {
      const after = modelBytes(made.model, null);
      const result = describePruned(host, place, { ...shared, after, notes: made.notes, warnings });
      return { kind: "plan", result: { schema: "deepseek/prune-plan@1", ...result } };
    }
    notes.push(...made.notes);
    sparsity = made.sparsity;
    if (scale.verifies && source.bytes <= largestExact) {
      const { structure } = subject;
      exactness = await exactnessOf(structure, planned.selection.removed, made.sliced, readExternal, structure.feeds);
    }
    const name = nameOf(round, "pruned");
    const dataName = place.dataName === null ? null : `${name}.data`;
    const written = writeModelFile(staging.pathOf(name), made.model, dataName, readExternal, { label: output });
    current = { name, files: written.files };
    const { parameters, flops } = planned.selection.after;
    pruned = await weigh(scale, staging.pathOf(name), empty, {
      ...{ stage: "pruned", parameters, bytes: written.bytes, flops },
      seconds: (performance.now() - startedMs) / 1000,
    });
    final = pruned;
    if (!recoverer || !recovers) continue;
    const recovered = await recoverer.recover(round, name, nameOf(round, "recovered"), empty);
    if (!recovered) return { kind: "stopped" };
    recoveries.push(recovered.result);
    warnings.push(...recovered.result.warnings);
    current = { name: nameOf(round, "recovered"), files: recovered.files };
    final = await weigh(scale, staging.pathOf(current.name), empty, {
      ...{ stage: "recovered", parameters, bytes: recovered.result.output.bytes, flops },
      seconds: recovered.result.training.seconds,
    });
    if (round < last) model = readModelFile(host, staging.pathOf(current.name)).model;
  }
  const latest = rounds.at(-1)!;
  const described = describePruned(host, place, {
    ...{ ...common, first: rounds[0]!, latest, damage, sparsity, empty, notes },
    after: pruned!.stage.bytes,
    warnings: [],
  });
  const stages: Stage[] = [
    await originalStage(scale, {
      ...{ parameters: described.parameters.before, flops: described.flops.before },
      ...{ bytes: source.bytes, seconds: null },
    }),
    pruned!.stage,
    ...(final === pruned ? [] : [final!.stage]),
  ];
  let quantized: QuantizedStage | undefined;
  if (quantizes) {
    const startedMs = performance.now();
    quantized = await quantizePruned(host, options, staging, current.name, output, place.dataName);
    current = { name: basename(output), files: quantized.files };
    warnings.push(...quantized.warnings);
    final = await weigh(scale, staging.pathOf(current.name), empty, {
      ...{
        stage: "quantized",
        parameters: pruned!.stage.parameters,
        bytes: quantized.bytes,
        flops: pruned!.stage.flops,
      },
      seconds: (performance.now() - startedMs) / 1000,
    });
    stages.push(final.stage);
  }
  if (latest.planned.selection.removed.size > 0) warnings.push(...advice(samples.data !== null, recovers, pruned!));
  const most = options["maxDrop"] as number | undefined;
  const tooMuch = most !== undefined && (final!.drop?.value ?? 0) > most;
  const missed = final!.broken || tooMuch || quantized?.missed === true;
  // what took long to train is kept, whatever it lost
  const isWanted = !missed || (recovers && quantized?.missed !== true);
  const files = await Promise.all(current.files.map((name) => describeFile(name, staging.pathOf(name), undefined)));
  return {
    kind: "result",
    files: current.files,
    isWanted,
    close: () => recoverer?.close(),
    result: {
      schema: "deepseek/prune@1",
      ...described,
      warnings: [...new Set(warnings)],
      latency: latest.planned.latency,
      verification: { exactness, agreement: pruned!.agreement, drop: pruned!.drop, speed: pruned!.stage.speed },
      stages,
      metric: scale.verifies ? (await samples.gauge()).metric : null,
      recovery: recoveryOf(recoveries),
      quantization: quantized?.summary ?? null,
      output: { path: output, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), files },
      kept: final!.stage.stage,
      written: isWanted,
      missed,
    },
  };
}

/** Whether the file as it was prepared was fast enough, and nothing else is done to its weights. */
function isUntouched(options: Options, { latency, selection }: Planned): boolean {
  return latency !== null && selection.removed.size === 0 && options["sparsity"] === undefined;
}

function ratiosOf({ ratio, steps }: PruneSettings): readonly number[] {
  if (steps === 1) return [ratio];
  // each round takes the same share of what is left
  return Array.from({ length: steps }, () => 1 - (1 - ratio) ** (1 / steps));
}

function recoveryOf(results: readonly DistillResult[]): Recovery | null {
  const [first] = results;
  if (!first) return null;
  const { settings, losses } = first;
  return { words: "the original as teacher", settings, losses, courses: results.map(({ training }) => training) };
}
