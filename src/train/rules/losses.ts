import type { GraphBuilder, Value } from "../../graph/builder.js";
import { intAttribute, stringAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { RuleContext, RuleTable } from "../rule.js";

/** Losses of labels: inputs scores [batch, classes, ...], labels [batch, ...], and weights [classes] or none. */
export const lossRules: RuleTable = {
  SoftmaxCrossEntropyLoss: (context) => {
    const { b, inputs, outputs, flows } = context;
    const logs = outputs[1];
    const chances = () => (logs ? b.map("Exp", logs) : b.softmax(inputs[0]!, 1));
    const parts: Value[] = [];
    if (flows(0)) {
      // softmax less the one-hot labels, each position weighted
      const { share, labels } = sharesOf(context);
      const p = chances();
      parts.push(scattered(b, b.mul(p, share), labels, b.map("Neg", share)));
    }
    const g = flows(1);
    if (g) parts.push(b.sub(g, b.mul(chances(), b.reduce("ReduceSum", g, [1]))));
    return [parts.length === 2 ? b.add(parts[0]!, parts[1]!) : parts[0]];
  },
  NegativeLogLikelihoodLoss: (context) => {
    const { share, labels } = sharesOf(context);
    const { b } = context;
    return [scattered(b, b.filled(0, context.inputs[0]!), labels, b.map("Neg", share))];
  },
};

/** How much the loss of each position counts, times the cotangent, and the labels, both [batch, 1, ...]. */
function sharesOf({ b, node, inputs, cotangent }: RuleContext): { readonly share: Value; readonly labels: Value } {
  const [scores, given, weights] = [inputs[0]!, inputs[1]!, inputs[2]];
  const ignored = intAttribute(node, "ignore_index", undefined);
  const reduction = stringAttribute(node, "reduction", "mean");
  const column = [given.shape[0]!, 1, ...given.shape.slice(1)];
  const counts = ignored === undefined ? undefined : b.compare("Equal", given, ignored);
  const labels = counts ? b.where(counts, 0, given) : given;
  const uniform = !weights && !counts;
  // one cotangent for each position already
  if (uniform && reduction === "none")
    return { share: b.reshape(cotangent(), column), labels: b.reshape(labels, column) };
  const gathered = () =>
    weights
      ? b.op("Gather", [weights, labels], { dtype: scores.dtype, shape: given.shape })
      : b.filled(1, { dtype: scores.dtype, shape: given.shape });
  const each = counts ? b.where(counts, 0, gathered()) : gathered();
  const g = cotangent();
  const total = () => (uniform ? elementCount(given.shape) : b.reduce("ReduceSum", each, undefined, false));
  const share = b.mul(each, reduction === "mean" ? b.div(g, total()) : g);
  return { share: b.reshape(share, column), labels: b.reshape(labels, column) };
}

/** What `onto` holds, and these values added at the labels. */
function scattered(b: GraphBuilder, onto: Value, labels: Value, values: Value): Value {
  return b.op("ScatterElements", [onto, labels, values], onto, { axis: 1, reduction: "add" });
}
