import type { OperatorCosts } from "./costs.js";

/** What calibration saw of a value of the main graph. */
export interface ObservedValue {
  readonly min: number;
  readonly max: number;
  /** Elements in one run; what it costs to convert the value depends on them. */
  readonly elements?: number;
}

/** What static quantization may be told. */
export interface StaticSettings {
  /** Stored type of activations: signed, or unsigned. onnxruntime turns signed ones into unsigned ones on x86-64. */
  readonly activationSigned: boolean;
  /** Stored type of weights: signed, or unsigned with zero point 128. */
  readonly weightSigned: boolean;
  /**
   * Whether the range of an activation with negative values is as long on both sides of 0. One that has none keeps the
   * whole type for its positive ones: with a zero point in the middle its Relu could not be left out.
   */
  readonly symmetric: boolean;
  /** Shorter ranges are widened to this; 0 for none. */
  readonly minRealRange: number;
  /** Whether products of two activations (attention) are computed in 8 bits: it costs accuracy there. */
  readonly matmulOfActivations: boolean;
  /** Where operators that have an 8-bit kernel use it: where that is cheaper, conversions included, or everywhere. */
  readonly placement: "cheapest" | "everywhere";
  /** What operators cost on the target. */
  readonly costs: OperatorCosts;
  /** What noise costs where the cheapest placement is sought: nanoseconds for noise as strong as the outputs; default 0. */
  readonly noisePrice?: number;
}
