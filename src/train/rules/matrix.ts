import type { GraphBuilder, Value } from "../../graph/builder.js";
import { floatAttribute, intAttribute, stringAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { RuleContext, RuleTable } from "../rule.js";
import { sumTo } from "../sum-to.js";

/** Matrix products. */
export const matrixRules: RuleTable = {
  MatMul: (context) => {
    const { b, inputs, cotangent } = context;
    const [x, y] = [inputs[0]!, inputs[1]!];
    if (x.shape.length > 1 && y.shape.length > 1) return productRule(context, x, y, cotangent(), {});
    // a vector is a matrix of one row on the left and of one column on the right
    const left = x.shape.length === 1 ? b.reshape(x, [1, x.shape[0]!]) : x;
    const right = y.shape.length === 1 ? b.reshape(y, [y.shape[0]!, 1]) : y;
    const batch = (left.shape.length > right.shape.length ? left : right).shape.slice(0, -2);
    const g = b.reshape(cotangent(), [...batch, left.shape.at(-2)!, right.shape.at(-1)!]);
    const lifted = [left, right];
    return productRule(context, left, right, g, {}).map(
      (part, at) => part && b.reshape(sumTo(b, part, lifted[at]!.shape), inputs[at]!.shape),
    );
  },
  Gemm: (context) => {
    const { b, inputs, node, cotangent, wants } = context;
    const how = { ...transposes(context), alpha: floatAttribute(node, "alpha", 1) };
    const beta = floatAttribute(node, "beta", 1);
    const offset = () => {
      const sum = sumTo(b, cotangent(), inputs[2]!.shape);
      return beta === 1 ? sum : b.mul(sum, beta);
    };
    return [...productRule(context, inputs[0]!, inputs[1]!, cotangent(), how), wants(2) ? offset() : undefined];
  },
  "com.microsoft:FusedMatMul": (context) => {
    const { inputs, node, cotangent, refuse } = context;
    if (intAttribute(node, "transBatchA", 0) || intAttribute(node, "transBatchB", 0)) {
      return refuse("it transposes batches");
    }
    const how = { ...transposes(context), alpha: floatAttribute(node, "alpha", 1) };
    return productRule(context, inputs[0]!, inputs[1]!, cotangent(), how);
  },
  Einsum: (context) => {
    const { node, inputs, wants, refuse } = context;
    const equation = stringAttribute(node, "equation", "").replaceAll(" ", "");
    const [left, result] = equation.split("->");
    const operands = left!.split(",");
    const repeats = operands.some((letters) => new Set(letters).size !== letters.length);
    if (result === undefined || equation.includes(".") || repeats) return refuse(`the equation "${equation}"`);
    return inputs.map((_, at) => (wants(at) ? einsumRule(context, operands, result, at) : undefined));
  },
  Trilu: ({ b, node, inputs, cotangent }) => [
    b.op("Trilu", [cotangent(), inputs[1]], cotangent(), { upper: intAttribute(node, "upper", 1) }),
  ],
  CumSum: ({ b, node, inputs, cotangent }) => [
    b.op("CumSum", [cotangent(), inputs[1]], cotangent(), {
      reverse: 1 - intAttribute(node, "reverse", 0),
      exclusive: intAttribute(node, "exclusive", 0),
    }),
  ],
};

const transposes = ({ node }: RuleContext) => ({
  transA: intAttribute(node, "transA", 0) === 1,
  transB: intAttribute(node, "transB", 0) === 1,
});

/** alpha op(x)·op(y), each matrix swapped or not. */
function productRule(
  { b, wants }: RuleContext,
  x: Value,
  y: Value,
  g: Value,
  { transA = false, transB = false, alpha = 1 },
): readonly (Value | undefined)[] {
  const dx = () =>
    transA ? b.matmul(y, g, { transX: transB, transY: true, alpha }) : b.matmul(g, y, { transY: !transB, alpha });
  const dy = () => {
    // rows of all batches at once, so that no sum over them is left to do
    const [left, rows] = y.shape.length === 2 && !transA ? [asRows(b, x), asRows(b, g)] : [x, g];
    return transB
      ? b.matmul(rows, left, { transX: true, transY: transA, alpha })
      : b.matmul(left, rows, { transX: !transA, alpha });
  };
  return [wants(0) ? dx() : undefined, wants(1) ? dy() : undefined];
}

function asRows(b: GraphBuilder, x: Value): Value {
  const width = x.shape.at(-1)!;
  return b.reshape(x, [elementCount(x.shape.slice(0, -1)), width]);
}

/** The gradient of one operand is the sum of products of g and the other operands, over what it does not have. */
function einsumRule(
  { b, inputs, cotangent }: RuleContext,
  operands: readonly string[],
  result: string,
  at: number,
): Value {
  const [letters, x] = [operands[at]!, inputs[at]!];
  const others = operands.filter((_, other) => other !== at);
  const values = [cotangent(), ...inputs.filter((_, other) => other !== at)];
  // a letter that stands nowhere else was summed over: the gradient is the same along it
  const present = [...letters].filter((letter) => [result, ...others].some((other) => other.includes(letter)));
  const sizeOf = (letter: string) => x.shape[letters.indexOf(letter)]!;
  const equation = `${[result, ...others].join(",")}->${present.join("")}`;
  const part = b.op("Einsum", values, { dtype: x.dtype, shape: present.map(sizeOf) }, { equation });
  const open = [...letters].map((letter) => (present.includes(letter) ? sizeOf(letter) : 1));
  return b.expand(b.reshape(part, open), x.shape);
}
