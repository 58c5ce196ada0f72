import type { ModelProto } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import type { StoreBytes } from "../graph/stored.js";
import { type AxisMoments, type MeasureSettings, measureAxes, type Samples, type ValueAxis } from "./activations.js";
import { type AffineLayer, createAffineEditor } from "./affine-layers.js";
import type { Removed } from "./plan.js";
import type { Structure } from "./structure.js";

export interface ReestimateSettings {
  readonly threads?: number;
  /** Asked before each run through the samples; false leaves the layers that are left as they are. */
  mayGoOn?(): boolean;
  onProgress?(done: number, total: number): void;
}

/** Fewer positions tell nothing of a spread. */
const leastPositions = 32;
/** A spread that changed by more than this is not brought back whole. */
const mostScale = 4;

/**
 * Brings the mean and spread of every output channel of convolutions, products and normalisations back to what they were
 * in the model before, one layer behind the other, each measured on the samples with all before it mended. It is what
 * re-estimating the statistics of BatchNormalization does to a pruned network, and does so too where these have gone into
 * the weights before them. `pruned` is a slice of the structure's model and stays as it is.
 */
export async function reestimate(
  structure: Structure,
  removed: Removed,
  pruned: ModelProto,
  samples: Samples,
  store: StoreBytes | undefined,
  settings: ReestimateSettings = {},
): Promise<{ readonly model: ModelProto; readonly layers: number }> {
  const { readExternal, forms, view, axedValue, labels } = structure;
  const sizes = forms.get(view.root)!;
  const ranks = new Map([...sizes].map(([name, { shape }]) => [name, shape.length]));
  const bytes = new Map([...sizes].map(([name, { shape }]) => [name, 4 * shape.reduce((n, size) => n * size, 1)]));
  const measure = (of: ModelProto, axes: readonly ValueAxis[], more: MeasureSettings) =>
    measureAxes(of, axes, { ranks, bytes }, samples, readExternal, { threads: settings.threads ?? 1, ...more });

  const model = cloneModel(pruned);
  const editor = createAffineEditor(model, readExternal, store);
  const placed = editor.layers.flatMap((layer) => {
    const value = axedValue(view.root, layer.output);
    if (!value || !(layer.canShift || layer.canScale)) return [];
    const axis = layer.axis === "last" ? value.shape.length - 1 : 1;
    const own = value.axes[axis];
    const kept = Array.from({ length: value.shape[axis] ?? 0 }, (_, at) => at).filter(
      (at) => !own || !removed.has(labels.find(own[at]!)),
    );
    return kept.length === layer.size ? [{ layer, axis, kept }] : [];
  });
  const stages = stagesOf(
    model,
    placed.map(({ layer }) => layer),
  );
  const total = stages.length + 1;
  if (settings.mayGoOn?.() === false) return { model, layers: 0 };
  const wanted = await measure(
    structure.model,
    placed.map(({ layer, axis }) => ({ value: layer.output, axis })),
    {},
  );
  settings.onProgress?.(1, total);
  let layers = 0;
  for (const [at, stage] of stages.entries()) {
    if (settings.mayGoOn?.() === false) break;
    const own = placed.filter(({ layer }) => stage.has(layer));
    const found = await measure(
      model,
      own.map(({ layer, axis }) => ({ value: layer.output, axis })),
      {},
    );
    for (const { layer, axis, kept } of own) {
      const [before, now] = [wanted.of(layer.output, axis), found.of(layer.output, axis)];
      if (!before || !now) continue;
      const { scale, shift } = correction(layer, before, now, kept);
      editor.change(layer, scale, shift);
      layers += 1;
    }
    settings.onProgress?.(at + 2, total);
  }
  return { model, layers };
}

/** What brings the moments of now to those of before. */
function correction(layer: AffineLayer, before: AxisMoments, now: AxisMoments, kept: readonly number[]) {
  const scaled = layer.canScale && before.positions >= leastPositions;
  const scale = Float64Array.from(kept, (from, at) => {
    const [a, b] = layer.canShift
      ? [before.variance[from]!, now.variance[at]!]
      : [before.meanSquare[from]!, now.meanSquare[at]!];
    const factor = Math.sqrt(a / b);
    return scaled && a > 0 && Number.isFinite(factor) ? Math.min(mostScale, factor) : 1;
  });
  const shift = Float64Array.from(kept, (from, at) => before.mean[from]! - scale[at]! * now.mean[at]!);
  return { scale: scaled ? scale : undefined, shift: layer.canShift ? shift : undefined };
}

/** Layers by how many others lie before them on the longest way. */
function stagesOf(model: ModelProto, layers: readonly AffineLayer[]): readonly ReadonlySet<AffineLayer>[] {
  const depths = new Map<string, number>();
  const byOutput = new Map(layers.map((layer) => [layer.output, layer]));
  const stages: Set<AffineLayer>[] = [];
  for (const node of model.graph!.node) {
    const depth = node.input.reduce((most, name) => Math.max(most, depths.get(name) ?? 0), 0);
    for (const name of node.output) {
      const layer = byOutput.get(name);
      if (layer) {
        while (stages.length <= depth) stages.push(new Set());
        stages[depth]!.add(layer);
      }
      depths.set(name, layer ? depth + 1 : depth);
    }
  }
  return stages.filter((stage) => stage.size > 0);
}
