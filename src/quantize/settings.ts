import type { Clip } from "../tensor/quantized.js";

/** The ways to store and compute with a weight; schemes/ has a file for each. */
export const schemeIds = ["qdq", "unpack", "dynamic"] as const;
export type SchemeId = (typeof schemeIds)[number];

/** What planning may be told. */
export interface QuantizeSettings {
  /** The scheme for every weight it fits; `auto` chooses by operator. */
  readonly scheme: SchemeId | "auto";
  /** Stored type of symmetric 8-bit weights: signed, or unsigned with zero point 128. */
  readonly signed: boolean;
  readonly clip: Clip;
  /** Tensors with fewer elements stay as they are: their scales and the node would cost what they save. */
  readonly minElements: number;
}
