import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type GraphBuilder, type Value } from "../../src/graph/builder.js";
import type { FreshName } from "../../src/graph/names.js";
import type { Tensor } from "../../src/tensor/tensor.js";

/** Names of a graph that has none yet. */
function freeNames(): FreshName {
  const taken = new Set<string>();
  return (base) => {
    let name = base;
    for (let at = 1; taken.has(name); at++) name = `${base}_${at}`;
    taken.add(name);
    return name;
  };
}

export function floatTensor(shape: readonly number[], data: readonly number[]): Tensor {
  return { dtype: "float32", shape, data: Float32Array.from(data) };
}

export function intTensor(shape: readonly number[], data: readonly number[]): Tensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(data.map(BigInt)) };
}

/** The number that a graph of these tensors comes to. */
export async function compute(
  tensors: readonly Tensor[],
  write: (b: GraphBuilder, inputs: readonly Value[]) => Value,
): Promise<number> {
  const fresh = freeNames();
  const b = createBuilder(fresh);
  const inputs = tensors.map(({ dtype, shape }): Value => ({ name: fresh("input"), dtype, shape }));
  const result = write(b, inputs);
  const model = assembleModel({ nodes: b.nodes, initializers: b.initializers, inputs, outputs: [result] });
  const session = await openSession(encodeModel(model));
  const outputs = await session.run(new Map(inputs.map(({ name }, at) => [name, tensors[at]!])));
  await session.close();
  const found = outputs.get(result.name)!;
  if (found.data.length !== 1 || found.shape.length !== 0) throw new Error("not a scalar");
  return found.data[0] as number;
}
