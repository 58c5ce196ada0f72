import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, makeTensor } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import type { TrainingGraph } from "../../src/train/graph.js";
import type { TrainableModel } from "../../src/train/prepare.js";

/** A bound graph as a model that takes inputs and parameters. */
export function modelOf(graph: TrainingGraph, { parameters }: TrainableModel): ModelProto {
  const read = new Set([...graph.nodes.flatMap(({ input }) => input), ...graph.outputs.map(({ name }) => name)]);
  return assembleModel({
    nodes: graph.nodes,
    initializers: [...graph.constants]
      .filter(([name]) => read.has(name))
      .map(([name, value]) => makeTensor(name, value)),
    inputs: [...graph.inputs, ...[...parameters.keys()].map((name) => graph.values.get(name)!)].filter(
      ({ name }) => read.has(name) && !graph.constants.has(name),
    ),
    outputs: graph.outputs,
  });
}

type Tensors = ReadonlyMap<string, Tensor>;

/** What a bound graph gives for these feeds and the present parameters. */
export async function runBound(graph: TrainingGraph, model: TrainableModel, feeds: Tensors): Promise<Tensors> {
  const session = await openSession(encodeModel(modelOf(graph, model)));
  const all = new Map<string, Tensor>(feeds);
  for (const { name, shape, data } of model.parameters.values()) all.set(name, { dtype: "float32", shape, data });
  const given = new Map(session.inputs.map(({ name }) => [name, all.get(name)!]));
  const result = await session.run(given);
  await session.close();
  return result;
}

/** What a model gives as it is. */
export async function runModel(model: ModelProto, feeds: Tensors): Promise<Tensors> {
  const session = await openSession(encodeModel(model));
  const result = await session.run(feeds);
  await session.close();
  return result;
}

/** The largest difference between two sets of outputs, as a share of the largest element of each, or of 0.1 below that. */
export function worstDifference(one: Tensors, other: Tensors): number {
  let worst = 0;
  for (const [name, tensor] of one) {
    const [a, b] = [numbersOf(tensor), numbersOf(other.get(name)!)];
    if (a.length !== b.length) return Number.POSITIVE_INFINITY;
    let [scale, difference] = [0.1, 0];
    for (let at = 0; at < a.length; at++) {
      scale = Math.max(scale, Math.abs(a[at]!));
      const d = Math.abs(a[at]! - b[at]!);
      difference = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(difference, d);
    }
    worst = Math.max(worst, difference / scale);
  }
  return worst;
}
