import type { Host, Options } from "../cli.js";
import type { Batch } from "../data/batch.js";
import { UserError } from "../errors.js";
import { listed, type Run, type RunAt } from "../evaluate/agreement.js";
import type { ReadableSamples } from "../evaluate/drop.js";
import type { Label, Metric } from "../evaluate/metric.js";
import { absolute } from "./files.js";
import type { ModelFile } from "./model-files.js";

/** What a compressed model is held against: the original, loaded, and samples. */
export interface Check {
  readonly original: {
    /** Remembers outputs on the held-out samples, while they are few. */
    readonly run: RunAt;
    /** Runs it really. */
    readonly runAgain: Run;
  };
  /** In words. */
  readonly source: string;
  readonly synthetic: boolean;
  /** For calibration and rankings. */
  readonly calibration: ReadableSamples;
  /** For the verdict; the same as for calibration where there is one sample only. */
  readonly heldOut: ReadableSamples;
  readonly first: Batch;
  /** Labels are those of the held-out samples. */
  readonly measure: { readonly metric: Metric; readonly labels: readonly Label[] } | undefined;
  close(): Promise<void>;
}

/** Outputs of the original that are kept for later candidates, in bytes. */
const maxRemembered = 256e6;

/**
 * Opens the original, gets the samples and tries one. Without --data and --shape the sizes may be unknowable: then the
 * reason is returned, and nothing can be checked, while a wrong --data or --shape is an error.
 */
export async function openCheck(host: Host, source: ModelFile, options: Options): Promise<Check | string> {
  const { openSession } = await import("../engine/session.js");
  const { rememberOutputs } = await import("../evaluate/drop.js");
  const { parseShapeOptions } = await import("../data/shapes.js");
  const { readSamples } = await import("./samples.js");
  const data = options["data"] as string | undefined;
  const shapes = parseShapeOptions((options["shape"] as readonly string[] | undefined) ?? []);
  const original = await openSession(absolute(host, source.path)).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}; without a check against it: --no-verify`);
  });
  try {
    const samples = await readSamples(host, data, original.inputs, {
      shapes,
      count: options["samples"] as number,
      seed: options["seed"] as number,
    });
    const first = samples.batches[0]!;
    await original.run(first).catch((error: Error) => {
      const remedy = "random inputs do not suit every model: give --data with real ones, or --no-verify";
      throw samples.synthetic ? new UserError(`${error.message}; ${remedy}`) : error;
    });
    const all = listed(samples.batches);
    return {
      original: { run: rememberOutputs(original.run, maxRemembered), runAgain: original.run },
      source: samples.source,
      synthetic: samples.synthetic,
      calibration: all,
      heldOut: all,
      first,
      measure: undefined,
      close: original.close,
    };
  } catch (error) {
    await original.close();
    if (!(error instanceof UserError) || data !== undefined || shapes.size > 0) throw error;
    return error.message;
  }
}
