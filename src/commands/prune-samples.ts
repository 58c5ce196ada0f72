import type { Host, Options } from "../cli.js";
import type { Batch, DeclaredInput, SampleSet } from "../data/batch.js";
import type { LabelledSamples } from "../data/labels.js";
import { describeOutputs, floatShapes, type ModelOutput } from "../distill/outputs.js";
import { openSession, type Session } from "../engine/session.js";
import { RunError, UserError } from "../errors.js";
import type { Metric } from "../evaluate/metric.js";
import { encodeModel, type ModelProto, type ReadExternal } from "../formats/onnx.js";
import { graphsIn } from "../graph/node.js";
import { viewModel } from "../graph/scope.js";
import { feedsForBranches } from "../prune/branches.js";
import type { Removed } from "../prune/plan.js";
import type { PruneData } from "../render/prune-result.js";
import { emptyPlacesOf, type Subject } from "./prune-subject.js";
import { sampleSettings } from "./sample-options.js";
import { readSamples } from "./samples.js";
import { type Gauge, openGauge } from "./training-measure.js";
import { openSamples } from "./training-samples.js";

/** What a pruning goes by. What runs the original is made when it is first asked for. */
export interface PruneSamples {
  /** Some of those that may be learned from; made up where there are none. */
  readonly looks: LabelledSamples;
  readonly data: PruneData | null;
  /** Holds models against the original on the held-out samples. */
  gauge(): Promise<Gauge>;
  /** Holds models against it on the looks, by its outputs alone. */
  lookGauge(): Promise<Gauge>;
  outputs(): Promise<readonly ModelOutput[]>;
}

/** Samples that criteria look at. */
const mostLooks = 128;

/** The first of them, by which trials are judged. */
export const mostJudges = 32;

/** Opens the samples of --data, or makes some up. Throws a UserError where shapes are not known. */
export async function openPruneSamples(
  host: Host,
  options: Options,
  model: ModelProto,
  inputs: readonly DeclaredInput[],
  original: () => Promise<Session>,
  readExternal: ReadExternal,
): Promise<PruneSamples> {
  const names = model.graph!.output;
  const parts = (looks: LabelledSamples, heldOut: LabelledSamples, metric: Metric | undefined) => {
    const outputs = once(async () => {
      const { run } = await original();
      return describeOutputs(model, floatShapes(await run(await looks.read(0))), looks.labels);
    });
    const against = (samples: LabelledSamples, by: Metric | undefined) =>
      once(async () => openGauge((await original()).run, inputs, samples, by, await outputs()));
    return {
      looks,
      outputs,
      gauge: against(heldOut, metric),
      lookGauge: against(firstOf(looks, mostJudges), undefined),
    };
  };
  if (options["data"] !== undefined) {
    const { training, heldOut, metric, count, source, note } = await openSamples(
      ...([host, options, inputs, names, options["distill"] === true] as const),
    );
    const data = {
      ...{ source, samples: count, heldOut: heldOut.count },
      ...{ labelled: training.labels !== undefined, notes: [note, ...training.notes] },
    };
    return { data, ...parts(firstOf(training, mostLooks), heldOut, metric) };
  }
  const settings = sampleSettings(options, { count: options["samples"] as number, seed: options["seed"] as number });
  const made = await readSamples(host, undefined, inputs, settings, names).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    const open = error.message.includes("has dynamic axes");
    throw open ? new UserError(`${error.message}: pruning must know the sizes that a model works on`) : error;
  });
  const looks: LabelledSamples = {
    ...(await onBranchThatRuns(made, model, original, readExternal)),
    labels: undefined,
  };
  return { data: null, ...parts(looks, looks, undefined) };
}

/**
 * Made-up samples that a model can be run on: where it cannot, for a number of no meaning chose a branch that wants other
 * sizes, all have the number of a branch that takes these.
 */
async function onBranchThatRuns(
  made: SampleSet,
  model: ModelProto,
  original: () => Promise<Session>,
  readExternal: ReadExternal,
): Promise<SampleSet> {
  if (!model.graph!.node.some((node) => graphsIn(node).length > 0)) return made;
  const first = await made.read(0);
  try {
    await (await original()).run(first);
    return made;
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
  }
  const [, ...others] = await feedsForBranches(model, viewModel(model), [first], readExternal);
  const fits = (batch: Batch) => [...batch].every(([name, { shape }]) => `${shape}` === `${first.get(name)!.shape}`);
  const chosen = [...(others.find(fits) ?? [])].filter(([name, tensor]) => tensor !== first.get(name));
  return { ...made, read: async (at) => new Map([...(await made.read(at)), ...chosen]) };
}

/** The first of the looks; of a model with branches several, which may take others than it. */
export async function firstSamples({ looks }: PruneSamples, { graph }: ModelProto): Promise<readonly Batch[]> {
  const count = graph!.node.some((node) => graphsIn(node).length > 0) ? Math.min(looks.count, mostJudges) : 1;
  const samples: Batch[] = [];
  for (let at = 0; at < count; at++) samples.push(await looks.read(at));
  return samples;
}

/** What a model without these channels loses on the looks, by its outputs alone. */
export async function damageOn(
  lookGauge: PruneSamples["lookGauge"],
  { structure, empty }: Pick<Subject, "structure" | "empty">,
  removed: Removed,
  model: ModelProto,
): Promise<number> {
  const gauge = await lookGauge();
  const session = await openSession(encodeModel(model, structure.readExternal));
  try {
    return (await gauge.evaluate(session.run, [...empty, ...emptyPlacesOf(structure, removed)])).drop.value;
  } finally {
    await session.close();
  }
}

/** Makes something when it is first asked for. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function firstOf(samples: LabelledSamples, count: number): LabelledSamples {
  if (samples.count <= count) return samples;
  return { ...samples, count, labels: samples.labels?.slice(0, count), notes: [] };
}
