import { create } from "@bufbuild/protobuf";
import { TensorShapeProto_DimensionSchema, TensorShapeProtoSchema, ValueInfoProtoSchema } from "onnx-buf";
import { UserError } from "../errors.js";
import type { GraphProto, ModelProto, ValueInfoProto } from "../formats/onnx.js";
import { shallowCopy } from "./clone.js";
import { makeNode } from "./node.js";

/**
 * A model that also outputs the named values of its main graph; the model itself stays as it is, and all that is the
 * same is shared. The new outputs carry no type: onnxruntime infers it. With `inputShapes` the model takes inputs of
 * just these shapes, so that the runtime can infer more. Throws a UserError for a name no node of the main graph makes.
 */
export function exposeValues(
  model: ModelProto,
  names: Iterable<string>,
  inputShapes: ReadonlyMap<string, readonly number[]> = new Map(),
): ModelProto {
  const graph = model.graph!;
  const made = new Set(graph.node.flatMap(({ output }) => output));
  const outputs = new Set(graph.output.map(({ name }) => name));
  const added: ValueInfoProto[] = [];
  for (const name of new Set(names)) {
    if (!made.has(name)) throw new UserError(`value "${name}" is computed by no node of the main graph`);
    if (!outputs.has(name)) added.push(create(ValueInfoProtoSchema, { name }));
  }
  const input = graph.input.map((value) => {
    const shape = inputShapes.get(value.name);
    return shape ? withShape(value, shape) : value;
  });
  return changed<ModelProto>(model, {
    graph: changed<GraphProto>(graph, { input, output: [...graph.output, ...added] }),
  });
}

/**
 * A model that computes the mean of each channel of the named values [N, C, ...] as well: [N, C, 1, ...] under the names
 * that come back, which are small to look at where the values are not. The model itself stays as it is.
 */
export function poolValues(
  model: ModelProto,
  names: Iterable<string>,
): { readonly model: ModelProto; readonly pooled: ReadonlyMap<string, string> } {
  const graph = model.graph!;
  const taken = new Set([...graph.node.flatMap(({ output }) => output), ...graph.initializer.map(({ name }) => name)]);
  const pooled = new Map<string, string>();
  for (const name of names) {
    let free = `${name}_mean`;
    while (taken.has(free)) free += "_";
    taken.add(free);
    pooled.set(name, free);
  }
  const poolOf = (name: string) => {
    const mean = pooled.get(name);
    return mean === undefined ? [] : [makeNode("GlobalAveragePool", "", [name], [mean])];
  };
  // right behind what computes the value, which need not be kept any longer then
  const node = [
    ...graph.input.flatMap((input) => poolOf(input.name)),
    ...graph.node.flatMap((one) => [one, ...one.output.flatMap(poolOf)]),
  ];
  return { model: changed<ModelProto>(model, { graph: changed<GraphProto>(graph, { node }) }), pooled };
}

function withShape(value: ValueInfoProto, shape: readonly number[]): ValueInfoProto {
  const { type } = value;
  if (type?.value.case !== "tensorType") return value;
  const dim = shape.map((size) =>
    create(TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: BigInt(size) } }),
  );
  const tensorType = changed(type.value.value, { shape: create(TensorShapeProtoSchema, { dim }) });
  return changed(value, { type: changed(type, { value: { case: "tensorType", value: tensorType } }) });
}

function changed<T extends object>(message: T, fields: Partial<T>): T {
  return Object.assign(shallowCopy(message), fields);
}
