import { operatorCosts } from "./costs.js";
import type { StaticSettings } from "./settings.js";

/** What is exact and fast on a target. */
type Kinds = Pick<StaticSettings, "activationSigned" | "weightSigned" | "costs">;

/**
 * Element types by target. Products of u8 and s8 saturate on AVX2 without VNNI (vpmaddubsw), so weights are u8 there;
 * with VNNI that form is exact and 3 to 4 times as fast as u8 x u8. Signed activations gain nothing on x86-64:
 * onnxruntime turns them into unsigned ones, and many patterns are then not recognised. ARM's kernels take both signed.
 */
export const staticKinds: Readonly<Record<"avx2" | "vnni" | "arm64" | "web", Kinds>> = {
  avx2: { activationSigned: false, weightSigned: false, costs: operatorCosts.avx2 },
  vnni: { activationSigned: false, weightSigned: true, costs: operatorCosts.vnni },
  arm64: { activationSigned: true, weightSigned: true, costs: operatorCosts.avx2 },
  web: { activationSigned: false, weightSigned: false, costs: operatorCosts.avx2 },
};
