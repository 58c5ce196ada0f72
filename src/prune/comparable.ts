import type { ModelProto, NodeProto } from "../formats/onnx.js";
import { graphsIn, isStandard } from "../graph/node.js";

/** Operators where next to nothing decides: results of equal models jump apart by rounding alone. */
const jumping: ReadonlySet<string> = new Set([
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "ArgMax", "ArgMin", "TopK", "Hardmax", "Sign"],
  ...["Round", "Floor", "Ceil", "Mod", "NonZero", "NonMaxSuppression", "Unique", "QuantizeLinear", "IsNaN", "IsInf"],
  ...["DynamicQuantizeLinear", "Multinomial"],
]);

/** Operators at the end of a model that squeeze all differences into next to nothing, or blow them up. */
const squeezing: ReadonlySet<string> = new Set(["Sigmoid", "HardSigmoid", "Tanh", "Softmax", "LogSoftmax", "Identity"]);

/**
 * The values of the main graph by which two models that ought to be equal are told apart: its outputs, but what goes into
 * a comparison or a rounding instead of what depends on it, and what goes into a last sigmoid or softmax.
 */
export function comparableValues({ graph }: ModelProto): readonly string[] {
  const makers = new Map<string, NodeProto>();
  for (const node of graph!.node) for (const name of node.output) if (name) makers.set(name, node);
  const jumps = new Set<string>();
  for (const node of graph!.node) {
    const isJump = isStandard(node) && jumping.has(node.opType);
    if (isJump || node.input.some((name) => jumps.has(name))) for (const name of node.output) if (name) jumps.add(name);
  }
  const found = new Set<string>();
  const seen = new Set<string>();
  const look = (name: string): void => {
    if (!name || seen.has(name)) return;
    seen.add(name);
    const maker = makers.get(name);
    if (!maker) return;
    // what is decided inside a nested graph cannot be looked at
    if (!jumps.has(name) || graphsIn(maker).length > 0) found.add(beforeSqueezing(name, makers));
    else for (const input of maker.input) look(input);
  };
  for (const { name } of graph!.output) look(name);
  return [...found];
}

function beforeSqueezing(name: string, makers: ReadonlyMap<string, NodeProto>): string {
  let at = name;
  for (let maker = makers.get(at); maker && isStandard(maker) && squeezing.has(maker.opType); maker = makers.get(at)) {
    if (!makers.has(maker.input[0]!)) break;
    at = maker.input[0]!;
  }
  return at;
}
