import { makeTensor, type TensorProto } from "../../formats/onnx.js";
import { makeNode } from "../../graph/node.js";
import type { QuantizedWeight } from "../../tensor/quantized.js";
import type { GraphEdit } from "../edit.js";
import type { Scheme } from "../scheme.js";
import type { Site, WeightUse } from "../sites.js";
import { leastHalved, unpackWeight } from "./unpack.js";

/**
 * Tables of rows (embeddings): Gather takes 8-bit rows and their scales, and only these become floats. Standard operators
 * of opset 13. Other operators that read the table get it unpacked at load.
 */
export const gather: Scheme = {
  id: "gather",
  words: "8-bit rows, turned into floats after they are gathered",
  plan(site) {
    const uses = gathers(site);
    if (uses.length === 0) return "no Gather reads rows of it";
    const { shape, elements } = site.info;
    const axes = new Set(uses.map(({ slot, node }) => slot.axis(node, shape.length)));
    const [axis] = axes;
    if (axes.size > 1) return "Gather nodes take it along different axes";
    if (axis === undefined) return "has one axis, so each element would need a scale";
    return {
      form: { bits: 8, signed: true, symmetric: true, granularity: "channel", axis },
      bytesAfter: elements + shape[axis]! * (4 + (isShared(site) ? (shape[axis]! >= leastHalved ? 2 : 4) : 0)),
    };
  },
  apply(site, { form }, weight, edit) {
    const { scope, tensor, info } = site;
    const uses = gathers(site);
    edit.drop(scope, tensor);
    const others = isShared(site);
    // one copy of the integers, while the scales, which differ in type, are stored for each way to read them
    const integers = others ? unpackWeight(site, weight, edit, info.name) : storeRows(site, weight, edit);
    const scale = makeTensor(edit.fresh(`${info.name}_row_scale`), {
      dtype: "float32",
      shape: weight.shape.map((size, at) => (at === form.axis ? size : 1)),
      data: weight.scales,
    });
    edit.add(scope, scale);
    for (const { node, scope: home } of uses) {
      const label = node.name || node.output[0]!;
      const [rows, scales, floats] = ["rows", "scales", "floats"].map((part) => edit.fresh(`${label}_${part}`));
      const half = info.type === "float16" ? 10 : info.type === "bfloat16" ? 16 : undefined;
      const product = half ? edit.fresh(`${label}_scaled`) : node.output[0]!;
      const take = (from: string, to: string) =>
        makeNode("Gather", edit.fresh(`${label}_${to}`), [from, node.input[1]!], [to], { axis: form.axis });
      edit.replace(home, node, [
        take(integers.name, rows!),
        take(scale.name, scales!),
        makeNode("Cast", edit.fresh(`${label}_cast`), [rows!], [floats!], { to: 1 }),
        makeNode("Mul", edit.fresh(`${label}_scale`), [floats!, scales!], [product]),
        ...(half ? [makeNode("Cast", edit.fresh(`${label}_half`), [product], [node.output[0]!], { to: half })] : []),
      ]);
    }
    return integers;
  },
};

/** Whether something else reads the table too. */
function isShared(site: Site): boolean {
  return gathers(site).length < site.uses.length || site.scope.outputs.has(site.info.name);
}

function storeRows({ scope, info }: Site, { shape, values }: QuantizedWeight, edit: GraphEdit): TensorProto {
  const integers = makeTensor(edit.fresh(`${info.name}_quantized`), { dtype: "int8", shape, data: values });
  edit.add(scope, integers);
  return integers;
}

function gathers(site: Site): readonly WeightUse[] {
  return site.weightUses.filter(({ node }) => node.opType === "Gather");
}
