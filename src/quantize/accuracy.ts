import type { ModelProto } from "../formats/onnx.js";
import { channelFamilies } from "./channel-families.js";
import type { Equalised } from "./equalise.js";
import type { RoundedSite } from "./round-worst.js";
import type { Smoothing } from "./smooth.js";

/** What was done to the model's floats, or to their rounding, for the result's accuracy. */
export interface AccuracyReport {
  readonly smoothings: readonly Smoothing[];
  /** Weights that follow each other and were given the same range in each channel. */
  readonly equalised: Equalised["pairs"];
  readonly rounded: readonly RoundedSite[];
}

/** Values whose channels smoothing or equalising may scale, with the channel axis counted from the end. */
export function scalableChannels(model: ModelProto): ReadonlyMap<string, number> {
  const families = [...channelFamilies(model, "any"), ...channelFamilies(model, "products")];
  return new Map(families.flatMap(({ values }) => [...values]));
}
