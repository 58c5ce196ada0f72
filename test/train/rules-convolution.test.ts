import { type CaseInput, distinct, type GradientCase, given, normal, testGradients } from "./finite-differences.js";

// onnxruntime has no convolution or pooling in float64
const conv = (
  note: string,
  inputs: readonly CaseInput[],
  attributes: GradientCase["attributes"] = {},
): GradientCase => ({
  op: "Conv",
  note,
  inputs,
  attributes,
  float64: false,
});

testGradients("Conv", [
  conv("3x3 with pads and bias", [normal([2, 3, 5, 6]), normal([4, 3, 3, 3]), normal([4])], { pads: [1, 1, 1, 1] }),
  conv("3x3 without pads", [normal([2, 3, 5, 6]), normal([4, 3, 3, 3])]),
  conv("stride 2", [normal([2, 3, 6, 7]), normal([4, 3, 3, 3])], { strides: [2, 2], pads: [1, 1, 1, 1] }),
  conv("dilations, strides, kernel all uneven", [normal([2, 2, 9, 10]), normal([3, 2, 3, 2])], {
    strides: [3, 2],
    dilations: [2, 3],
    pads: [2, 1, 2, 1],
  }),
  conv("two groups, stride 2", [normal([2, 4, 6, 6]), normal([6, 2, 3, 3])], {
    group: 2,
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  }),
  conv("uneven pads", [normal([2, 2, 5, 6]), normal([3, 2, 3, 3])], { pads: [0, 1, 2, 0] }),
  conv("one axis", [normal([2, 3, 9]), normal([4, 3, 3]), normal([4])], { pads: [1, 1], strides: [2] }),
  conv("1x1", [normal([2, 3, 4, 5]), normal([4, 3, 1, 1]), normal([4])]),
  conv("1x1, stride 2", [normal([2, 3, 5, 6]), normal([4, 3, 1, 1])], { strides: [2, 2] }),
  conv("1x1 with pads", [normal([2, 3, 4, 3]), normal([4, 3, 1, 1])], { pads: [1, 0, 1, 1] }),
  conv("1x1, two groups", [normal([2, 4, 3, 3]), normal([4, 2, 1, 1])], { group: 2 }),
  conv("depthwise with bias", [normal([2, 4, 5, 5]), normal([4, 1, 3, 3]), normal([4])], {
    group: 4,
    pads: [1, 1, 1, 1],
  }),
  conv("depthwise, stride 2", [normal([2, 4, 6, 5]), normal([4, 1, 3, 3])], {
    group: 4,
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  }),
  conv("depthwise 5x5, stride 2", [normal([2, 3, 8, 8]), normal([3, 1, 5, 5])], {
    group: 3,
    strides: [2, 2],
    pads: [2, 2, 2, 2],
  }),
  conv("two filters a channel", [normal([2, 3, 5, 5]), normal([6, 1, 3, 3])], { group: 3, pads: [1, 1, 1, 1] }),
  conv("SAME_UPPER, stride 2", [normal([2, 3, 6, 5]), normal([4, 3, 3, 3])], {
    strides: [2, 2],
    auto_pad: "SAME_UPPER",
  }),
  conv("SAME_LOWER, stride 2", [normal([2, 3, 6, 5]), normal([4, 3, 3, 3])], {
    strides: [2, 2],
    auto_pad: "SAME_LOWER",
  }),
  conv("VALID", [normal([2, 3, 6, 5]), normal([4, 3, 3, 2])], { auto_pad: "VALID" }),
  conv("16 channels, uneven pads and bias", [normal([2, 16, 5, 6]), normal([4, 16, 3, 3]), normal([4])], {
    pads: [0, 1, 2, 0],
  }),
  conv("16 channels, dilations, strides, kernel all uneven", [normal([2, 16, 9, 10]), normal([3, 16, 3, 2])], {
    strides: [3, 2],
    dilations: [2, 3],
    pads: [2, 1, 2, 1],
  }),
  conv("16 channels, stride 3, the last places are not read", [normal([2, 16, 6, 7]), normal([3, 16, 2, 3])], {
    strides: [3, 3],
  }),
  conv("16 channels, one axis", [normal([2, 16, 9]), normal([4, 16, 3])], { pads: [1, 1], strides: [2] }),
  conv("16 channels, three axes", [normal([1, 16, 3, 3, 4]), normal([2, 16, 2, 2, 3])], { pads: [0, 1, 1, 1, 0, 1] }),
  conv("three axes", [normal([2, 2, 4, 4, 5]), normal([3, 2, 2, 3, 3])], {
    pads: [0, 1, 1, 1, 1, 1],
    strides: [1, 2, 1],
  }),
]);

const transposed = (
  note: string,
  inputs: readonly CaseInput[],
  attributes: GradientCase["attributes"] = {},
): GradientCase => ({
  op: "ConvTranspose",
  note,
  inputs,
  attributes,
  float64: false,
});
const pool = (
  op: string,
  note: string,
  input: CaseInput,
  attributes: GradientCase["attributes"] = {},
  more: Partial<GradientCase> = {},
): GradientCase => ({
  op,
  note,
  inputs: [input],
  attributes,
  float64: false,
  ...more,
});
// maxima that are no nearer to each other than two differences
const apart = distinct([2, 2, 6, 7], 0.05);

testGradients("ConvTranspose, pooling", [
  transposed("stride 2, output padding and bias", [normal([2, 3, 4, 5]), normal([3, 2, 3, 3]), normal([2])], {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    output_padding: [1, 1],
  }),
  transposed("to 16 channels, stride 2, output padding", [normal([2, 3, 4, 3]), normal([3, 16, 3, 3])], {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    output_padding: [1, 1],
  }),
  transposed("two groups", [normal([2, 4, 3, 3]), normal([4, 2, 2, 2])], { group: 2, strides: [2, 2] }),
  transposed("stride 1, dilations", [normal([2, 2, 4, 4]), normal([2, 3, 3, 2])], {
    dilations: [2, 1],
    pads: [1, 0, 1, 0],
  }),
  transposed("SAME_UPPER", [normal([2, 2, 3, 4]), normal([2, 3, 3, 3])], { strides: [2, 2], auto_pad: "SAME_UPPER" }),
  transposed("SAME_LOWER", [normal([2, 2, 3, 4]), normal([2, 3, 3, 3])], { strides: [2, 2], auto_pad: "SAME_LOWER" }),
  transposed("output_shape", [normal([2, 2, 3, 4]), normal([2, 3, 3, 3])], { strides: [2, 2], output_shape: [6, 8] }),
  pool(
    "MaxPool",
    "overlapping, with pads",
    apart,
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    { outputs: 2, lossOf: [0] },
  ),
  pool("MaxPool", "side by side", apart, { kernel_shape: [2, 2], strides: [2, 2] }, { outputs: 2, lossOf: [0] }),
  pool("MaxPool", "without its places, ceil_mode", apart, { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 }),
  pool("MaxPool", "dilations, one axis", distinct([2, 3, 9]), { kernel_shape: [2], dilations: [3] }),
  pool("AveragePool", "with pads", apart, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  pool("AveragePool", "uneven pads that count", apart, {
    kernel_shape: [3, 2],
    pads: [0, 1, 2, 0],
    count_include_pad: 1,
  }),
  pool("AveragePool", "side by side", normal([2, 2, 4, 6]), { kernel_shape: [2, 3], strides: [2, 3] }),
  pool("AveragePool", "ceil_mode", apart, { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  pool("AveragePool", "dilations", apart, { kernel_shape: [2, 2], dilations: [2, 3] }),
  pool("AveragePool", "SAME_LOWER, one axis", normal([2, 2, 7]), { kernel_shape: [2], auto_pad: "SAME_LOWER" }),
  pool("GlobalAveragePool", "", normal([2, 3, 4, 5])),
  pool("GlobalMaxPool", "", distinct([2, 3, 4, 5])),
]);

type Attributes = NonNullable<GradientCase["attributes"]>;
const floats = (values: readonly number[]): CaseInput => ({ ...given(values), role: "constant", dtype: "float32" });
const sized = (
  note: string,
  from: readonly number[],
  sizes: readonly number[],
  attributes: Attributes,
): GradientCase => ({
  op: "Resize",
  note,
  inputs: [
    normal(from),
    undefined,
    undefined,
    { shape: [sizes.length], dtype: "int64", role: "constant", draw: () => sizes },
  ],
  attributes,
  float64: false,
});
const scaled = (
  note: string,
  from: readonly number[],
  scales: readonly number[],
  attributes: Attributes,
): GradientCase => ({
  op: "Resize",
  note,
  inputs: [normal(from), undefined, floats(scales)],
  attributes,
  float64: false,
});

const coordinates = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"];
const picture = [1, 2, 5, 4];
testGradients("Resize", [
  ...coordinates.flatMap((mode) => [
    sized(`linear, ${mode}, larger`, picture, [1, 2, 9, 7], { mode: "linear", coordinate_transformation_mode: mode }),
    sized(`linear, ${mode}, smaller`, picture, [1, 2, 3, 1], { mode: "linear", coordinate_transformation_mode: mode }),
    sized(`cubic, ${mode}`, picture, [1, 2, 9, 3], { mode: "cubic", coordinate_transformation_mode: mode }),
    ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].map((nearest) =>
      sized(`nearest, ${mode}, ${nearest}`, picture, [1, 2, 8, 3], {
        mode: "nearest",
        coordinate_transformation_mode: mode,
        nearest_mode: nearest,
      }),
    ),
  ]),
  sized("cubic, without what lies outside", picture, [1, 2, 9, 3], {
    mode: "cubic",
    exclude_outside: 1,
    cubic_coeff_a: { float: -0.5 },
  }),
  scaled("nearest, twice as large", picture, [1, 1, 2, 2], {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  }),
  scaled("nearest, scales that leave a rest", picture, [1, 1, 1.7, 0.6], { mode: "nearest" }),
  scaled("linear, scales that leave a rest", picture, [1, 1, 1.7, 0.6], { mode: "linear" }),
  scaled("linear, a scale that keeps the size", [1, 1, 4, 4], [1, 1, 1.2, 2], { mode: "linear" }),
  { ...sized("linear, chosen axes", picture, [7, 9], { mode: "linear", axes: [2, 3] }) },
  sized("linear, three axes", [1, 1, 3, 4, 3], [1, 1, 5, 6, 6], { mode: "linear" }),
]);
