import type { Host, Options } from "../cli.js";
import type { ModelProto } from "../formats/onnx.js";
import type { StoreBytes } from "../graph/stored.js";
import type { Moments } from "../prune/activations.js";
import { compensateMeans } from "../prune/compensate.js";
import type { Removed } from "../prune/plan.js";
import { reestimate } from "../prune/re-estimate.js";
import { rows } from "../prune/rows/index.js";
import { sliceModel } from "../prune/slice.js";
import { type SparsityPattern, sparsify } from "../prune/sparsity.js";
import { globOf } from "../quantize/choose.js";
import type { Sparsity } from "../render/prune-result.js";
import { formatNumberOf } from "../render/quantities.js";
import { withProgress } from "./progress.js";
import type { Planned } from "./prune-plan.js";
import { damageOn, type PruneSamples } from "./prune-samples.js";
import type { Subject } from "./prune-subject.js";

/** A plan carried out. */
export interface Applied {
  /** Without what was removed, all else as it was. */
  readonly sliced: ModelProto;
  /** Biases and scales made up for it, zeros put in where they were asked for. */
  readonly model: ModelProto;
  readonly sparsity: Sparsity | null;
  readonly notes: readonly string[];
}

/** Carries a plan out, on copies. */
export async function applyPlan(
  host: Host,
  options: Options,
  subject: Subject,
  { selection, moments }: Planned,
  samples: PruneSamples,
  { store, isLast }: { readonly store: StoreBytes | undefined; readonly isLast: boolean },
): Promise<Applied> {
  const { structure } = subject;
  const { removed } = selection;
  const sliced = removed.size > 0 ? sliceModel(structure, removed, rows, store) : structure.model;
  const made =
    samples.data !== null && moments && removed.size > 0 && options["compensate"] !== false
      ? await compensated(host, subject, removed, moments, sliced, samples, selection.after.flops, store)
      : { model: sliced, notes: [] };
  const pattern = options["sparsity"] as SparsityPattern | undefined;
  if (pattern === undefined || !isLast) return { sliced, ...made, sparsity: null };
  const keep = ((options["keep"] as readonly string[] | undefined) ?? []).map(globOf);
  const { model, tensors, elements, zeros } = sparsify(made.model, pattern, keep, structure.readExternal, store);
  const words = pattern.kind === "blocks" ? `${pattern.keep}:${pattern.of}` : "unstructured";
  return { sliced, model, notes: made.notes, sparsity: { pattern: words, zeros: zeros / elements, tensors } };
}

/** Operations that re-estimating may take: about a minute. A limit in time would give other models on other machines. */
const mostOperations = 2e12;
/** Samples that it looks at. */
const mostSamples = 32;

/**
 * What is known beforehand of removed channels is given back, then the mean and spread of every layer are brought to what
 * they were; of the three models that which does the least damage on the samples.
 */
async function compensated(
  host: Host,
  subject: Subject,
  removed: Removed,
  moments: Moments,
  sliced: ModelProto,
  { looks, lookGauge }: PruneSamples,
  flops: number,
  store: StoreBytes | undefined,
): Promise<{ readonly model: ModelProto; readonly notes: readonly string[] }> {
  const { structure } = subject;
  // not those that judge, where there are others
  const count = Math.min(mostSamples, looks.count);
  const first = Math.max(0, Math.min(mostSamples, looks.count - count));
  const fitted = { count, read: (at: number) => looks.read(first + at) };
  const passes = Math.max(1, Math.floor(mostOperations / (flops * count)));
  let passed = 0;
  const means = compensateMeans(structure, removed, moments, sliced, store);
  const spread = await withProgress(host, "bringing means and spreads back", "runs", (onProgress) =>
    reestimate(structure, removed, means.model, fitted, store, { mayGoOn: () => passed++ < passes, onProgress }),
  );
  const found = [
    { model: sliced, notes: [] },
    {
      model: means.model,
      notes: [`the mean of what went became the bias of ${formatNumberOf(means.biases, "layer")}`],
    },
    {
      model: spread.model,
      notes: [`mean and spread of ${formatNumberOf(spread.layers, "layer")} were brought back to the original's`],
    },
  ];
  let best = found[0]!;
  let least = Number.POSITIVE_INFINITY;
  for (const one of found) {
    const damage = await damageOn(lookGauge, subject, removed, one.model);
    if (damage < least) [best, least] = [one, damage];
  }
  return best;
}
