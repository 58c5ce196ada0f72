import type { RuleTable } from "../rule.js";

/** Matrix products. */
export const matrixRules: RuleTable = {
  MatMul: ({ b, inputs, cotangent, wants, refuse }) => {
    const [x, y] = [inputs[0]!, inputs[1]!];
    if (x.shape.length < 2 || y.shape.length < 2) return refuse("a vector");
    return [
      wants(0) ? b.matmul(cotangent(), y, { transY: true }) : undefined,
      wants(1) ? b.matmul(x, cotangent(), { transX: true }) : undefined,
    ];
  },
};
