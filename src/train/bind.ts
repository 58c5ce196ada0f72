import type { Batch } from "../data/batch.js";
import { UserError } from "../errors.js";
import { type NodeProto, readTensor, type TensorProto } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import { createBuilder, type Value } from "../graph/builder.js";
import { type FreshName, freshNames } from "../graph/names.js";
import { castTensor } from "../tensor/cast.js";
import { formatShape, type Tensor } from "../tensor/tensor.js";
import type { Choice } from "./branches.js";
import { trainBatchNormalization } from "./decompose/batch-normalization.js";
import { decomposed, decompositionOf } from "./decompose/index.js";
import { type Fix, withoutBranches } from "./flatten.js";
import { foldConstants } from "./fold.js";
import { formsOf } from "./forms.js";
import type { TrainingGraph } from "./graph.js";
import { dependents } from "./parameters.js";
import type { TrainableModel } from "./prepare.js";
import { isLarge, type RunnableNodes } from "./run-nodes.js";
import {
  readsOf,
  shapeOperands,
  sourcesOf,
  type Variation,
  variationsOf,
  withData,
  withIntegers,
} from "./variation.js";

/**
 * The graph for the shapes of these feeds, found by one run of the model on them. Branches are taken as these feeds take
 * them, what does not change from batch to batch is carried out, operators that have no gradient as they are become those
 * that have. Throws a UserError for feeds that do not fit and nodes that cannot be trained.
 */
export async function bindShapes(model: TrainableModel, feeds: Batch): Promise<TrainingGraph> {
  const inputs = inputsOf(model, feeds);
  const part = partOf(model, inputs);
  const seeds = new Map<string, Variation>();
  for (const [name, { dtype }] of inputs) seeds.set(name, dtype.startsWith("float") ? withData : withIntegers);
  for (const { name, kind } of model.parameters.values()) if (kind !== "statistic") seeds.set(name, withData);
  const fixed = new Set<string>();
  const fix = (nodes: readonly NodeProto[], names: readonly string[]): void => {
    const integers = new Set([...seeds].filter(([, varies]) => varies === withIntegers).map(([name]) => name));
    for (const name of sourcesOf(nodes, names, integers)) {
      seeds.delete(name);
      fixed.add(name);
    }
  };
  const fresh = reserve(freshNames(model.copy), model);
  const { nodes, choices, notes } = await withoutBranches(part, model, seeds, fix);
  const flat: RunnableNodes = { ...part, nodes };
  const values = new Map(await formsOf(flat, fresh));
  checkChoices(choices, values);
  for (const [name, { dtype, shape }] of inputs) values.set(name, { name, dtype, shape });
  for (const { name, shape } of model.parameters.values()) values.set(name, { name, dtype: "float32", shape });
  for (const tensor of part.initializers) {
    const dtype = onnxType(tensor.dataType)?.dtype;
    if (dtype) values.set(tensor.name, { name: tensor.name, dtype, shape: tensor.dims.map(Number) });
  }
  fixShapes(nodes, seeds, fix, model);
  const outputs = model.copy.graph!.output.map(({ name }) => name);
  const folded = await foldConstants(flat, outputs, values, variationsOf(nodes, seeds));
  const constants = new Map(folded.constants);
  for (const name of fixed) constants.set(name, inputs.get(name)!);
  const stored = new Map(part.initializers.map((tensor) => [tensor.name, tensor]));
  const constantOf = (name: string): Tensor | undefined => {
    const found = constants.get(name);
    if (found) return found;
    const tensor = stored.get(name);
    return tensor && !seeds.has(name) && onnxType(tensor.dataType)?.dtype ? read(tensor, model) : undefined;
  };
  const whole = takenApart(folded.nodes, model, fresh, values, constantOf);
  for (const value of whole.values.values()) values.set(value.name, value);
  for (const [name, tensor] of whole.constants) constants.set(name, tensor);
  const alive = new Set([...whole.nodes.flatMap((node) => [...readsOf(node), ...node.output]), ...outputs]);
  for (const name of stored.keys()) {
    const tensor = alive.has(name) ? constantOf(name) : undefined;
    if (tensor) constants.set(name, tensor);
  }
  const kept = new Set([...alive, ...inputs.keys(), ...model.parameters.keys()]);
  for (const name of values.keys()) if (!kept.has(name)) values.delete(name);
  for (const name of constants.keys()) if (!kept.has(name)) constants.delete(name);
  const fixedNotes = [...fixed].map((name) => `input "${name}" decides branches or shapes: it must stay what it is`);
  return {
    nodes: whole.nodes,
    values,
    constants,
    inputs: [...inputs.keys()].map((name) => values.get(name)!),
    outputs: outputs.flatMap((name) => values.get(name) ?? []),
    fixed: new Map([...fixed].map((name) => [name, inputs.get(name)!])),
    notes: [...notes, ...fixedNotes],
  };
}

/** What is fed, in the model's order and in the types of the copy. */
function inputsOf({ copy }: TrainableModel, feeds: Batch): ReadonlyMap<string, Tensor> {
  return new Map(
    copy.graph!.input.map(({ name, type }) => {
      const fed = feeds.get(name);
      if (!fed) throw new UserError(`the data has nothing for input "${name}"`);
      const wanted = type?.value.case === "tensorType" ? onnxType(type.value.value.elemType)?.dtype : undefined;
      const halves = fed.dtype === "float16" || fed.dtype === "bfloat16";
      const tensor = halves && wanted === "float32" ? castTensor(fed, "float32") : fed;
      if (!tensor || (wanted && tensor.dtype !== wanted)) {
        throw new UserError(`input "${name}" takes ${wanted}, the data has ${fed.dtype} ${formatShape(fed.shape)}`);
      }
      return [name, tensor] as const;
    }),
  );
}

/** The copy as nodes that can be run: parameters and large weights are fed. */
function partOf(model: TrainableModel, inputs: ReadonlyMap<string, Tensor>): RunnableNodes {
  const { copy, parameters, readExternal } = model;
  const feeds = new Map(inputs);
  for (const { name, shape, data } of parameters.values()) feeds.set(name, { dtype: "float32", shape, data });
  for (const tensor of copy.graph!.initializer) {
    const isFed = isLarge(tensor) && !feeds.has(tensor.name) && onnxType(tensor.dataType)?.dtype;
    if (isFed && isFed !== "string" && isFed !== "bfloat16") feeds.set(tensor.name, read(tensor, model));
  }
  return { nodes: copy.graph!.node, initializers: copy.graph!.initializer, feeds, like: copy, readExternal };
}

const tensors = new WeakMap<TensorProto, Tensor>();

/** Read once for all shapes. */
function read(tensor: TensorProto, { readExternal }: TrainableModel): Tensor {
  const found = tensors.get(tensor) ?? readTensor(tensor, readExternal);
  tensors.set(tensor, found);
  return found;
}

/** Names the batch's statistics will have are taken. */
function reserve(fresh: FreshName, { statistics }: TrainableModel): FreshName {
  for (const { batchMean, batchVariance } of statistics) for (const name of [batchMean, batchVariance]) fresh(name);
  return fresh;
}

function checkChoices(choices: readonly Choice[], values: ReadonlyMap<string, Value>): void {
  for (const { node, values: pairs } of choices) {
    for (const [then, otherwise] of pairs) {
      const [one, other] = [values.get(then), values.get(otherwise)];
      // sequences have no form
      if (!one || !other || (one.dtype === other.dtype && one.shape.join() === other.shape.join())) continue;
      const why = "the data decides its branch, and its branches make different shapes";
      throw new UserError(`node ${node.name || node.output[0]} (If): cannot be trained: ${why}`);
    }
  }
}

/** Inputs whose elements decide shapes are fixed. Throws a UserError where the data decides one that a gradient needs. */
function fixShapes(
  nodes: readonly NodeProto[],
  seeds: ReadonlyMap<string, Variation>,
  fix: Fix,
  { parameters }: TrainableModel,
): void {
  const before = variationsOf(nodes, seeds);
  fix(
    nodes,
    nodes.flatMap((node) => shapeOperands(node).filter((name) => before.elements(name) === withIntegers)),
  );
  const now = variationsOf(nodes, seeds);
  const learned = dependents(nodes, new Set(parameters.keys()));
  for (const node of nodes) {
    if (!node.output.some((name) => learned.has(name) && now.shape(name) === withData)) continue;
    throw new UserError(
      `node ${node.name || node.output[0]} (${node.opType}): the shape it makes changes with the data`,
    );
  }
}

/** The nodes with those taken apart that have no gradient whole. */
function takenApart(
  nodes: readonly NodeProto[],
  { statistics }: TrainableModel,
  fresh: FreshName,
  values: ReadonlyMap<string, Value>,
  constantOf: (name: string) => Tensor | undefined,
): {
  readonly nodes: readonly NodeProto[];
  readonly values: ReadonlyMap<string, Value>;
  readonly constants: ReadonlyMap<string, Tensor>;
} {
  const b = createBuilder(fresh);
  const moving = new Set(statistics.map(({ mean }) => mean));
  const result = nodes.flatMap((node) => {
    const trains = node.opType === "BatchNormalization" && moving.has(node.input[3] ?? "");
    const how = trains ? trainBatchNormalization : decompositionOf(node);
    if (!how) return [node];
    return decomposed(
      node,
      how,
      b,
      (name) => values.get(name) ?? b.values.get(name),
      (name) => constantOf(name) ?? b.constants.get(name),
    );
  });
  return { nodes: result, values: b.values, constants: b.constants };
}
