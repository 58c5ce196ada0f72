import type { RuleTable } from "../rule.js";

/** Operators that work element by element. */
export const elementwiseRules: RuleTable = {
  Identity: ({ cotangent }) => [cotangent()],
  Add: ({ cotangent }) => [cotangent(), cotangent()],
  Sub: ({ b, cotangent, wants }) => [cotangent(), wants(1) ? b.map("Neg", cotangent()) : undefined],
  Mul: ({ b, inputs, cotangent, wants }) => [
    wants(0) ? b.mul(cotangent(), inputs[1]!) : undefined,
    wants(1) ? b.mul(cotangent(), inputs[0]!) : undefined,
  ],
  Relu: ({ b, outputs, cotangent }) => [b.where(b.compare("Greater", outputs[0]!, 0), cotangent(), 0)],
};
