import { expect, test } from "@jest/globals";
import { makeTensor, type NodeProto, readTensor, type TensorProto } from "../../src/formats/onnx.js";
import { intAttribute, makeNode } from "../../src/graph/node.js";
import { floats, ints, makeModel } from "../onnx-model.js";
import { pruneHalf, storedShape } from "./prune-half.js";
import { nothingOutside } from "./structures.js";

interface Case {
  /** Nodes from `a` to `b`. */
  readonly nodes: readonly NodeProto[];
  readonly initializers?: readonly TensorProto[];
  /** Channels of `a`, 16 unless said, and of `b`, as many. */
  readonly from?: number;
  readonly to?: number;
  readonly opset?: number;
}

/** An image [1, 3, 4, 4] through a Conv to `a`, and from `b` through a Conv to the output. */
function imageModel({ nodes, initializers = [], from = 16, to = from, opset = 13 }: Case) {
  const model = makeModel({
    opset,
    ir: 8,
    inputs: [["x", "float32", [1, 3, 4, 4]]],
    outputs: [["y", "float32", ["n", 2, "h", "w"]]],
    nodes: [makeNode("Conv", "first", ["x", "w"], ["a"]), ...nodes, makeNode("Conv", "last", ["b", "v"], ["y"])],
    initializers: [floats("w", [from, 3, 1, 1]), ...initializers, floats("v", [2, to, 1, 1])],
  });
  if (nodes.some(({ domain }) => domain)) {
    const own = makeModel({ nodes: [], outputs: [], opset: 1 }).opsetImport[0]!;
    own.domain = "com.microsoft";
    model.opsetImport.push(own);
  }
  return model;
}

const one = (opType: string, inputs: readonly string[] = [], attributes: Parameters<typeof makeNode>[4] = {}) => {
  const [domain, name] = opType.includes(":") ? (opType.split(":") as [string, string]) : ["", opType];
  const node = makeNode(name, "it", ["a", ...inputs], ["b"], attributes);
  node.domain = domain;
  return [node];
};

const scales = makeTensor("s", { dtype: "float32", shape: [4], data: Float32Array.of(1, 1, 2, 2) });
const shuffled = makeTensor("s", { dtype: "float32", shape: [4], data: Float32Array.of(1, 1.05, 2, 2) });
const regions = makeTensor("r", { dtype: "float32", shape: [1, 5], data: Float32Array.of(0, 0, 0, 2, 3) });

// how many channels of how many indices of w each
test.each<[string, Case, number, number]>([
  [
    "one channel each of a depthwise Conv",
    { nodes: one("Conv", ["k"], { group: 16 }), initializers: [floats("k", [16, 1, 1, 1])] },
    16,
    1,
  ],
  [
    "one channel each that makes two",
    { nodes: one("Conv", ["k"], { group: 16 }), initializers: [floats("k", [32, 1, 1, 1])], to: 32 },
    16,
    1,
  ],
  [
    "whole groups of four",
    { nodes: one("Conv", ["k"], { group: 4 }), initializers: [floats("k", [8, 4, 1, 1])], to: 8 },
    4,
    4,
  ],
  [
    "the same place of two groups of eight",
    { nodes: one("Conv", ["k"], { group: 2 }), initializers: [floats("k", [6, 8, 1, 1])], to: 6 },
    8,
    2,
  ],
  [
    "whole groups of ConvTranspose",
    { nodes: one("ConvTranspose", ["k"], { group: 4 }), initializers: [floats("k", [16, 3, 1, 1])], to: 12 },
    4,
    4,
  ],
  [
    "the same place of ConvTranspose's groups",
    { nodes: one("ConvTranspose", ["k"], { group: 2 }), initializers: [floats("k", [16, 3, 1, 1])], to: 6 },
    8,
    2,
  ],
  [
    "one channel of instances",
    { nodes: one("InstanceNormalization", ["g", "c"]), initializers: [floats("g", [16]), floats("c", [16])] },
    16,
    1,
  ],
  [
    "whole groups of GroupNormalization",
    {
      nodes: one("GroupNormalization", ["g", "c"], { num_groups: 4 }),
      initializers: [floats("g", [16]), floats("c", [16])],
      opset: 21,
    },
    4,
    4,
  ],
  [
    "the same place of its wide groups",
    {
      nodes: one("GroupNormalization", ["g", "c"], { num_groups: 2 }),
      initializers: [floats("g", [16]), floats("c", [16])],
      opset: 21,
    },
    8,
    2,
  ],
  [
    "one channel where it has one group",
    {
      nodes: one("GroupNormalization", ["g", "c"], { num_groups: 1 }),
      initializers: [floats("g", [16]), floats("c", [16])],
      opset: 21,
    },
    16,
    1,
  ],
  [
    "whole groups with a scale each",
    {
      nodes: one("GroupNormalization", ["g", "c"], { num_groups: 4 }),
      initializers: [floats("g", [4]), floats("c", [4])],
      opset: 18,
    },
    4,
    4,
  ],
  [
    "places of wide groups with a scale each",
    {
      nodes: one("GroupNormalization", ["g", "c"], { num_groups: 2 }),
      initializers: [floats("g", [2]), floats("c", [2])],
      opset: 18,
    },
    8,
    2,
  ],
  [
    "channels of which an old Upsample passes all",
    { nodes: one("Upsample", ["s"]), initializers: [scales], opset: 9 },
    16,
    1,
  ],
  ["channels of Resize before opset 11", { nodes: one("Resize", ["s"]), initializers: [scales], opset: 10 }, 16, 1],
  [
    "channels of Resize of named axes",
    { nodes: one("Resize", ["", "", "s"], { axes: [2, 1] }), initializers: [ints("s", [8, 16])], opset: 18 },
    16,
    1,
  ],
  [
    "channels of a region",
    { nodes: one("MaxRoiPool", ["r"], { pooled_shape: [2, 2] }), initializers: [regions] },
    16,
    1,
  ],
  ["channels before the axis of an old Softmax", { nodes: one("Softmax", [], { axis: 2 }), opset: 11 }, 16, 1],
  [
    "channels of which a sum is added",
    {
      nodes: [makeNode("ReduceSum", "it", ["a", "axes"], ["sum"]), makeNode("Add", "", ["a", "sum"], ["b"])],
      initializers: [ints("axes", [1])],
    },
    16,
    1,
  ],
  [
    "channels whose mean is taken away",
    { nodes: [makeNode("ReduceMean", "it", ["a"], ["m"], { axes: [1] }), makeNode("Sub", "", ["a", "m"], ["b"])] },
    16,
    1,
  ],
  [
    "channels that are scaled by a mean over them and all places",
    {
      nodes: [makeNode("ReduceMean", "it", ["a", "axes"], ["m"]), makeNode("Mul", "", ["a", "m"], ["b"])],
      initializers: [ints("axes", [1, 2, 3])],
      opset: 18,
    },
    16,
    1,
  ],
  [
    "channels that are scaled by their length",
    {
      nodes: [makeNode("ReduceL2", "it", ["a"], ["m"], { axes: [1] }), makeNode("Mul", "", ["a", "m"], ["b"])],
    },
    16,
    1,
  ],
  [
    "channels that the logarithm of their sum is taken from",
    {
      nodes: [
        makeNode("Exp", "", ["a"], ["e"]),
        makeNode("ReduceLogSum", "it", ["e"], ["m"], { axes: [1] }),
        makeNode("Sub", "", ["a", "m"], ["b"]),
      ],
    },
    16,
    1,
  ],
  [
    "channels that nothing is padded to",
    { nodes: one("Pad", ["p"]), initializers: [ints("p", [0, 0, 1, 0, 0, 0, 0, 1])] },
    16,
    1,
  ],
])("what goes together: %s", async (_, parts, channels, width) => {
  const { groups, error, moved } = await pruneHalf(imageModel(parts));
  const own = groups.groups.find(({ axes }) => axes.some(({ tensor }) => tensor.name === "w"));
  expect(own?.channels.length).toBe(channels);
  expect(own?.axes.find(({ tensor }) => tensor.name === "w")?.width).toBe(width);
  expect(error).toBeLessThan(1e-5);
  expect(moved).toBeGreaterThan(1e-3);
});

test.each<[string, Case, string]>([
  ["LRN", { nodes: one("LRN", [], { size: 3 }) }, "uses every index of it"],
  [
    "a mean of whole numbers",
    {
      nodes: [
        makeNode("Cast", "", ["a"], ["i"], { to: 6 }),
        makeNode("ReduceMean", "it", ["i"], ["m"], { axes: [1] }),
        makeNode("Cast", "", ["m"], ["f"], { to: 1 }),
        makeNode("Add", "", ["a", "f"], ["b"]),
      ],
    },
    "uses every index of it",
  ],
  [
    "the largest of channels",
    { nodes: [makeNode("ReduceMax", "it", ["a"], ["m"], { axes: [1] }), makeNode("Sub", "", ["a", "m"], ["b"])] },
    "uses every index of it",
  ],
  ["Softmax of channels", { nodes: one("Softmax", [], { axis: 1 }) }, "uses every index of it"],
  ["an old Softmax from channels on", { nodes: one("Softmax"), opset: 11 }, "uses every index of it"],
  ["LpNormalization of channels", { nodes: one("LpNormalization", [], { axis: 1 }) }, "uses every index of it"],
  [
    "Pad that mirrors channels",
    { nodes: one("Pad", ["p"], { mode: "reflect" }), initializers: [ints("p", [0, 1, 0, 0, 0, 0, 0, 0])], to: 17 },
    "uses every index of it",
  ],
  [
    "Resize that interpolates channels",
    { nodes: one("Resize", ["", "s"]), initializers: [shuffled] },
    "uses every index of it",
  ],
  [
    "MaxPool with indices",
    {
      nodes: [
        makeNode("MaxPool", "it", ["a"], ["m", "i"], { kernel_shape: [1, 1] }),
        makeNode("Cast", "", ["i"], ["j"], { to: 1 }),
        makeNode("Add", "", ["m", "j"], ["b"]),
      ],
    },
    "its indices count every channel",
  ],
  [
    "blocks with scales",
    {
      nodes: [
        makeNode("QuantizeLinear", "it", ["a", "q"], ["m"], { axis: 1, block_size: 4 }),
        makeNode("DequantizeLinear", "", ["m", "q"], ["b"], { axis: 1, block_size: 4 }),
      ],
      initializers: [makeTensor("q", { dtype: "float32", shape: [1, 4, 4, 4], data: new Float32Array(64).fill(0.1) })],
      opset: 21,
    },
    "its scales are those of blocks",
  ],
  [
    "TopK of channels",
    { nodes: [makeNode("TopK", "it", ["a", "k"], ["b", "at"], { axis: 1 })], initializers: [ints("k", [9])], to: 9 },
    "uses every index of it",
  ],
  [
    "a running sum of channels",
    { nodes: one("CumSum", ["k"]), initializers: [ints("k", [1])] },
    "uses every index of it",
  ],
  [
    "an operator without a row",
    {
      nodes: one("MaxUnpool", ["i"], { kernel_shape: [1, 1] }),
      initializers: [
        makeTensor("i", {
          dtype: "int64",
          shape: [1, 16, 4, 4],
          data: BigInt64Array.from({ length: 256 }, (_, at) => BigInt(at)),
        }),
      ],
    },
    "this operator is not followed",
  ],
])("what stays: channels of %s", async (_, parts, why) => {
  const { groups } = await pruneHalf(imageModel(parts));
  expect(groups.groups.flatMap(({ axes }) => axes.map(({ tensor }) => tensor.name))).not.toContain("w");
  const frozen = groups.frozen.find(({ tensor, axis }) => tensor.name === "w" && axis === 0);
  expect(frozen?.cause).toMatchObject({ node: "it", why });
});

test("numbers that stand in attributes are mended", async () => {
  const grouped = { nodes: one("Conv", ["k"], { group: 4 }), initializers: [floats("k", [8, 4, 1, 1])], to: 8 };
  const groups = async (parts: Case, name: string) =>
    intAttribute((await pruneHalf(imageModel(parts))).small.graph!.node.find((node) => node.name === "it")!, name, 0);
  expect(await groups(grouped, "group")).toBe(2);
  const normalised = {
    nodes: one("GroupNormalization", ["g", "c"], { num_groups: 4 }),
    initializers: [floats("g", [16]), floats("c", [16])],
    opset: 21,
  };
  expect(await groups(normalised, "num_groups")).toBe(2);
});

test("a mean is still one over all there were", async () => {
  const mean = [makeNode("ReduceMean", "it", ["a"], ["m"], { axes: [1, 2] }), makeNode("Sub", "", ["a", "m"], ["b"])];
  const { groups, small, zeroed } = await pruneHalf(imageModel({ nodes: mean }));
  expect(groups.groups[0]).toMatchObject({ name: "w", normalisations: 1 });
  const share = small.graph!.node.find(({ opType }) => opType === "Mul")!;
  expect(share.output).toEqual(["m"]);
  const stored = small.graph!.initializer.find(({ name }) => name === share.input[1])!;
  expect(readTensor(stored, nothingOutside)).toMatchObject({ dtype: "float32", shape: [], data: Float32Array.of(0.5) });
  // the mask stands where the mean is taken, so that what is left of "a" is not touched
  const [masked] = zeroed.graph!.node.filter(({ opType }) => opType === "Mul").map(({ output }) => output[0]);
  expect(zeroed.graph!.node.find(({ opType }) => opType === "ReduceMean")!.input[0]).toBe(masked);
});

test("both axes of x xT are summed over", async () => {
  for (const opType of ["ReduceSum", "ReduceMean"]) {
    const { groups, error, moved } = await pruneHalf(
      imageModel({
        opset: 18,
        nodes: [
          makeNode("Reshape", "flat", ["a", "to"], ["q"]),
          makeNode("Transpose", "turn", ["q"], ["t"], { perm: [0, 2, 1] }),
          makeNode("MatMul", "gram", ["q", "t"], ["g"]),
          makeNode(opType, "it", ["g", "axes"], ["r"], { keepdims: 1 }),
          makeNode("Mul", "use", ["q", "r"], ["o"]),
          makeNode("Reshape", "image", ["o", "from"], ["b"]),
        ],
        initializers: [ints("to", [1, 16, 16]), ints("from", [1, 16, 4, 4]), ints("axes", [1, 2])],
      }),
    );
    expect(groups.groups[0]?.channels.length).toBe(16);
    expect(error).toBeLessThan(1e-5);
    expect(moved).toBeGreaterThan(1e-3);
  }
});

test("statistics run over what is left, and say so", async () => {
  const model = makeModel({
    opset: 17,
    inputs: [["x", "float32", [2, 5, 6]]],
    outputs: [["y", "float32", [2, 5, 3]]],
    nodes: [
      makeNode("MatMul", "first", ["x", "w"], ["a"]),
      makeNode("LayerNormalization", "it", ["a", "g", "c"], ["b"]),
      makeNode("MatMul", "last", ["b", "v"], ["y"]),
    ],
    initializers: [floats("w", [6, 8]), floats("g", [8]), floats("c", [8]), floats("v", [8, 3])],
  });
  const { groups, small, error } = await pruneHalf(model);
  expect(groups.groups).toHaveLength(1);
  expect(groups.groups[0]).toMatchObject({ normalisations: 1 });
  expect(groups.groups[0]!.axes.map(({ tensor, axis }) => `${tensor.name}${axis}`)).toEqual(["w1", "g0", "c0", "v0"]);
  expect(storedShape(small, "g")).toEqual([4]);
  expect(error).toBeLessThan(1e-5);
});

test.each<[string, Parameters<typeof makeNode>[4]]>([
  ["Softmax", { axis: 1 }],
  ["Softmax", { axis: 2 }],
  ["ReduceMax", { axes: [1], keepdims: 1 }],
])("%s over one axis of x xT, whose axes are the same channels, keeps them: %j", async (opType, attributes) => {
  const { groups, error } = await pruneHalf(
    imageModel({
      opset: 17,
      nodes: [
        makeNode("Reshape", "flat", ["a", "to"], ["q"]),
        makeNode("Transpose", "turn", ["q"], ["t"], { perm: [0, 2, 1] }),
        makeNode("MatMul", "gram", ["q", "t"], ["g"]),
        makeNode(opType, "it", ["g"], ["r"], attributes),
        makeNode("Mul", "use", ["g", "r"], ["m"]),
        makeNode("MatMul", "back", ["m", "q"], ["o"]),
        makeNode("Reshape", "image", ["o", "from"], ["b"]),
      ],
      initializers: [ints("to", [1, 16, 16]), ints("from", [1, 16, 4, 4])],
    }),
  );
  expect(groups.groups).toEqual([]);
  expect(error).toBe(0);
});

test("a sum that a fused convolution adds keeps the channels that it has", async () => {
  const nodes = [makeNode("Relu", "r", ["a"], ["a2"]), makeNode("FusedConv", "it", ["a2", "k", "c", "z"], ["b"])];
  nodes[1]!.domain = "com.microsoft";
  const model = imageModel({ nodes, initializers: [floats("k", [16, 16, 1, 1]), floats("c", [16])] });
  model.graph!.input.push(
    makeModel({ inputs: [["z", "float32", [1, 16, 4, 4]]], outputs: [], nodes: [] }).graph!.input[0]!,
  );
  const { groups } = await pruneHalf(model);
  expect(groups.groups.map(({ name }) => name)).toEqual(["w"]);
});
