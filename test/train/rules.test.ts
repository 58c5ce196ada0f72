import {
  between,
  constant,
  distinct,
  type GradientCase,
  given,
  grid,
  ints,
  normal,
  testGradients,
} from "./finite-differences.js";

const float = (value: number) => ({ float: value });
const x = normal([2, 3, 4]);
/** Away from 0, where some are not smooth. */
const kinked = grid([3, 8], 0.025);
const condition = ints([1, 0, 1, 0, 0, 1, 1, 0], [2, 1, 4], "bool");

testGradients("unary", [
  { op: "Identity", inputs: [x] },
  { op: "Neg", inputs: [x] },
  { op: "Exp", inputs: [x] },
  { op: "Log", inputs: [between([10], 0.5, 3)] },
  { op: "Sqrt", inputs: [between([10], 0.5, 3)] },
  { op: "Reciprocal", inputs: [between([10], 0.5, 3)] },
  { op: "Abs", inputs: [kinked] },
  { op: "Sin", inputs: [x] },
  { op: "Cos", inputs: [x] },
  { op: "Tan", inputs: [between([10], -1, 1)], float64: false },
  { op: "Asin", inputs: [between([10], -0.7, 0.7)], float64: false },
  { op: "Acos", inputs: [between([10], -0.7, 0.7)], float64: false },
  { op: "Atan", inputs: [x], float64: false },
  { op: "Sinh", inputs: [x], float64: false },
  { op: "Cosh", inputs: [x], float64: false },
  { op: "Tanh", inputs: [x] },
  { op: "Asinh", inputs: [x], float64: false },
  { op: "Acosh", inputs: [between([10], 1.5, 3)], float64: false },
  { op: "Atanh", inputs: [between([10], -0.7, 0.7)], float64: false },
  { op: "Sigmoid", inputs: [x] },
  { op: "Softplus", inputs: [x], float64: false },
  { op: "Softsign", inputs: [kinked], float64: false },
  { op: "Relu", inputs: [kinked] },
  { op: "LeakyRelu", inputs: [kinked], attributes: { alpha: float(0.2) }, float64: false },
  { op: "LeakyRelu", note: "alpha above 1", inputs: [kinked], attributes: { alpha: float(1.5) }, float64: false },
  { op: "ThresholdedRelu", inputs: [kinked], attributes: { alpha: float(0.5) }, float64: false },
  { op: "Elu", inputs: [kinked], attributes: { alpha: float(1.5) }, float64: false },
  { op: "Elu", note: "alpha 1", inputs: [kinked], float64: false },
  { op: "Selu", inputs: [kinked], float64: false },
  { op: "Celu", inputs: [kinked], attributes: { alpha: float(1.5) }, float64: false },
  { op: "HardSigmoid", inputs: [given([-3, -2, -1, 0, 1, 2, 3])], attributes: { alpha: float(0.3) }, float64: false },
  { op: "HardSwish", inputs: [given([-4, -2.5, -1, 0, 1, 2.5, 4])], float64: false },
  { op: "Mish", inputs: [x], float64: false },
  { op: "Erf", inputs: [x], float64: false },
  { op: "Gelu", inputs: [x], float64: false },
  { op: "Gelu", note: "tanh", inputs: [x], attributes: { approximate: "tanh" } },
  { op: "com.microsoft:Gelu", inputs: [x], float64: false },
  { op: "com.microsoft:FastGelu", inputs: [x] },
  { op: "com.microsoft:FastGelu", note: "bias", inputs: [x, normal([4])] },
  { op: "com.microsoft:QuickGelu", inputs: [x], float64: false },
  { op: "com.microsoft:QuickGelu", note: "SiLU", inputs: [x], attributes: { alpha: float(1) }, float64: false },
]);

testGradients("piecewise, binary", [
  { op: "Clip", inputs: [kinked, constant(given([-0.5], [])), constant(given([0.3], []))] },
  { op: "Clip", note: "no upper bound", inputs: [kinked, constant(given([-0.5], []))] },
  { op: "PRelu", inputs: [grid([2, 3, 4], 0.025), normal([3, 1])], float64: false },
  { op: "Add", note: "broadcast", inputs: [x, normal([3, 1])] },
  { op: "Sub", note: "broadcast", inputs: [x, normal([3, 1])] },
  { op: "Sub", note: "broadcast on the left", inputs: [normal([1]), x] },
  { op: "Mul", note: "broadcast", inputs: [x, normal([3, 1])] },
  { op: "Mul", note: "square", inputs: [x], forward: (b, [v]) => [b.mul(v!, v!)] },
  { op: "Div", note: "broadcast", inputs: [x, between([3, 1], 1, 2)] },
  { op: "Pow", note: "exponent 2", inputs: [x, constant(given([2], []))] },
  { op: "Pow", note: "exponent 0.5", inputs: [between([6], 0.5, 3), constant(given([0.5], []))] },
  { op: "Pow", note: "integer exponent", inputs: [x, ints([3], [])] },
  { op: "Pow", note: "both", inputs: [between([2, 3], 0.5, 2), normal([3])] },
  { op: "Pow", note: "exponents of 0", inputs: [given([0, 1, 2]), constant(given([0, 0, 2]))] },
  { op: "Where", note: "broadcast", inputs: [condition, normal([3, 1]), x] },
  { op: "Max", inputs: [grid([2, 3, 4], 0), grid([3, 1], 0.025)] },
  { op: "Max", note: "against a constant", inputs: [grid([2, 3, 4], 0), constant(given([0.025], []))] },
  { op: "Max", note: "of 1", inputs: [x] },
  { op: "Min", inputs: [grid([2, 3, 4], 0), grid([3, 1], 0.025)] },
  { op: "Min", note: "of 3", inputs: [grid([2, 3, 4], 0), grid([4], 0.017), grid([3, 1], 0.034)], delta: 5e-3 },
  { op: "Sum", note: "of 3", inputs: [x, normal([3, 1]), normal([4])] },
  { op: "Mean", note: "of 3", inputs: [x, normal([3, 1]), normal([4])], float64: false },
  {
    op: "Cast",
    note: "there and back",
    inputs: [x],
    float64: false,
    forward: (b, [v]) => [b.cast(b.mul(b.cast(v!, "float64"), 2), "float32")],
  },
  {
    op: "Cast",
    note: "nothing flows through integers and conditions",
    inputs: [kinked],
    forward: (b, [v]) => [
      b.mul(v!, b.cast(b.compare("Greater", v!, 0), v!.dtype)),
      b.cast(b.cast(v!, "int32"), v!.dtype),
    ],
  },
  { op: "Sign", inputs: [kinked] },
  { op: "Dropout", note: "at inference", inputs: [x] },
]);

const products = (op: string, extra: (row: GradientCase) => GradientCase = (row) => row): readonly GradientCase[] =>
  [0, 1, 2, 3].map((bits) => {
    const [transA, transB] = [bits & 1, bits >> 1];
    return extra({
      op,
      note: `transA ${transA} transB ${transB}`,
      inputs: [normal(transA ? [3, 2] : [2, 3]), normal(transB ? [4, 3] : [3, 4])],
      attributes: { transA, transB, alpha: float(0.7) },
    });
  });

testGradients("MatMul", [
  { op: "MatMul", note: "2-D by 2-D", inputs: [normal([2, 3]), normal([3, 4])] },
  { op: "MatMul", note: "3-D by 2-D", inputs: [normal([2, 3, 4]), normal([4, 5])] },
  { op: "MatMul", note: "2-D by 3-D", inputs: [normal([3, 4]), normal([2, 4, 5])] },
  { op: "MatMul", note: "4-D by 4-D", inputs: [normal([2, 2, 3, 4]), normal([2, 2, 4, 2])] },
  { op: "MatMul", note: "batches broadcast", inputs: [normal([2, 1, 3, 4]), normal([3, 4, 2])] },
  { op: "MatMul", note: "vector on the right", inputs: [normal([2, 3, 4]), normal([4])] },
  { op: "MatMul", note: "vector on the left", inputs: [normal([4]), normal([2, 4, 3])] },
  { op: "MatMul", note: "two vectors", inputs: [normal([4]), normal([4])] },
  ...products("com.microsoft:FusedMatMul", (row) => ({ ...row, float64: false })),
  ...products("com.microsoft:FusedMatMul", (row) => ({
    ...row,
    note: `${row.note} batches`,
    inputs: row.inputs.map((one) => normal([2, ...one!.shape])),
    float64: false,
  })),
  {
    op: "com.microsoft:FusedMatMul",
    note: "batch by 2-D, transB",
    inputs: [normal([2, 3, 4]), normal([5, 4])],
    attributes: { transB: 1 },
    float64: false,
  },
]);

testGradients("Gemm", [
  ...products("Gemm", (row) => ({
    ...row,
    inputs: [...row.inputs, normal([1, 4])],
    attributes: { ...row.attributes, beta: float(1.3) },
  })),
  { op: "Gemm", note: "a column is added", inputs: [normal([2, 3]), normal([3, 4]), normal([2, 1])] },
  { op: "Gemm", note: "nothing is added", inputs: [normal([2, 3]), normal([3, 4])] },
]);

const reductions: readonly GradientCase[] = [
  "ReduceSum",
  "ReduceMean",
  "ReduceMax",
  "ReduceMin",
  "ReduceL1",
  "ReduceL2",
  "ReduceLogSum",
  "ReduceLogSumExp",
  "ReduceSumSquare",
].flatMap((op) => {
  const input = op === "ReduceLogSum" ? between([2, 3, 4], 0.5, 2) : /Max|Min|L1/.test(op) ? distinct([2, 3, 4]) : x;
  return [1, 0].map((keepdims) => ({
    op,
    note: `keepdims ${keepdims}`,
    inputs: [input, ints(keepdims ? [1] : [0, -1])],
    attributes: { keepdims },
  }));
});

testGradients("reductions", [
  ...reductions,
  { op: "ReduceMean", note: "all axes", inputs: [x] },
  { op: "ReduceSum", note: "no axes", inputs: [x], attributes: { noop_with_empty_axes: 1 } },
]);

const norm = [normal([2, 3, 8]), normal([8]), normal([8])] as const;
const image = normal([2, 4, 3, 2], 1, 0.5);
const channel = normal([4]);
const variance = constant(between([4], 0.5, 2));

testGradients("softmax, norms", [
  { op: "Softmax", inputs: [x] },
  { op: "Softmax", note: "axis 1", inputs: [x], attributes: { axis: 1 } },
  { op: "LogSoftmax", inputs: [x] },
  { op: "LogSoftmax", note: "axis 0", inputs: [x], attributes: { axis: 0 } },
  { op: "LayerNormalization", inputs: norm },
  { op: "LayerNormalization", note: "statistics", inputs: norm, outputs: 3, lossOf: [0], float64: false },
  { op: "LayerNormalization", note: "axis 1", inputs: [x, normal([3, 4]), normal([3, 4])], attributes: { axis: 1 } },
  { op: "LayerNormalization", note: "scale broadcast", inputs: [norm[0], normal([1])] },
  { op: "SimplifiedLayerNormalization", inputs: norm.slice(0, 2) },
  { op: "RMSNormalization", inputs: norm.slice(0, 2), opset: 23 },
  { op: "BatchNormalization", note: "frozen", inputs: [image, channel, channel, constant(channel), variance] },
  { op: "InstanceNormalization", inputs: [image, channel, channel], float64: false },
  { op: "GroupNormalization", inputs: [image, channel, channel], attributes: { num_groups: 2 }, float64: false },
  { op: "LpNormalization", inputs: [x], attributes: { axis: 1 } },
]);

const scores = normal([4, 3, 2]);
const labels = ints([0, 2, 1, 1, -1, 0, 2, 2], [4, 2]);
const allLabels = ints([0, 2, 1, 1, 0, 0, 2, 2], [4, 2]);
const weights = constant(between([3], 0.5, 2));

testGradients("losses", [
  ...["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"].flatMap((op) => [
    { op, note: "plain", inputs: [scores, allLabels] },
    ...["mean", "sum", "none"].map((reduction) => ({
      op,
      note: `${reduction}, weights, ignored labels`,
      inputs: [scores, labels, weights],
      attributes: { reduction, ignore_index: -1 },
    })),
  ]),
  { op: "SoftmaxCrossEntropyLoss", note: "logarithms too", inputs: [normal([4, 3]), ints([0, 2, 1, 1])], outputs: 2 },
]);

testGradients("others", [
  { op: "Einsum", inputs: [normal([2, 3, 4]), normal([2, 5, 4])], attributes: { equation: "bid,bjd->bij" } },
  { op: "Einsum", note: "one", inputs: [x], attributes: { equation: "bij->jb" } },
  {
    op: "Einsum",
    note: "three",
    inputs: [normal([2]), normal([2, 3]), normal([3])],
    attributes: { equation: "a,ab,b->ab" },
  },
  { op: "Einsum", note: "summed out of one", inputs: [x, normal([3, 2])], attributes: { equation: "bij,ik->bk" } },
  { op: "Trilu", inputs: [x, ints([1], [])], attributes: { upper: 0 } },
  { op: "CumSum", inputs: [x, ints([1], [])] },
  { op: "CumSum", note: "exclusive, reverse", inputs: [x, ints([2], [])], attributes: { exclusive: 1, reverse: 1 } },
]);

const hidden = [normal([2, 3]), normal([2, 3])];
const gates = [normal([2, 4]), normal([4, 12]), normal([3, 12]), normal([12])];

testGradients("composites", [
  {
    op: "causal attention",
    inputs: [normal([2, 3, 8]), normal([8, 24]), constant(given([0, -1e9, -1e9, 0, 0, -1e9, 0, 0, 0], [3, 3]))],
    forward: (b, [v, weight, mask]) => {
      const parts = b.split(b.matmul(v!, weight!), [8, 8, 8], 2);
      const [q, k, w] = parts.map((one) => b.transpose(b.reshape(one, [2, 3, 2, 4]), [0, 2, 1, 3]));
      const chances = b.softmax(b.add(b.div(b.matmul(q!, b.transpose(k!, [0, 1, 3, 2])), 2), mask!), -1);
      return [b.reshape(b.transpose(b.matmul(chances, w!), [0, 2, 1, 3]), [2, 3, 8])];
    },
  },
  {
    op: "rotary positions",
    inputs: [normal([2, 3, 8]), constant(normal([3, 8])), constant(normal([3, 8]))],
    forward: (b, [v, cosine, sine]) => {
      const [low, high] = [b.slice(v!, [2], [0], [4]), b.slice(v!, [2], [4], [8])];
      return [b.add(b.mul(v!, cosine!), b.mul(b.concat([b.map("Neg", high), low], -1), sine!))];
    },
  },
  {
    op: "SwiGLU",
    inputs: [normal([2, 3, 4]), normal([4, 6]), normal([4, 6]), normal([6, 4])],
    forward: (b, [v, gate, up, down]) => {
      const g = b.matmul(v!, gate!);
      return [b.matmul(b.mul(b.mul(g, b.map("Sigmoid", g)), b.matmul(v!, up!)), down!)];
    },
  },
  {
    op: "LSTM cell, three steps",
    inputs: [...hidden, ...gates],
    forward: (b, [h0, c0, v, input, recurrent, bias]) => {
      let [h, c] = [h0!, c0!];
      for (let step = 0; step < 3; step++) {
        const sum = b.add(b.add(b.matmul(v!, input!), b.matmul(h, recurrent!)), bias!);
        const [i, o, f, z] = b.split(sum, [3, 3, 3, 3], 1);
        const kept = b.mul(b.map("Sigmoid", f!), c);
        c = b.add(kept, b.mul(b.map("Sigmoid", i!), b.map("Tanh", z!)));
        h = b.mul(b.map("Sigmoid", o!), b.map("Tanh", c));
      }
      return [h, c];
    },
  },
  {
    op: "BatchNormalization with the statistics of the batch",
    inputs: [normal([3, 2, 2, 2]), normal([2, 1, 1]), normal([2, 1, 1])],
    forward: (b, [v, scale, shift]) => {
      const off = b.sub(v!, b.reduce("ReduceMean", v!, [0, 2, 3]));
      const variance = b.reduce("ReduceMean", b.mul(off, off), [0, 2, 3]);
      return [b.add(b.mul(b.div(off, b.map("Sqrt", b.add(variance, 1e-5))), scale!), shift!)];
    },
  },
]);
