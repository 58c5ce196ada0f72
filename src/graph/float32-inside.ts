import type { GraphProto, ModelProto, ReadExternal, ValueInfoProto } from "../formats/onnx.js";
import { shallowCopy } from "./clone.js";
import { toFloat32, type Widened } from "./float32.js";
import { freshNames } from "./names.js";
import { graphsIn, makeNode } from "./node.js";

const float32 = 1;

/**
 * Makes a 16-bit model compute in float32 and leaves the types of its inputs and outputs, behind a Cast each. Models of
 * other types stay as they are. Changes `model`, but no TensorProto.
 */
export function toFloat32Inside(model: ModelProto, readExternal: ReadExternal): Widened {
  const graph = model.graph!;
  const declared = new Map([...graph.input, ...graph.output].map((value) => [value, typeOf(value)]));
  const widened = toFloat32(model, readExternal);
  const fresh = freshNames(model);
  const stored = new Set(graph.initializer.map(({ name }) => name));
  const narrowed = (values: readonly ValueInfoProto[]) => values.filter((one) => typeOf(one) !== declared.get(one));
  // what is an input and an output at once is nowhere computed
  const fed = narrowed(graph.input).filter(({ name }) => !stored.has(name));
  const given = narrowed(graph.output).filter(({ name }) => graph.input.every((input) => input.name !== name));
  const names = new Map([...fed, ...given].map(({ name }) => [name, fresh(`${name}_float32`)]));
  rename(graph, names);
  graph.node = [
    ...fed.map(({ name }) => makeNode("Cast", fresh(`${name}_widen`), [name], [names.get(name)!], { to: float32 })),
    ...graph.node,
    ...given.map((value) => {
      const { name } = value;
      return makeNode("Cast", fresh(`${name}_narrow`), [names.get(name)!], [name], { to: declared.get(value)! });
    }),
  ];
  for (const value of [...fed, ...given]) {
    if (value.type?.value.case === "tensorType") value.type.value.value.elemType = declared.get(value)!;
  }
  return widened;
}

function typeOf({ type }: ValueInfoProto): number | undefined {
  return type?.value.case === "tensorType" ? type.value.value.elemType : undefined;
}

/** Renames values of the main graph wherever they are made and read; what the graph takes and gives keeps its names. */
function rename(main: GraphProto, names: ReadonlyMap<string, string>): void {
  const of = (name: string) => names.get(name) ?? name;
  const visit = (graph: GraphProto): void => {
    for (const node of graph.node) {
      node.input = node.input.map(of);
      node.output = node.output.map(of);
      for (const nested of graphsIn(node)) {
        visit(nested);
        for (const output of nested.output) output.name = of(output.name);
      }
    }
  };
  visit(main);
  main.initializer = main.initializer.map((tensor) => {
    if (!names.has(tensor.name)) return tensor;
    const renamed = shallowCopy(tensor);
    renamed.name = of(tensor.name);
    return renamed;
  });
  for (const value of main.valueInfo) value.name = of(value.name);
}
