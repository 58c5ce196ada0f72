import { openSession } from "../engine/session.js";
import { encodeModel, type ModelProto, type ReadExternal } from "../formats/onnx.js";
import type { StoreBytes } from "../graph/stored.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Moments, Samples } from "./activations.js";
import { createCostModel } from "./costs.js";
import { compensateMeans } from "./lost-means.js";
import type { Removed } from "./plan.js";
import { countStages, reestimate } from "./re-estimate.js";
import type { Structure } from "./structure.js";

export interface CompensateSettings {
  readonly samples: Samples;
  readonly store?: StoreBytes | undefined;
  readonly threads?: number;
  /** Called as re-estimating goes on. */
  onProgress?(done: number, total: number): void;
}

/** FLOPs that re-estimating may take: about a minute or two of one core. More samples than that allows are not read. */
const mostFlops = 3e12;
const mostSamples = 16;

/**
 * Makes up for removed channels without training: with their means alone, or by bringing the mean and spread of every layer
 * back as well, whichever leaves less noise in the outputs on the samples; neither where both leave more. Large models get
 * the means alone. The same for the same samples, whatever the machine.
 *
 * `moments` are those of the model before; `pruned` is a slice of it and stays as it is.
 */
export async function compensate(
  structure: Structure,
  removed: Removed,
  moments: Moments,
  pruned: ModelProto,
  { samples, store, threads = 1, onProgress }: CompensateSettings,
): Promise<{ readonly model: ModelProto; readonly notes: readonly string[] }> {
  const means = compensateMeans(structure, removed, moments, pruned, store);
  const candidates = [
    { model: pruned, words: "nothing that biases or scales make up for: they stay as they are" },
    {
      model: means.model,
      words: `biases of ${means.biases} layers hold the mean of what is gone${means.scales > 0 ? `, scales of ${means.scales} normalisations are mended` : ""}`,
    },
  ];
  const stages = countStages(structure, pruned);
  const flops = (createCostModel(structure).whole.flops * stages) / 2;
  const count = Math.min(samples.count, mostSamples, Math.floor(mostFlops / Math.max(1, flops)));
  const few: Samples = { count, read: (at) => samples.read(at) };
  if (count > 0) {
    const settings = { threads, ...(onProgress ? { onProgress } : {}) };
    const { model, layers } = await reestimate(structure, removed, means.model, few, store, settings);
    candidates.push({ model, words: `mean and spread of ${layers} layers were brought back to what they were` });
  }
  let best: { readonly noise: number; readonly at: number } | undefined;
  for (const [at, { model }] of candidates.entries()) {
    const noise = await outputNoise(structure.model, model, samples, structure.readExternal, threads);
    if (!best || noise < best.noise) best = { noise, at };
  }
  const chosen = candidates[best!.at]!;
  return { model: chosen.model, notes: [chosen.words] };
}

/** Mean over the floating-point outputs of noise over signal; Infinity where something is no number. */
async function outputNoise(
  model: ModelProto,
  changed: ModelProto,
  samples: Samples,
  readExternal: ReadExternal,
  threads: number,
): Promise<number> {
  const sums = new Map<string, { noise: number; signal: number }>();
  const [before, after] = [
    await openSession(encodeModel(model, readExternal), { threads }),
    await openSession(encodeModel(changed, readExternal), { threads }),
  ];
  try {
    for (let sample = 0; sample < Math.min(samples.count, mostSamples); sample++) {
      const feeds = await samples.read(sample);
      const [wanted, found] = [await before.run(feeds), await after.run(feeds)];
      for (const [name, tensor] of wanted) {
        if (!tensor.dtype.startsWith("float")) continue;
        const [a, b] = [numbersOf(tensor), numbersOf(found.get(name)!)];
        const sum = sums.get(name) ?? { noise: 0, signal: 0 };
        sums.set(name, sum);
        for (let at = 0; at < a.length; at++) {
          sum.noise += (a[at]! - b[at]!) ** 2;
          sum.signal += a[at]! ** 2;
        }
      }
    }
  } finally {
    await before.close();
    await after.close();
  }
  const shares = [...sums.values()].map(({ noise, signal }) => (signal > 0 ? noise / signal : noise));
  const mean = shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  return Number.isFinite(mean) ? mean : Number.POSITIVE_INFINITY;
}
