import { as, float32, op, plus, pooled, small } from "./random-blocks.js";
import { type Block, channelAxis, channelsOf, type Flow, type GraphBuilder, isImage } from "./random-graphs.js";

/** Scale and bias of a number for each channel. */
const affine = (b: GraphBuilder, flow: Flow, count = channelsOf(flow)): readonly string[] => [
  b.scale([count]),
  b.weight([count], 0.3),
];

const lines =
  (make: (b: GraphBuilder, flow: Flow) => string): Block =>
  (b, flow) => {
    const sequence = b.sequence(flow);
    return as(sequence, make(b, sequence));
  };
const pictures =
  (make: (b: GraphBuilder, flow: Flow) => string): Block =>
  (b, flow) => {
    const image = b.image(flow);
    return as(image, make(b, image));
  };

function groupNorm(b: GraphBuilder, given: Flow): Flow {
  // narrow groups, wide groups, one group, one a channel
  const [count, groups] = [
    [12, 4],
    [16, 2],
    [8, 1],
    [8, 8],
  ][b.pick(4)] as [number, number];
  const image = b.project(b.image(given), count);
  // what the opset is may still change
  b.since(21);
  const made = b.node("GroupNormalization", [image.name, ...affine(b, image)], { num_groups: groups });
  return as(image, made);
}

export const normalisationBlocks: Record<string, Block> = {
  BatchNormalization: pictures((b, flow) =>
    b.node("BatchNormalization", [
      flow.name,
      ...affine(b, flow),
      b.weight([channelsOf(flow)], 0.2),
      b.scale([channelsOf(flow)]),
    ]),
  ),
  InstanceNormalization: pictures((b, flow) => b.node("InstanceNormalization", [flow.name, ...affine(b, flow)])),
  GroupNormalization: groupNorm,
  LRN(b, flow) {
    b.freezes();
    return op(b, "LRN", b.image(flow), { size: 3 });
  },
  LpNormalization: pictures((b, flow) => b.node("LpNormalization", [flow.name], { axis: 2 })),
  // of channels that are no constants, for which onnxruntime finds no number
  MeanVarianceNormalization: pictures((b, flow) =>
    b.node("MeanVarianceNormalization", [b.node("Add", [flow.name, b.weight(flow.shape)])]),
  ),
  LayerNormalization: lines((b, flow) => b.node("LayerNormalization", [flow.name, ...affine(b, flow)], { axis: -1 })),
  SimplifiedLayerNormalization: lines((b, flow) =>
    b.node("SimplifiedLayerNormalization", [flow.name, b.scale([channelsOf(flow)])], { axis: -1 }),
  ),
  RMSNormalization: lines((b, flow) => {
    b.since(23);
    return b.node("RMSNormalization", [flow.name, b.scale([channelsOf(flow)])]);
  }),
  "com.microsoft:SkipLayerNormalization"(b, given) {
    const flow = b.sequence(given);
    const inputs = [flow.name, b.other(flow).name, ...affine(b, flow), b.weight([channelsOf(flow)], 0.2)];
    const made = b.nodes("com.microsoft:SkipLayerNormalization", inputs, 4);
    return as(flow, b.node("Add", [made[0]!, made[3]!]));
  },
  "com.microsoft:SkipSimplifiedLayerNormalization": lines((b, flow) =>
    b.node("com.microsoft:SkipSimplifiedLayerNormalization", [
      flow.name,
      b.other(flow).name,
      b.scale([channelsOf(flow)]),
    ]),
  ),
  "com.microsoft:EmbedLayerNormalization"(b, given) {
    const flow = b.sequence(given);
    const [batch, length, count] = flow.shape as [number, number, number];
    const ids = b.constant({
      dtype: "int32",
      shape: [batch, length],
      data: Int32Array.from({ length: batch * length }, (_, at) => (at * 7) % 5),
    });
    const tables = [b.weight([5, count]), b.weight([length, count]), b.weight([2, count])];
    const kinds = b.constant({ dtype: "int32", shape: [batch, length], data: new Int32Array(batch * length).fill(1) });
    const made = b.nodes("com.microsoft:EmbedLayerNormalization", [ids, kinds, ...tables, ...affine(b, flow)], 2);
    return plus(b, flow, made[0]!);
  },
};

/** An image of other places. */
const resized = (flow: Flow, name: string, height: number, width: number): Flow => ({
  name,
  shape: [flow.shape[0]!, flow.shape[1]!, height, width],
});

const pooling =
  (operator: string): Block =>
  (b, given) => {
    const flow = b.image(given);
    const made = b.node(operator, [flow.name], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
    return as(flow, made);
  };
const everywhere =
  (operator: string): Block =>
  (b, given) => {
    const flow = b.image(given);
    return plus(b, flow, small(b, pooled(flow, b.node(operator, [flow.name]))).name);
  };

const regions = (...numbers: readonly (readonly number[])[]) => ({
  dtype: "float32" as const,
  shape: [numbers.length, numbers[0]!.length],
  data: Float32Array.from(numbers.flat()),
});

export const poolingBlocks: Record<string, Block> = {
  MaxPool: pooling("MaxPool"),
  AveragePool: pooling("AveragePool"),
  LpPool: pooling("LpPool"),
  GlobalMaxPool: everywhere("GlobalMaxPool"),
  GlobalAveragePool: everywhere("GlobalAveragePool"),
  GlobalLpPool: everywhere("GlobalLpPool"),
  GridSample(b, given) {
    const flow = b.image(given);
    const grid = b.weight([flow.shape[0]!, 4, 5, 2], 0.4);
    return resized(flow, b.node("GridSample", [flow.name, grid]), 4, 5);
  },
  RoiAlign(b, given) {
    const flow = b.image(given);
    const places = b.constant(regions([0, 0, 3, 2], [0, 1, 2, 3]));
    const size = { output_height: 3, output_width: 2 };
    return resized(flow, b.node("RoiAlign", [flow.name, places, b.ints(0, 1)], size), 3, 2);
  },
  MaxRoiPool(b, given) {
    const flow = b.image(given);
    const places = b.constant(regions([0, 0, 0, 3, 2], [1, 0, 0, 2, 3]));
    return resized(flow, b.node("MaxRoiPool", [flow.name, places], { pooled_shape: [2, 2] }), 2, 2);
  },
  Resize(b, given) {
    const flow = b.image(given);
    const [batch, count, height, width] = flow.shape as [number, number, number, number];
    const mode = { mode: b.pick(2) === 0 ? "nearest" : "linear" };
    switch (b.pick(3)) {
      case 0: {
        const scales = b.constant({ dtype: "float32", shape: [4], data: Float32Array.of(1, 1, 2, 2) });
        return resized(flow, b.node("Resize", [flow.name, "", scales], mode), 2 * height, 2 * width);
      }
      case 1: {
        const sizes = b.ints(batch, count, height + 1, width + 2);
        return resized(flow, b.node("Resize", [flow.name, "", "", sizes], mode), height + 1, width + 2);
      }
      default: {
        // the sizes in front are those of the input
        const front = b.node("Slice", [b.node("Shape", [flow.name]), b.ints(0), b.ints(2), b.ints(0)]);
        const sizes = b.node("Concat", [front, b.ints(height + 1, width)], { axis: 0 });
        return resized(flow, b.node("Resize", [flow.name, "", "", sizes], mode), height + 1, width);
      }
    }
  },
  Pad(b, given) {
    // onnxruntime fuses it into a pool after it, and then refuses that
    const flow = b.image(given);
    const padded = (name: string, height: number, width: number) =>
      resized(flow, b.node("Relu", [name]), height, width);
    const [height, width] = flow.shape.slice(2) as [number, number];
    if (b.pick(2) === 0) {
      return padded(b.node("Pad", [flow.name, b.ints(0, 0, 1, 0, 0, 0, 0, 2)]), height + 1, width + 2);
    }
    return padded(b.node("Pad", [flow.name, b.ints(1, 0, 1, 1), "", b.ints(2, -1)]), height + 2, width + 1);
  },
};

/** Reduces places, or channels, and adds what comes out to each of them. */
const reduced =
  (operator: string, channels: "stay" | "sum"): Block =>
  (b, flow) => {
    const axis = channels === "sum" && b.pick(2) === 0 ? channelAxis(flow) : isImage(flow) ? 2 : 1;
    return plus(b, flow, b.node("Tanh", [b.node(operator, [small(b, flow).name, b.ints(axis)], { keepdims: 1 })]));
  };
const placeAxis = (flow: Flow): number => (isImage(flow) ? 3 : 1);
const along =
  (operator: string): Block =>
  (b, flow) =>
    op(b, operator, flow, { axis: placeAxis(flow) });
const named = (names: string, make: (name: string) => Block): Record<string, Block> =>
  Object.fromEntries(names.split(" ").map((name) => [name, make(name)]));

export const reductionBlocks: Record<string, Block> = {
  ...named("ReduceMax ReduceMin ReduceProd ReduceLogSumExp", (name) => reduced(name, "stay")),
  ReduceLogSum(b, flow) {
    const positive = b.node("Add", [b.node("Abs", [small(b, flow).name]), b.number(0.5)]);
    const axis = b.pick(2) === 0 ? channelAxis(flow) : isImage(flow) ? 2 : 1;
    return plus(b, flow, b.node("ReduceLogSum", [positive, b.ints(axis)], { keepdims: 1 }));
  },
  ...named("ReduceMean ReduceSum ReduceSumSquare ReduceL1 ReduceL2", (name) => reduced(name, "sum")),
  ...named("ArgMax ArgMin", (name) => (b, flow) => {
    const found = b.node(name, [flow.name], { axis: placeAxis(flow), keepdims: 1 });
    return plus(b, flow, b.node("Tanh", [b.node("Cast", [found], { to: float32 })]));
  }),
  ...named("Softmax LogSoftmax Hardmax", along),
  TopK(b, flow) {
    const axis = placeAxis(flow);
    const count = Math.max(1, flow.shape[axis]! - 1);
    const [values] = b.nodes("TopK", [flow.name, b.ints(count)], 2, { axis });
    return { name: values!, shape: flow.shape.map((size, at) => (at === axis ? count : size)) };
  },
  CumSum: (b, flow) =>
    small(
      b,
      as(
        flow,
        b.node("CumSum", [
          flow.name,
          b.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(placeAxis(flow))) }),
        ]),
      ),
    ),
  Trilu: (b, flow) => op(b, "Trilu", b.image(flow)),
};
