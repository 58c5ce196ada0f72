import { axisOf, type GraphBuilder, type Value } from "../../graph/builder.js";
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from "../../graph/node.js";
import { numbersOf } from "../../tensor/numbers.js";
import { elementCount } from "../../tensor/tensor.js";
import type { RuleContext, RuleTable } from "../rule.js";
import { type Interpolation, interpolationMatrix } from "./interpolation.js";

/** Operators that interpolate: linear maps, one axis after the other. */
export const resizeRules: RuleTable = {
  Resize(context) {
    const { node, inputs, refuse } = context;
    const word = (name: string, fallback: string) => stringAttribute(node, name, fallback);
    const how: Interpolation = {
      mode: word("mode", "nearest") as Interpolation["mode"],
      coordinates: word("coordinate_transformation_mode", "half_pixel") as Interpolation["coordinates"],
      nearest: word("nearest_mode", "round_prefer_floor") as Interpolation["nearest"],
      cubicA: floatAttribute(node, "cubic_coeff_a", -0.75),
      excludeOutside: intAttribute(node, "exclude_outside", 0) === 1,
    };
    if (word("coordinate_transformation_mode", "") === "tf_crop_and_resize") return refuse("tf_crop_and_resize");
    if (intAttribute(node, "antialias", 0) === 1) return refuse("antialias");
    if (word("keep_aspect_ratio_policy", "stretch") !== "stretch") return refuse("keep_aspect_ratio_policy");
    const axes = intsAttribute(node, "axes")?.map((axis) => axisOf(Number(axis), inputs[0]!.shape.length));
    return [transposed(context, how, scalesOf(context), axes)];
  },
};

/** The scales a node is given; undefined where sizes say how far. */
function scalesOf({ node, inputs, constant, refuse }: RuleContext): ArrayLike<number> | undefined {
  const input = node.input[2] ? inputs[2] : undefined;
  if (!input || elementCount(input.shape) === 0) return undefined;
  return numbersOf(constant(2) ?? refuse("its scales change with the data"));
}

function transposed(
  { b, inputs, outputs, cotangent }: RuleContext,
  how: Interpolation,
  scales: ArrayLike<number> | undefined,
  axes: readonly number[] | undefined,
): Value {
  const { shape } = inputs[0]!;
  return shape.reduce((g, size, axis) => {
    const resized = outputs[0]!.shape[axis]!;
    const scale = scales?.[axes ? axes.indexOf(axis) : axis] ?? resized / size;
    return alongAxis(b, g, axis, interpolationMatrix(how, size, resized, Math.fround(scale)), size);
  }, cotangent());
}

/** g with `axis` brought from the resized size to `size` by the transpose of the matrix [resized, size]. */
function alongAxis(b: GraphBuilder, g: Value, axis: number, matrix: Float32Array, size: number): Value {
  const resized = g.shape[axis]!;
  const times = repetition(matrix, resized, size);
  const [ahead, behind] = [g.shape.slice(0, axis), g.shape.slice(axis + 1)];
  if (times === 1) return g;
  if (times !== undefined) {
    const apart = b.reshape(g, [...ahead, size, times, ...behind]);
    return b.reduce("ReduceSum", apart, [axis + 1], false);
  }
  const wide = elementCount(behind);
  if (wide === 1) {
    const map = b.constant({ dtype: "float32", shape: [resized, size], data: matrix }, "interpolation");
    return b.reshape(b.matmul(b.reshape(g, [elementCount(ahead), resized]), map), [...ahead, size, ...behind]);
  }
  const turned = Float32Array.from(matrix, (_, at) => matrix[(at % resized) * size + Math.floor(at / resized)]!);
  const map = b.constant({ dtype: "float32", shape: [size, resized], data: turned }, "interpolation");
  const found = b.matmul(map, b.reshape(g, [elementCount(ahead), resized, wide]));
  return b.reshape(found, [...ahead, size, ...behind]);
}

/** How often each element was just repeated, or undefined where the map does anything else. */
function repetition(matrix: Float32Array, resized: number, size: number): number | undefined {
  const times = resized / size;
  const repeats = matrix.every(
    (weight, at) => weight === (Math.floor(Math.floor(at / size) / times) === at % size ? 1 : 0),
  );
  return Number.isInteger(times) && repeats ? times : undefined;
}
