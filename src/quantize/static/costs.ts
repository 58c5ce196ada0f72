/** Nanoseconds on one thread: per element of an output, unless said otherwise, as float32 and in 8 bits. */
interface Pair {
  readonly float: number;
  readonly int8: number;
}

/** A convolution or matrix product: per multiplication and per output element. */
interface ProductCost {
  readonly perProduct: Pair;
  readonly perOutput: Pair;
}

/**
 * What operators cost on a target. Only ratios matter: they decide where an 8-bit kernel gains more than the conversions
 * around it cost.
 */
export interface OperatorCosts {
  readonly quantize: number;
  readonly dequantize: number;
  /** Between the layouts that 8-bit (NHWC) and other operators want, per element. */
  readonly transpose: number;
  /** To or from the blocked layout of float convolutions, per element. */
  readonly reorder: number;
  /** Of starting any node. */
  readonly node: number;
  /** Channels that float convolutions compute at a time: fewer take as long. */
  readonly block: number;
  /** For each place of an 8-bit convolution whose kernel is larger than 1: gathering what it covers. */
  readonly gather: number;
  /** For each stretch of an 8-bit sum or product with one number per channel. */
  readonly stretch: number;
  readonly product: ProductCost;
  /** Convolutions with one input channel per group, a multiple of `block` in all. */
  readonly depthwise: ProductCost;
  /** The same with another number of channels. */
  readonly oddDepthwise: ProductCost;
  readonly operators: Readonly<Record<string, Pair>>;
}

/**
 * Measured with onnxruntime 1.30 on one thread of a Sapphire Rapids Xeon (AVX-512, VNNI): profiles of single operators of
 * 150 000 to 800 000 elements, 30 % quantile of 8 runs.
 */
const vnni: OperatorCosts = {
  quantize: 0.25,
  dequantize: 0.19,
  transpose: 0.08,
  reorder: 0.28,
  node: 3000,
  block: 16,
  gather: 17,
  stretch: 18,
  product: { perProduct: { float: 0.0115, int8: 0.0031 }, perOutput: { float: 0.04, int8: 0.14 } },
  depthwise: { perProduct: { float: 0.013, int8: 0.025 }, perOutput: { float: 0.2, int8: 0.25 } },
  oddDepthwise: { perProduct: { float: 0.013, int8: 0.075 }, perOutput: { float: 0.2, int8: 0.25 } },
  operators: {
    Add: { float: 0.32, int8: 0.14 },
    Mul: { float: 0.35, int8: 0.22 },
    Div: { float: 0.35, int8: 0.22 },
    Sigmoid: { float: 0.43, int8: 0.23 },
    HardSigmoid: { float: 0.33, int8: 0.14 },
    LeakyRelu: { float: 0.31, int8: 0.21 },
    Clip: { float: 0.25, int8: 0 },
    Relu: { float: 0.25, int8: 0.21 },
    Softmax: { float: 0.31, int8: 1.8 },
    MaxPool: { float: 0.7, int8: 14 },
    // right after a convolution
    NhwcMaxPool: { float: 0.7, int8: 0.3 },
    AveragePool: { float: 0.7, int8: 8 },
    GlobalAveragePool: { float: 0.13, int8: 0.05 },
    Concat: { float: 0.29, int8: 0.05 },
    Where: { float: 0.5, int8: 0.3 },
    Transpose: { float: 0.58, int8: 0.08 },
    Resize: { float: 0.19, int8: 1.1 },
    Slice: { float: 0.3, int8: 0.08 },
    Gather: { float: 0.3, int8: 0.08 },
    Split: { float: 0.3, int8: 0.08 },
    Expand: { float: 0.3, int8: 0.08 },
    Tile: { float: 0.3, int8: 0.08 },
  },
};

/**
 * Products on AVX2 without VNNI take 0.6 to 0.75 of their float32 time in 8 bits, with weights of the exact kind (3x3
 * convolutions of 64 and 256 channels, onnxruntime 1.30, Zen 3).
 */
const avx2: OperatorCosts = {
  ...vnni,
  block: 8,
  product: { perProduct: { float: 0.042, int8: 0.029 }, perOutput: { float: 0.04, int8: 0.14 } },
};

/** Costs by target; others are taken for AVX2. */
export const operatorCosts = { vnni, avx2 } as const;
