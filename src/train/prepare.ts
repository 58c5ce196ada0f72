import { UserError } from "../errors.js";
import { type ModelProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import { allNodes } from "../graph/calls.js";
import { cloneModel } from "../graph/clone.js";
import { toFloat32 } from "../graph/float32.js";
import { freshNames } from "../graph/names.js";
import { floatAttribute, intAttribute, isStandard, removeAttributes } from "../graph/node.js";
import { normalise } from "../graph/normalise/index.js";
import { raiseOpset } from "../graph/opset.js";
import { batchStatisticsOf } from "./decompose/batch-normalization.js";
import type { Parameter, ParameterKind } from "./graph.js";
import { hoistInitializers } from "./hoist.js";
import { chooseParameters } from "./parameters.js";

export { bindShapes } from "./bind.js";
export { writeBack } from "./write-back.js";

export interface PrepareSettings {
  /** What the model is called in errors. */
  readonly name: string;
  /** Initializers that stay as they are, by patterns over their names. */
  readonly frozen: readonly RegExp[];
  /** BatchNormalization with its stored statistics, or with those of the batch (which update the stored ones). */
  readonly batchNorm: "frozen" | "train";
  /** What trains, where that is known beforehand: then the model is taken as it is, without being normalised. */
  readonly kinds?: ReadonlyMap<string, ParameterKind>;
}

/** A BatchNormalization that takes the statistics of the batch, and what is to be done with them after each step. */
export interface RunningStatistics {
  /** The parameters (of kind "statistic") that hold the running ones. */
  readonly mean: string;
  readonly variance: string;
  /** The values of a bound graph that hold the batch's, [C]. */
  readonly batchMean: string;
  readonly batchVariance: string;
  /** running = momentum * running + (1 - momentum) * batch. */
  readonly momentum: number;
}

/**
 * A model whose weights can be trained: a copy in the form that gradients need, and its parameters. Whoever wants more of
 * it (fake quantization) edits `copy` and adds to `parameters`: each is an initializer of the copy.
 */
export interface TrainableModel {
  /** What the model is called in errors. */
  readonly name: string;
  /** The copy: opset 21 (or the model's, where that is later), float32; If nodes are still in it. Parameters are still initializers of its main graph, under their names. */
  readonly copy: ModelProto;
  /** The tensors that train, by name; data are updated in place. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** What was decomposed or fixed, in words. */
  readonly notes: readonly string[];
  /** The model in its own opset and types, normalised: where `writeBack` finds every parameter by name. */
  readonly base: ModelProto;
  /** Running statistics that the batches move; empty where BatchNormalization is frozen. */
  readonly statistics: readonly RunningStatistics[];
  /** Gives what the copy and the base keep in other files. */
  readonly readExternal: ReadExternal;
}

/**
 * Makes the copy; `model` stays as it is. Throws a UserError that names what cannot be trained.
 *
 * Weights that were one only by their values stay apart (they will differ after a step), and BatchNormalization goes into
 * the weights before it unless it is trained.
 */
export function prepareModel(model: ModelProto, readExternal: ReadExternal, settings: PrepareSettings): TrainableModel {
  const { name, batchNorm } = settings;
  const notes: string[] = [];
  const base = cloneModel(model);
  const leave = batchNorm === "train" ? ["tied", "affine"] : ["tied"];
  const { passes } = settings.kinds ? { passes: [] } : normalise(base, readExternal, { constantInputs: "keep", leave });
  notes.push(...passes.map(({ words }) => words));
  hoistInitializers(base);
  const copy = cloneModel(base);
  const stored = new Set(copy.graph!.initializer.map((tensor) => tensor.name));
  copy.graph!.input = copy.graph!.input.filter((input) => !stored.has(input.name));
  toInference(copy, name, notes);
  const widened = toFloat32(copy, readExternal);
  if (widened.tensors > 0) notes.push(`${widened.tensors} 16-bit tensors are trained in float32`);
  raiseOpset(copy, name, 21, readExternal);
  keepByproducts(copy);
  const { kinds, notes: chosen } = settings.kinds
    ? { kinds: settings.kinds, notes: [] }
    : chooseParameters(copy, readExternal, settings);
  notes.push(...chosen);
  const statistics = batchNorm === "train" ? runningStatistics(copy, kinds) : [];
  const moving = new Set(statistics.flatMap(({ mean, variance }) => [mean, variance]));
  const parameters = new Map<string, Parameter>();
  for (const tensor of copy.graph!.initializer) {
    const kind: ParameterKind | undefined = moving.has(tensor.name) ? "statistic" : kinds.get(tensor.name);
    if (!kind) continue;
    const { shape, data } = readTensor(tensor, readExternal);
    parameters.set(tensor.name, { name: tensor.name, shape, data: Float32Array.from(data as Float32Array), kind });
  }
  if (![...parameters.values()].some(({ kind }) => kind !== "statistic")) {
    const why = settings.frozen.length > 0 ? "every weight is frozen" : "it has no float weights that gradients reach";
    throw new UserError(`${name}: nothing to train: ${why}`);
  }
  return { name, copy, parameters, notes, base, statistics, readExternal };
}

/** Dropout does nothing, BatchNormalization keeps to its first output: what a model does when it is run. */
function toInference(model: ModelProto, file: string, notes: string[]): void {
  const read = new Set<string>(model.graph!.output.map(({ name }) => name));
  for (const { input } of allNodes(model.graph!.node)) for (const name of input) read.add(name);
  for (const node of allNodes(model.graph!.node)) {
    if (!isStandard(node) || (node.opType !== "Dropout" && node.opType !== "BatchNormalization")) continue;
    const used = node.output.slice(1).find((name) => name && read.has(name));
    if (used !== undefined) {
      throw new UserError(
        `${file}: node ${node.name || node.output[0]} (${node.opType}): its output "${used}" is used`,
      );
    }
    node.output.splice(1);
    if (node.opType === "Dropout") {
      node.opType = "Identity";
      node.input.splice(1);
      node.attribute = [];
      notes.push("Dropout is left out of training");
    } else removeAttributes(node, "training_mode", "is_test", "consumed_inputs");
  }
}

/** Outputs that gradients need and models leave out: where a maximum lay, and what a normalisation found. */
function keepByproducts(model: ModelProto): void {
  const fresh = freshNames(model);
  const want = (node: { output: string[] }, count: number, hint: string) => {
    while (node.output.length < count) node.output.push("");
    node.output = node.output.map((name, at) => name || fresh(`${node.output[0]}_${hint}_${at}`));
  };
  for (const node of allNodes(model.graph!.node)) {
    if (!isStandard(node)) continue;
    if (node.opType === "MaxPool" && intAttribute(node, "storage_order", 0) === 0) want(node, 2, "indices");
    if (node.opType === "LayerNormalization") want(node, 3, "statistics");
  }
}

/** The BatchNormalizations whose scale trains. Marks each by the values it will have. */
function runningStatistics(model: ModelProto, kinds: ReadonlyMap<string, ParameterKind>): RunningStatistics[] {
  return model.graph!.node.flatMap((node) => {
    const [, scale, , mean, variance] = node.input;
    if (node.opType !== "BatchNormalization" || !isStandard(node) || !kinds.has(scale!)) return [];
    return [
      {
        mean: mean!,
        variance: variance!,
        ...batchStatisticsOf(node.output[0]!),
        momentum: floatAttribute(node, "momentum", Math.fround(0.9)),
      },
    ];
  });
}
