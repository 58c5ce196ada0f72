import type { Clip } from "../tensor/quantized.js";
import { defaultOrtMin, type Kernel, type OrtVersion, signedFor, type Target } from "./target.js";

/** The ways to store and compute with a weight; schemes/ has a file for each. */
export const schemeIds = ["qdq", "unpack", "nbits", "gather", "dynamic", "static"] as const;
export type SchemeId = (typeof schemeIds)[number];

/** What the choice of schemes aims at: a small file that is not slower, few rows at a time, or many. */
export type Goal = "size" | "latency" | "throughput";

/** Operators that are alike for the choice of a scheme. */
export const operatorClasses = ["matmul", "conv", "depthwise", "recurrent", "embedding"] as const;
export type OperatorClass = (typeof operatorClasses)[number];

/** A decision the user took for tensors by name. */
export interface Override {
  /** The tensor's name, the place and name (`main/If_2.then_branch:w`), or a node's name; `*` and `?` stand for any. */
  readonly pattern: string;
  readonly scheme: SchemeId | "half" | "float";
}

/** What planning may be told. */
export interface QuantizeSettings {
  /** The scheme for every weight it fits; others, and all with `auto`, get theirs by operator. */
  readonly scheme: SchemeId | "auto";
  /** Forces the stored type of symmetric 8-bit weights: signed, or unsigned with zero point 128. Unset: by target. */
  readonly signed?: boolean;
  readonly clip: Clip;
  /** Whether weights of convolutions are rounded such that errors do not add up. Default false. */
  readonly balance?: boolean;
  /** Tensors with fewer elements stay as they are: their scales and the node would cost what they save. */
  readonly minElements: number;
  /** Whether what is no weight (biases), or too small a one, is stored as float16. Default false. */
  readonly halves?: boolean;
  /** Bits of the weights of MatMul, Gemm and recurrent operators; others have 8. Default 8. */
  readonly bits?: 8 | 4;
  /**
   * Whether the weights of convolutions have 4 bits, too, where others have, in blocks of input channels. Depthwise ones
   * keep 8: they are small, and 4 bits harm them most. Default false.
   */
  readonly convolutions4?: boolean;
  /** A zero point for every scale instead of a range around 0. Default false. */
  readonly asymmetric?: boolean;
  /** Elements that share a scale along the axis products are summed over; unset: a scale per channel, 32 for 4 bits. */
  readonly blockSize?: number;
  /** One scale for each weight as a whole, for runtimes that know no others; costs accuracy. Default false. */
  readonly perTensor?: boolean;
  /** Default "size". */
  readonly goal?: Goal;
  /** Default "avx2": right everywhere. */
  readonly target?: Target;
  /** The oldest onnxruntime that must run the file well; default {@link defaultOrtMin}. */
  readonly ortMin?: OrtVersion;
  /** The scheme for a class of operators, e.g. as measured. */
  readonly classes?: Readonly<Partial<Record<OperatorClass, SchemeId>>>;
  /** The first that matches holds, whatever the rules say. */
  readonly overrides?: readonly Override[];
}

/** Target and oldest runtime of settings. */
export function targetOf({ target = "avx2", ortMin = defaultOrtMin }: QuantizeSettings): {
  readonly target: Target;
  readonly ortMin: OrtVersion;
} {
  return { target, ortMin };
}

/** Whether weights for a kernel are stored signed. */
export function isSigned(kernel: Kernel, settings: QuantizeSettings): boolean {
  const { target, ortMin } = targetOf(settings);
  return settings.signed ?? signedFor(kernel, target, ortMin);
}
