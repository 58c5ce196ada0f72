import type { Batch, SampleSet } from "../data/batch.js";
import { RunError, UserError } from "../errors.js";
import type { Run } from "../evaluate/agreement.js";

/** A model as it is, and what it is called in errors. */
export interface NamedRun {
  readonly name: string;
  readonly run: Run;
}

/** Samples that a model was run on. */
export interface SetsOfSamples {
  readonly training: Pick<SampleSet, "count" | "read" | "nameOf">;
  readonly heldOut: Pick<SampleSet, "count" | "read" | "nameOf">;
}

/**
 * A failure of running a model in terms of the user's: the first sample that one of these models cannot be run on alone,
 * and why. Batches, probes and graphs of training have no names that would mean something. Other errors stay as they are.
 */
export async function namedFailure(
  error: unknown,
  models: readonly NamedRun[],
  samples: SetsOfSamples | undefined,
): Promise<unknown> {
  const root = error instanceof UserError && error.cause instanceof RunError ? error.cause : error;
  if (!samples || !(root instanceof RunError)) return error;
  for (const set of [samples.training, samples.heldOut]) {
    for (let at = 0; at < set.count; at++) {
      const feeds = await set.read(at);
      for (const { name, run } of models) {
        const reason = await failureOf(run, feeds);
        if (reason === undefined) continue;
        const words = `${set.nameOf(at)}: ${name} cannot be run on it: ${reasonWords(reason, feeds)}`;
        return new UserError((error as UserError).message.replace(root.message, () => words));
      }
    }
  }
  return error;
}

async function failureOf(run: Run, feeds: Batch): Promise<string | undefined> {
  try {
    await run(feeds);
    return undefined;
  } catch (error) {
    if (error instanceof RunError) return error.reason;
    throw error;
  }
}

/** How onnxruntime tells of a number that is looked up and is not there. */
const beyond =
  /running (\w+) node\. Name:'([^']*)'.*idx=(-?\d+) must be within the inclusive range \[(-?\d+),(-?\d+)\]/;

function reasonWords(reason: string, feeds: Batch): string {
  const [, operator, node, index, low, high] = beyond.exec(reason) ?? [];
  const holding = [...feeds].filter(
    ([, { dtype, data }]) => /int/.test(dtype) && (data as Int32Array).some((one) => String(one) === index),
  );
  if (index === undefined || holding.length === 0) return reason;
  const [input] = holding.map(([name]) => `"${name}"`);
  return `input ${input} holds ${index}, and node ${node} (${operator}) has ${low} to ${high}; correct the sample, or leave it out`;
}
