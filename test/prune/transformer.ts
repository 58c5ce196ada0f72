import type { ModelProto, NodeProto, TensorProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { floats, ints, makeModel } from "../onnx-model.js";

export interface TransformerSizes {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly inner: number;
  readonly words: number;
}

/** A stored weight, wherever its bytes are. */
export type Weight = (name: string, shape: readonly number[]) => TensorProto;

/**
 * ids [batch, length] to scores [batch, length, 8], the way exporters write an encoder whose batch and length are open: the
 * shapes of heads are computed from the Shape of what comes in.
 */
export function transformer(
  { layers, width, heads, inner, words }: TransformerSizes,
  weight: Weight = floats,
): ModelProto {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const stored = (name: string, shape: readonly number[]) => {
    initializers.push(weight(name, shape));
    return name;
  };
  const add = (opType: string, inputs: readonly string[], output: string, attributes = {}) => {
    nodes.push(makeNode(opType, `${output}_node`, inputs, [output], attributes));
    return output;
  };
  const linear = (x: string, from: number, to: number, name: string) =>
    add("Add", [add("MatMul", [x, stored(`${name}.w`, [from, to])], `${name}_m`), stored(`${name}.b`, [to])], name);
  const normal = (x: string, name: string) =>
    add("LayerNormalization", [x, stored(`${name}.w`, [width]), stored(`${name}.b`, [width])], name, { axis: -1 });
  /** [batch, length, width] to [batch, heads, length, size]. */
  const split = (x: string, name: string) => {
    add("Shape", [x], `${name}_shape`);
    const sizes = ["first", "second"].map((which) => add("Gather", [`${name}_shape`, which], `${name}_${which}`));
    const target = add("Concat", [...sizes, "heads", "size"], `${name}_sizes`, { axis: 0 });
    return add("Transpose", [add("Reshape", [x, target], `${name}_r`)], name, { perm: [0, 2, 1, 3] });
  };
  let x = add("Gather", [stored("words", [words, width]), "ids"], "x");
  for (let layer = 0; layer < layers; layer++) {
    const own = (part: string) => `l${layer}.${part}`;
    const n = normal(x, own("n1"));
    const [q, k, v] = ["q", "k", "v"].map((part) => split(linear(n, width, width, own(part)), own(`${part}h`))) as [
      string,
      string,
      string,
    ];
    const turned = add("Transpose", [k], own("kt"), { perm: [0, 1, 3, 2] });
    const scores = add("Div", [add("MatMul", [q, turned], own("qk")), "scale"], own("s"));
    const mixed = add("MatMul", [add("Softmax", [scores], own("p"), { axis: -1 }), v], own("pv"));
    const back = add("Transpose", [mixed], own("pvt"), { perm: [0, 2, 1, 3] });
    add("Shape", [back], own("bs"));
    const sizes = ["first", "second"].map((which) => add("Gather", [own("bs"), which], own(`b${which}`)));
    const flat = add("Reshape", [back, add("Concat", [...sizes, "rest"], own("bt"), { axis: 0 })], own("o"));
    x = add("Add", [x, linear(flat, width, width, own("out"))], own("x1"));
    const wide = add("Relu", [linear(normal(x, own("n2")), width, inner, own("up"))], own("act"));
    x = add("Add", [x, linear(wide, inner, width, own("down"))], own("x2"));
  }
  linear(normal(x, "n"), width, 8, "y");
  return makeModel({
    opset: 17,
    inputs: [["ids", "int64", ["batch", "length"]]],
    outputs: [["y", "float32", ["batch", "length", 8]]],
    nodes,
    initializers: [
      ...initializers,
      ints("first", [0]),
      ints("second", [1]),
      ints("heads", [heads]),
      ints("size", [width / heads]),
      ints("rest", [-1]),
      floats("scale", [1], [Math.sqrt(width / heads)]),
    ],
  });
}
