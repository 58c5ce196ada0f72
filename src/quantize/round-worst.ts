import type { SampleSet } from "../data/batch.js";
import type { ModelProto } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import { adaRound } from "./adaround.js";
import type { OpenProbe } from "./calibrate.js";
import type { PlannedTensor, QuantizationPlan } from "./plan.js";
import { type ProductLayout, productLayout } from "./product-layout.js";
import type { WeightPlan } from "./scheme.js";
import { type MomentCollector, type SecondMoments, startMoments } from "./second-moments.js";
import { type Site, siteKey, sitesOf } from "./sites.js";
import type { Weights } from "./weights.js";

/** What rounding a weight anew did to its node's output, on the calibration's inputs: noise power over signal power. */
export interface RoundedSite {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  /** Share of the elements that are not rounded to nearest. */
  readonly moved: number;
  /** Whether there was time for all of it. */
  readonly finished: boolean;
}

/** What it may cost. */
export interface RoundSettings {
  /** How many weights, the worst first. */
  readonly count: number;
  readonly hasTime?: () => boolean;
  readonly onStep?: (done: number, total: number) => void | Promise<void>;
}

/** Second moments of one pass over the samples take no more numbers than this: 256 MB. */
const maxNumbers = 32e6;
/** Matrices of more than 2048 rows are not gathered. */
const maxMatrix = 2048 ** 2;

/** Rows of its input that a weight is rounded for: many more than it has unknowns in one output. */
const rowsFor = (size: number) => Math.max(4096, 8 * size);

interface Target {
  readonly site: Site;
  readonly plan: PlannedTensor & WeightPlan;
  readonly layout: ProductLayout;
}

/**
 * Rounds the weights of a plan anew that bring most noise into their nodes' outputs (`noise` by site key), see
 * adaround.ts, and puts them into `weights`. The inputs of their nodes come from runs of the model on the samples, which
 * are streamed. Weights of the main graph's Conv, MatMul and Gemm only.
 */
export async function roundWorst(
  model: ModelProto,
  { tensors }: QuantizationPlan,
  weights: Weights,
  noise: ReadonlyMap<string, number>,
  open: OpenProbe,
  samples: Pick<SampleSet, "count" | "read">,
  { count, hasTime = () => true, onStep = () => {} }: RoundSettings,
): Promise<readonly RoundedSite[]> {
  const planned = new Map(tensors.map((tensor) => [siteKey(tensor.graph, tensor.name), tensor]));
  const targets = sitesOf(viewModel(model))
    .flatMap((site): Target[] => {
      const plan = planned.get(siteKey(site.scope.path, site.info.name));
      const layout = plan?.form ? layoutOf(site, plan as PlannedTensor & WeightPlan) : undefined;
      return layout ? [{ site, plan: plan as Target["plan"], layout }] : [];
    })
    .sort((a, b) => noiseOf(b) - noiseOf(a))
    .slice(0, count);
  const results: RoundedSite[] = [];
  for (const batch of batches(targets)) {
    if (!hasTime()) break;
    const moments = await gather(batch, open, samples);
    for (const [at, { site, plan, layout }] of batch.entries()) {
      const nearest = hasTime() ? await weights.quantized(site, plan) : null;
      if (!nearest) continue;
      const source = weights.source(site, plan);
      const { weight, moved, ...rest } = await adaRound(source, nearest, layout, moments[at]!, hasTime);
      weights.put(site, plan, weight);
      results.push({ name: site.info.name, moved: moved / site.info.elements, ...rest });
      await onStep(results.length, targets.length);
    }
  }
  return results;

  function noiseOf({ site }: Target): number {
    return noise.get(siteKey(site.scope.path, site.info.name)) ?? 0;
  }
}

/** The layout that all uses of a weight agree on; undefined where it cannot be rounded for its outputs. */
function layoutOf({ info, uses, weightUses, view }: Site, plan: WeightPlan): ProductLayout | undefined {
  const shape = plan.transpose ? [...info.shape].reverse() : info.shape;
  const layouts = weightUses.map((use) => (use.scope === view.root ? productLayout(use, plan, shape) : undefined));
  const [layout] = layouts;
  const agree = layouts.every((other) => JSON.stringify(other) === JSON.stringify(layout));
  if (!layout || !agree || weightUses.length < uses.length) return undefined;
  return numbersIn(layout) <= maxMatrix ? layout : undefined;
}

function numbersIn({ inputs, kernel, groups }: ProductLayout): number {
  return groups * (inputs * kernel) ** 2;
}

/** As many at a time as fit in memory together. */
function batches(targets: readonly Target[]): readonly (readonly Target[])[] {
  const found: Target[][] = [];
  let numbers = Number.POSITIVE_INFINITY;
  for (const target of targets) {
    const own = numbersIn(target.layout);
    if (numbers + own > maxNumbers) {
      found.push([]);
      numbers = 0;
    }
    found.at(-1)!.push(target);
    numbers += own;
  }
  return found;
}

async function gather(
  targets: readonly Target[],
  open: OpenProbe,
  samples: Pick<SampleSet, "count" | "read">,
): Promise<readonly SecondMoments[]> {
  const collectors = targets.map(({ layout, site }): MomentCollector => startMoments(layout, site.info.shape.slice(2)));
  const first = await samples.read(0);
  const values = targets.flatMap(({ site }) => site.weightUses.map(({ node }) => node.input[0]!));
  const inner = [...new Set(values)].filter((name) => !first.has(name));
  const probe = inner.length > 0 ? await open(inner) : undefined;
  try {
    for (let at = 0; at < samples.count; at++) {
      const batch = at === 0 ? first : await samples.read(at);
      const found = await probe?.run(batch);
      for (const [index, { site, layout }] of targets.entries()) {
        const rows = Math.ceil(rowsFor(layout.inputs * layout.kernel) / samples.count / site.weightUses.length);
        for (const use of site.weightUses) {
          const value = use.node.input[0]!;
          collectors[index]!.add(use, (batch.get(value) ?? found?.get(value))!, rows);
        }
      }
    }
  } finally {
    await probe?.close();
  }
  return collectors.map((collector) => collector.moments());
}
