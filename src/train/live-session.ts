import type { Batch } from "../data/batch.js";
import { openSession } from "../engine/session.js";
import { encodeModel } from "../formats/onnx.js";
import { assembleModel } from "../graph/assemble.js";
import { cloneModel } from "../graph/clone.js";
import { castTensor } from "../tensor/cast.js";
import type { Tensor } from "../tensor/tensor.js";
import type { TrainableModel } from "./prepare.js";

/** A model in training that can be run at any time. */
export interface LiveSession {
  /** One inference with the parameters as they are now. */
  run(feeds: Batch): Promise<ReadonlyMap<string, Tensor>>;
  close(): Promise<void>;
}

/** Opens the training copy with its parameters as inputs, so that their data are read anew at every run. */
export async function openLive(
  { copy, parameters, readExternal }: Pick<TrainableModel, "copy" | "parameters" | "readExternal">,
  threads: number,
): Promise<LiveSession> {
  const model = cloneModel(copy);
  const graph = model.graph!;
  const held = [...parameters.values()];
  const ports = assembleModel({
    nodes: [],
    initializers: [],
    inputs: held.map(({ name, shape }) => ({ name, dtype: "float32", shape })),
    outputs: [],
  }).graph!.input;
  const stored = new Set([...graph.initializer, ...held].map(({ name }) => name));
  graph.input = [...graph.input.filter(({ name }) => !stored.has(name)), ...ports];
  graph.initializer = graph.initializer.filter(({ name }) => !parameters.has(name));
  const fixed = new Map(
    held.map(({ name, shape, data }): [string, Tensor] => [name, { dtype: "float32", shape, data }]),
  );
  const session = await openSession(encodeModel(model, readExternal), { threads, fixed });
  const declared = new Map(session.inputs.map(({ name, dtype }) => [name, dtype]));
  // the copy of a model of halves takes float32
  const taken = (name: string, tensor: Tensor) =>
    declared.get(name) === "float32" ? (castTensor(tensor, "float32") ?? tensor) : tensor;
  return {
    run: (feeds) => session.run(new Map([...feeds].map(([name, one]) => [name, taken(name, one)] as const))),
    close: () => session.close(),
  };
}
