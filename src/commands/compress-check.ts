import type { Host, Options } from "../cli.js";
import type { Batch, SampleSet } from "../data/batch.js";
import type { Label } from "../data/labels.js";
import { UserError } from "../errors.js";
import type { Run, RunAt } from "../evaluate/agreement.js";
import type { Metric } from "../evaluate/metric.js";
import { absolute } from "./files.js";
import { readMetric } from "./metric-file.js";
import type { ModelFile } from "./model-files.js";

/** What a compressed model is held against: the original, loaded, and samples. */
export interface Check {
  readonly original: {
    /** Remembers outputs on the held-out samples, while they are few. */
    readonly run: RunAt;
    /** Runs it really. */
    readonly runAgain: Run;
  };
  /** Which samples are for what, in words. */
  readonly note: string;
  readonly synthetic: boolean;
  /** For calibration and rankings. */
  readonly calibration: SampleSet;
  /** For the verdict; the same as for calibration where there is one sample only. */
  readonly heldOut: SampleSet;
  readonly first: Batch;
  /** Labels are those of the held-out samples. */
  readonly measure: { readonly metric: Metric; readonly labels: readonly (Label | undefined)[] } | undefined;
  /** Outputs that are states of a recurrent model: numbers, however much like classes they look. */
  readonly states: ReadonlySet<string>;
  close(): Promise<void>;
}

/** Outputs of the original that are kept for later candidates, in bytes. */
const maxRemembered = 256e6;

/**
 * Opens the original, gets the samples and tries one. Without --data and --shape the sizes may be unknowable: then the
 * reason is returned, and nothing can be checked, while a wrong --data or --shape is an error.
 */
export async function openCheck(host: Host, source: ModelFile, options: Options): Promise<Check | string> {
  refuseTooLarge(source);
  const { openSession } = await import("../engine/session.js");
  const { rememberOutputs } = await import("../evaluate/drop.js");
  const { topOneAccuracy } = await import("../evaluate/metric.js");
  const { sampleSettings } = await import("./sample-options.js");
  const { readLabels, readSamples } = await import("./samples.js");
  const { splitSamples } = await import("../data/sample-set.js");
  const { stateOutputs } = await import("../graph/recurrent-ends.js");
  const data = options["data"] as string | undefined;
  const settings = sampleSettings(options, {
    count: options["samples"] as number,
    seed: options["seed"] as number,
  });
  const original = await openSession(absolute(host, source.path)).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}; without a check against it: --no-verify`);
  });
  try {
    const samples = await readSamples(host, data, original.inputs, settings, original.outputs);
    const labelled = options["labels"] as string | undefined;
    const labels = labelled === undefined ? undefined : await readLabels(host, labelled, samples);
    const metric = await readMetric(host, "--metric", options["metric"] as string | undefined);
    const first = await samples.read(0);
    const outputs = await original.run(first).catch(async (error: Error) => {
      const remedy = "random inputs do not suit every model: give --data with real ones, or --no-verify";
      if (samples.synthetic) throw new UserError(`${error.message}; ${remedy}`);
      const { namedFailure } = await import("./sample-failures.js");
      throw await namedFailure(error, [{ name: source.path, run: original.run }], {
        training: samples,
        heldOut: samples,
      });
    });
    const stated = await samples.expected?.(0);
    if (stated) await warnOfOther(host, samples.nameOf(0), stated, outputs);
    const { calibration, heldOut, note } = splitSamples(samples, options["seed"] as number);
    const measured = labels === undefined ? metric : (metric ?? topOneAccuracy);
    return {
      original: { run: rememberOutputs(original.run, maxRemembered), runAgain: original.run },
      note,
      synthetic: samples.synthetic,
      calibration,
      heldOut,
      first,
      measure: measured && { metric: measured, labels: heldOut.indices.map((at) => labels?.[at]) },
      states: stateOutputs(source.model),
      close: original.close,
    };
  } catch (error) {
    await original.close();
    if (!(error instanceof UserError) || data !== undefined || settings.shapes.size > 0) throw error;
    return error.message;
  }
}

/** As large as one file may be that protobuf, and with it every runtime, reads. */
const maxFileBytes = 2 ** 31 - 1;

/** Says before any work that the runtime will not open the original. */
export function refuseTooLarge({ path, fileBytes }: Pick<ModelFile, "path" | "fileBytes">): void {
  if (fileBytes <= maxFileBytes) return;
  throw new UserError(
    `${path}: has ${fileBytes} bytes, and onnxruntime opens no single file of 2 GiB, so that nothing can be checked against it; --no-verify makes the result without a check, or keep the weights in external data`,
  );
}

/** Says where test data hold outputs that are not the model's: then they, or their inputs, belong to another one. */
async function warnOfOther(host: Host, name: string, stated: Batch, outputs: Batch): Promise<void> {
  const { compareOutputs, disagreement, listed } = await import("../evaluate/agreement.js");
  const agreement = await compareOutputs(
    async () => stated,
    async () => outputs,
    listed([new Map()]),
  );
  const difference = disagreement(agreement);
  if (!difference) return;
  const { warn } = await import("./output.js");
  await warn(host, `${name}: states other outputs than the model gives: ${difference}; is it test data of this model?`);
}
