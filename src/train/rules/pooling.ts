import type { GraphBuilder, Value } from "../../graph/builder.js";
import { intAttribute, intsAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { GradientRule, RuleContext, RuleTable } from "../rule.js";
import { type ConvGeometry, convAttributes, isOne, product, rest, spatial, type Window, windowOf } from "./geometry.js";

function poolWindow({ node, inputs, outputs, refuse }: RuleContext): Window {
  const kernel = intsAttribute(node, "kernel_shape")?.map(Number) ?? refuse("it has no kernel_shape");
  return windowOf(node, kernel, spatial(inputs[0]!), spatial(outputs[0]!));
}

const spatialAxes = ({ shape }: Value) => shape.slice(2).map((_, at) => at + 2);

/** Every place of a picture gets its share of the one result. */
const globalAverage: GradientRule = ({ b, inputs, cotangent }) => {
  const x = inputs[0]!;
  return [b.expand(b.mul(cotangent(), 1 / product(spatial(x))), x.shape)];
};

/** Pooling. */
export const poolingRules: RuleTable = {
  MaxPool(context) {
    const { b, inputs, outputs, cotangent } = context;
    const [x, g] = [inputs[0]!, cotangent()];
    const window = poolWindow(context);
    // places in the whole tensor, row after row
    const places = intAttribute(context.node, "storage_order", 0) === 0 ? outputs[1] : undefined;
    const indices = places ?? maxPlaces(context, window);
    const overlap = window.kernel.some((size, at) => (size - 1) * window.dilations[at]! + 1 > window.strides[at]!);
    if (!overlap) {
      const { kernel, strides } = window;
      return [b.op("MaxUnpool", [g, indices, b.ints(x.shape)], x, { kernel_shape: kernel, strides })];
    }
    const flat = (value: Value) => b.reshape(value, [elementCount(value.shape)]);
    const zeros = b.filled(0, { dtype: x.dtype, shape: [elementCount(x.shape)] });
    const sums = b.op("ScatterElements", [zeros, flat(indices), flat(g)], zeros, { axis: 0, reduction: "add" });
    return [b.reshape(sums, x.shape)];
  },
  AveragePool(context) {
    const { b, node, inputs, outputs, cotangent } = context;
    const [x, y] = [inputs[0]!, outputs[0]!];
    const geometry: ConvGeometry = { ...poolWindow(context), group: 1, large: spatial(x), small: spatial(y) };
    const includesPads = intAttribute(node, "count_include_pad", 0) === 1;
    const { kernel, strides } = geometry;
    const tiled = geometry.large.every(
      (size, at) => kernel[at] === strides[at] && size === geometry.small[at]! * kernel[at]!,
    );
    if (tiled && [...geometry.begin, ...geometry.end].every((pad) => pad === 0) && isOne(geometry.dilations)) {
      return [repeated(b, b.mul(cotangent(), 1 / product(kernel)), x, kernel)];
    }
    const shared = b.mul(cotangent(), shares(b, geometry, includesPads));
    // a channel at a time: all windows are alike
    const one = b.reshape(shared, [y.shape[0]! * y.shape[1]!, 1, ...geometry.small]);
    const filters = b.filled(1, { dtype: x.dtype, shape: [1, 1, ...kernel] });
    // in ceil_mode the last window may reach beyond the pads
    const left = rest(geometry);
    const attributes = {
      ...convAttributes({ ...geometry, end: geometry.end.map((pad, at) => pad - Math.min(0, left[at]!)) }, 1),
      output_padding: left.map((size) => Math.max(0, size)),
    };
    const form = { dtype: x.dtype, shape: [one.shape[0]!, 1, ...geometry.large] };
    return [b.reshape(b.op("ConvTranspose", [one, filters], form, attributes), x.shape)];
  },
  GlobalAveragePool: globalAverage,
  GlobalMaxPool({ b, inputs, outputs, cotangent }) {
    const x = inputs[0]!;
    // equal ones share
    const largest = b.cast(b.compare("Equal", x, outputs[0]!), x.dtype);
    const count = b.reduce("ReduceSum", largest, spatialAxes(x));
    return [b.mul(largest, b.div(cotangent(), count))];
  },
};

/** Where the maxima are, found once more: the forward node does not say. */
function maxPlaces(
  { b, node, inputs, outputs }: RuleContext,
  { kernel, strides, dilations, begin, end }: Window,
): Value {
  const y = outputs[0]!;
  const attributes = {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...begin, ...end],
    ceil_mode: intAttribute(node, "ceil_mode", 0),
  };
  return b.node("MaxPool", [inputs[0]!], [y, { dtype: "int64", shape: y.shape }], attributes)[1]!;
}

/** One part of 1 for each window: [small...], by how many elements it averages. */
function shares(
  b: GraphBuilder,
  { kernel, strides, dilations, begin, end, large, small }: ConvGeometry,
  pads: boolean,
): Value {
  const counts = small.map((places, axis) =>
    Array.from({ length: places }, (_, place) => {
      const from = place * strides[axis]! - begin[axis]!;
      const [low, high] = pads ? [-begin[axis]!, large[axis]! + end[axis]!] : [0, large[axis]!];
      return Array.from({ length: kernel[axis]! }, (_, tap) => from + tap * dilations[axis]!).filter(
        (at) => at >= low && at < high,
      ).length;
    }),
  );
  const all = counts.reduce<readonly number[]>((outer, axis) => outer.flatMap((n) => axis.map((m) => n * m)), [1]);
  const data = Float32Array.from(all, (count) => 1 / Math.max(1, count));
  return b.constant({ dtype: "float32", shape: small, data }, "shares");
}

/** Every place `times` times along each spatial axis, in the shape of x. */
function repeated(b: GraphBuilder, g: Value, x: Value, times: readonly number[]): Value {
  const [n, channels, ...small] = g.shape;
  const apart = b.reshape(g, [n!, channels!, ...small.flatMap((size) => [size, 1])]);
  return b.reshape(b.expand(apart, [n!, channels!, ...small.flatMap((size, at) => [size, times[at]!])]), x.shape);
}
