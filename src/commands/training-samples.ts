import type { Host, Options } from "../cli.js";
import type { DeclaredInput, SampleSet } from "../data/batch.js";
import type { Label, LabelledSamples } from "../data/labels.js";
import { splitSamples } from "../data/sample-set.js";
import { UserError } from "../errors.js";
import type { Metric } from "../evaluate/metric.js";
import { topOneAccuracy } from "../evaluate/metric.js";
import { readMetric } from "./metric-file.js";
import { sampleSettings } from "./sample-options.js";
import { readLabels, readSamples } from "./samples.js";

/** What training learns from, what it is measured on, and how. */
export interface TrainingSamples {
  readonly training: LabelledSamples;
  readonly heldOut: LabelledSamples;
  /** Of both together. */
  readonly count: number;
  readonly source: string;
  /** How samples were parted, in words. */
  readonly note: string;
  readonly metric: Metric | undefined;
}

/** Share of --data that is held out. */
const usualShare = 0.1;

/**
 * Reads the samples of --data and --held-out-data for a model of these inputs. A single sample is refused where it is to be
 * trained on; otherwise it is measured on, too.
 */
export async function openSamples(
  host: Host,
  options: Options,
  inputs: readonly DeclaredInput[],
  outputs: readonly { readonly name: string }[],
  trains = true,
): Promise<TrainingSamples> {
  const seed = options["seed"] as number;
  const settings = sampleSettings(options, { count: 1, seed });
  const text = (name: string) => options[name] as string | undefined;
  const read = async (data: string, labels: string | undefined) => {
    const samples = await readSamples(host, data, inputs, settings, outputs);
    return { samples, labels: labels === undefined ? undefined : await readLabels(host, labels, samples) };
  };
  const all = await read(text("data")!, text("labels"));
  const given = await readMetric(host, "--metric", text("metric"));
  if (!given && all.labels) refuseTexts(all.labels, all.samples);
  const metric = given ?? (all.labels ? topOneAccuracy : undefined);
  const heldOutData = text("heldOutData");
  if (heldOutData !== undefined) {
    const other = await read(heldOutData, text("heldOutLabels"));
    return {
      training: labelled(all.samples, all.labels),
      heldOut: labelled(other.samples, other.labels),
      count: all.samples.count + other.samples.count,
      source: all.samples.source,
      note: `measured on ${other.samples.count} samples of ${other.samples.source}`,
      metric,
    };
  }
  const { count } = all.samples;
  if (count < 2 && trains) {
    throw new UserError(`--data ${text("data")}: holds one sample; training needs more, some of them to measure on`);
  }
  const share = (options["heldOut"] as number | undefined) ?? usualShare;
  const { calibration: training, heldOut } = splitSamples(all.samples, seed, 1 - share);
  const labelsOf = (indices: readonly number[]) => all.labels && indices.map((at) => all.labels![at]!);
  return {
    training: labelled(training, labelsOf(training.indices)),
    heldOut: labelled(heldOut, labelsOf(heldOut.indices)),
    count,
    source: all.samples.source,
    note:
      count === 1
        ? "1 sample, looked at and measured on"
        : `${training.count} of ${count} samples to learn from, ${heldOut.count} held out, parted with seed ${seed}`,
    metric,
  };
}

/** Classes are wanted: where one label of a file is no number all are read as texts, and that one is to be named. */
function refuseTexts(labels: readonly Label[], samples: SampleSet): void {
  const at = labels.findIndex((label) => typeof label === "string" && !/^\s*\d+\s*$/.test(label));
  if (at < 0) return;
  throw new UserError(
    `--labels: ${samples.nameOf(at)} has the text ${JSON.stringify(labels[at])}; class numbers are wanted (a --metric file can score texts)`,
  );
}

function labelled(samples: SampleSet, labels: readonly Label[] | undefined): LabelledSamples {
  const { expected } = samples;
  return {
    count: samples.count,
    source: samples.source,
    synthetic: samples.synthetic,
    get notes() {
      return samples.notes;
    },
    read: (at) => samples.read(at),
    nameOf: (at) => samples.nameOf(at),
    ...(expected ? { expected } : {}),
    labels,
  };
}
