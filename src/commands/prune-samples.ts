import type { Host, Options } from "../cli.js";
import type { LabelledSamples } from "../data/labels.js";
import { describeOutputs, floatShapes, type ModelOutput } from "../distill/outputs.js";
import type { Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import type { PruneData } from "../render/prune-result.js";
import { sampleSettings } from "./sample-options.js";
import { readSamples } from "./samples.js";
import { type Gauge, openGauge } from "./training-measure.js";
import { openSamples } from "./training-samples.js";

/** What a pruning goes by. */
export interface PruneSamples {
  /** Some of those that may be learned from; made up where there are none. */
  readonly looks: LabelledSamples;
  readonly data: PruneData | null;
  /** Holds models against the original on the held-out samples. */
  readonly gauge: Gauge;
  /** Holds models against it on the looks, by its outputs alone. */
  readonly lookGauge: Gauge;
  readonly outputs: readonly ModelOutput[];
}

/** Samples that criteria look at, and those that each trial of a group is judged by. */
const [mostLooks, mostJudges] = [128, 32];

/** Opens the samples of --data, or makes some up. Throws a UserError where shapes are not known. */
export async function openPruneSamples(
  host: Host,
  options: Options,
  model: ModelProto,
  original: Session,
): Promise<PruneSamples> {
  const { inputs, outputs } = original;
  if (options["data"] !== undefined) {
    const { training, heldOut, metric, source, note } = await openSamples(host, options, inputs, outputs);
    const labelled = training.labels !== undefined;
    const described = await outputsOf(model, original, training);
    const looks = firstOf(training, mostLooks);
    return {
      looks,
      data: {
        source,
        samples: training.count + heldOut.count,
        heldOut: heldOut.count,
        labelled,
        notes: [note, ...training.notes],
      },
      gauge: await openGauge(original.run, inputs, heldOut, metric, described),
      lookGauge: await openGauge(original.run, inputs, firstOf(training, mostJudges), undefined, described),
      outputs: described,
    };
  }
  const settings = sampleSettings(options, { count: options["samples"] as number, seed: options["seed"] as number });
  const made = await readSamples(host, undefined, inputs, settings, outputs).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}: pruning must know the sizes that a model works on`);
  });
  const looks: LabelledSamples = { ...made, labels: undefined };
  const described = await outputsOf(model, original, looks);
  const gauge = await openGauge(original.run, inputs, looks, undefined, described);
  return { looks, data: null, gauge, lookGauge: gauge, outputs: described };
}

async function outputsOf(model: ModelProto, { run }: Session, samples: LabelledSamples) {
  return describeOutputs(model, floatShapes(await run(await samples.read(0))), samples.labels);
}

function firstOf(samples: LabelledSamples, count: number): LabelledSamples {
  if (samples.count <= count) return samples;
  return { ...samples, count, labels: samples.labels?.slice(0, count), notes: [] };
}
