import { quantizeReference } from "../src/tensor/kernels/reference.js";
import type { Quantizer } from "../src/tensor/quantized.js";

/** The plain reference as a quantizer. */
export function plainQuantizer(): Quantizer {
  return {
    quantize: async (...all) => quantizeReference(...all),
    close: async () => {},
  };
}
