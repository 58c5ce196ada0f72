import type { TensorProto } from "../formats/onnx.js";
import type { QuantizedForm, QuantizedWeight } from "../tensor/quantized.js";
import type { GraphEdit } from "./edit.js";
import type { QuantizeSettings, SchemeId } from "./settings.js";
import type { Site } from "./sites.js";

/** How a scheme would store a weight. */
export interface WeightPlan {
  /** Axes are those of the stored layout. */
  readonly form: QuantizedForm;
  /** Bytes of what replaces the weight: values, scales, zero points. */
  readonly bytesAfter: number;
  /** The weight [N, K] is stored as [K, N]. */
  readonly transpose?: true;
  /** The default opset its nodes need, where that is more than 13. */
  readonly opset?: 21;
}

/** One way to store and compute with weights: one file in schemes/, one line in schemes/index.ts. */
export interface Scheme {
  readonly id: SchemeId;
  /** What it is, for a report. */
  readonly words: string;
  /** How this scheme stores a site, or why it cannot. Pure; no weight is read. */
  plan(site: Site, settings: QuantizeSettings): WeightPlan | string;
  /**
   * Puts the quantized weight in the place of the site's tensor: whatever read the tensor's name goes on reading it, or
   * is replaced. Returns the initializer that holds the integers.
   */
  apply(site: Site, plan: WeightPlan, weight: QuantizedWeight, edit: GraphEdit): TensorProto;
}
