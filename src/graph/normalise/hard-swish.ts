import { type NodeProto, readTensor } from "../../formats/onnx.js";
import { numbersOf } from "../../tensor/numbers.js";
import { elementCount } from "../../tensor/tensor.js";
import { freshNames } from "../names.js";
import { floatAttribute, isStandard, makeNode } from "../node.js";
import { type ModelView, type Scope, viewModel } from "../scope.js";
import { constantOf, counted, isPutOut, type Pass, type PassContext } from "./pass.js";

/**
 * x * clip(x + a, 0, b) / b, as Paddle and others write hard swish out, becomes x * HardSigmoid(x): two nodes that go over
 * the data instead of four. So does HardSwish itself: runtimes do the same, and only the parts have 8-bit kernels. Equal
 * but for rounding.
 */
export const hardSwishPass: Pass = {
  name: "hard-swish",
  words: (changes) => `${counted(changes, "hard swish function")} written with HardSigmoid`,
  run(model, context) {
    const view = viewModel(model);
    const fresh = freshNames(model);
    const gone = new Set<NodeProto>();
    let done = 0;
    for (const scope of view.scopes) {
      const makers = new Map(scope.graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
      const scalar = (name: string | undefined) => scalarOf(view, scope, name, context);
      const isInner = (name: string) => view.usesOf(scope, name).length === 1 && !isPutOut(scope, name);
      const maker = (name: string | undefined, opType: string) => {
        const node = name ? makers.get(name) : undefined;
        return node?.opType === opType && isStandard(node) ? node : undefined;
      };
      const written = (value: string, label: string, output: string, divisor: number, shift: number) => {
        const gate = fresh(`${output}_gate`);
        const slope = { alpha: { float: 1 / divisor }, beta: { float: shift / divisor } };
        done += 1;
        return [
          makeNode("HardSigmoid", fresh(`${label}_gate`), [value], [gate], slope),
          makeNode("Mul", label, [value, gate], [output]),
        ];
      };
      scope.graph.node = scope.graph.node.flatMap((divide) => {
        if (divide.opType === "HardSwish" && isStandard(divide)) {
          return written(divide.input[0]!, divide.name, divide.output[0]!, 6, 3);
        }
        if (divide.opType !== "Div" || !isStandard(divide)) return [divide];
        const product = maker(divide.input[0], "Mul");
        const divisor = scalar(divide.input[1]);
        if (!product || !divisor || divisor < 0 || !isInner(product.output[0]!)) return [divide];
        for (const [at, gate] of product.input.entries()) {
          const value = product.input[1 - at]!;
          const clip = maker(gate, "Clip");
          const sum = maker(clip?.input[0], "Add");
          if (!clip || !sum || !isInner(gate) || !isInner(sum.output[0]!)) continue;
          // attributes up to opset 10
          const bound = (input: number, name: string) =>
            clip.input[input] ? scalar(clip.input[input]) : floatAttribute(clip, name, undefined);
          if (bound(1, "min") !== 0 || bound(2, "max") !== divisor) continue;
          const other = sum.input.find((name) => name !== value);
          const shift = sum.input.includes(value) ? scalar(other) : undefined;
          if (shift === undefined) continue;
          for (const node of [product, clip, sum]) gone.add(node);
          return written(value, divide.name, divide.output[0]!, divisor, shift);
        }
        return [divide];
      });
      scope.graph.node = scope.graph.node.filter((node) => !gone.has(node));
    }
    return done;
  },
};

/** The number a float constant of one element stands for. */
function scalarOf(view: ModelView, scope: Scope, name: string | undefined, { readExternal }: PassContext) {
  const constant = constantOf(view, scope, name);
  if (!constant || elementCount(constant.tensor.dims.map(Number)) !== 1 || constant.tensor.dims.length > 1) {
    return undefined;
  }
  const tensor = readTensor(constant.tensor, readExternal);
  return tensor.dtype === "float32" ? numbersOf(tensor)[0] : undefined;
}
