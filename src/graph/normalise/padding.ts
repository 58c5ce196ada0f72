import { type NodeProto, readTensor } from "../../formats/onnx.js";
import { numbersOf } from "../../tensor/numbers.js";
import { floatAttribute, intsAttribute, isStandard, setAttribute, stringAttribute } from "../node.js";
import { type ModelView, type Scope, viewModel } from "../scope.js";
import { constantOf, counted, isPutOut, type Pass, type PassContext } from "./pass.js";

/**
 * A Pad of height and width with zeros goes into the pads of the Conv after it, which pads with zeros too. Exporters from
 * TensorFlow write padding so; runtimes fold it away in floats, but not in 8 bits.
 */
export const paddingPass: Pass = {
  name: "padding",
  words: (changes) => `${counted(changes, "Pad node")} folded into the Conv after it`,
  run(model, context) {
    const view = viewModel(model);
    let done = 0;
    for (const scope of view.scopes) {
      scope.graph.node = scope.graph.node.filter((node) => {
        const [use, ...others] = view.usesOf(scope, node.output[0]!);
        if (node.opType !== "Pad" || !isStandard(node) || !use || others.length > 0) return true;
        const conv = use.node;
        if (conv.opType !== "Conv" || use.input !== 0 || use.scope !== scope || !isStandard(conv)) return true;
        if (isPutOut(scope, node.output[0]!) || stringAttribute(conv, "auto_pad", "NOTSET") !== "NOTSET") return true;
        const pads = zerosAround(node, view, scope, context);
        const rank = pads && pads.length / 2;
        const before = intsAttribute(conv, "pads") ?? Array.from({ length: 2 * ((rank ?? 2) - 2) }, () => 0n);
        if (!pads || !rank || before.length !== 2 * (rank - 2)) return true;
        // batch and channels first, starts before ends
        if ([0, 1, rank, rank + 1].some((at) => pads[at] !== 0)) return true;
        const spatial = [...pads.slice(2, rank), ...pads.slice(rank + 2)];
        setAttribute(
          conv,
          "pads",
          before.map((pad, at) => Number(pad) + spatial[at]!),
        );
        conv.input[0] = node.input[0]!;
        done += 1;
        return false;
      });
    }
    return done;
  },
};

/** How many zeros a Pad puts around each axis; undefined where it is not known or does something else. */
function zerosAround(
  node: NodeProto,
  view: ModelView,
  scope: Scope,
  { readExternal }: PassContext,
): readonly number[] | undefined {
  const valuesOf = (name: string | undefined, depth = 0): readonly number[] | undefined => {
    const constant = constantOf(view, scope, name);
    if (constant) return Array.from(numbersOf(readTensor(constant.tensor, readExternal)), Number);
    // tf2onnx turns the order of pads round with a Split and a Concat
    const maker = scope.graph.node.find(({ output }) => name && output.includes(name));
    if (!maker || !isStandard(maker) || depth > 4) return undefined;
    if (maker.opType === "Concat") {
      const parts = maker.input.map((part) => valuesOf(part, depth + 1));
      return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
    }
    if (maker.opType !== "Split") return undefined;
    const whole = valuesOf(maker.input[0], depth + 1);
    const even = maker.output.map(() => (whole?.length ?? 0) / maker.output.length);
    const sizes = maker.input[1] ? valuesOf(maker.input[1], depth + 1) : intsAttribute(maker, "split")?.map(Number);
    const at = maker.output.indexOf(name!);
    const start = (sizes ?? even).slice(0, at).reduce((sum, size) => sum + size, 0);
    return whole?.slice(start, start + (sizes ?? even)[at]!);
  };
  // axes of its own (opset 18) are rare
  if (stringAttribute(node, "mode", "constant") !== "constant" || node.input[3]) return undefined;
  if (node.input[2] && valuesOf(node.input[2])?.some((value) => value !== 0) !== false) return undefined;
  if (floatAttribute(node, "value", 0) !== 0) return undefined;
  const pads = intsAttribute(node, "pads")?.map(Number) ?? valuesOf(node.input[1]);
  return pads?.every((pad) => pad >= 0) ? pads : undefined;
}
