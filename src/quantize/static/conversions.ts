import { type GraphProto, makeTensor, type NodeProto, type ReadExternal, readTensor } from "../../formats/onnx.js";
import type { FreshName } from "../../graph/names.js";
import { makeNode } from "../../graph/node.js";
import { numbersOf } from "../../tensor/numbers.js";
import { elementCount } from "../../tensor/tensor.js";
import type { StaticPlan } from "./plan.js";
import { type ActivationScale, activationScale, roundHalfEven, scaledBy } from "./scale.js";

/** Whose integers a QuantizeLinear makes or a DequantizeLinear reads; its scale is `factor` times that of the value. */
interface Conversion {
  readonly value: string;
  readonly factor: number;
}

/** A bias that became 32-bit integers, and the values whose scales it has. */
export interface StoredBias {
  readonly bias: string;
  readonly weight: string;
  readonly input: string;
}

/** The nodes of a graph as they are made anew, in order, and the conversions between floats and integers among them. */
export interface Conversions {
  readonly graph: GraphProto;
  readonly plan: StaticPlan;
  readonly fresh: FreshName;
  readonly nodes: NodeProto[];
  /** Conversions of activations among them. */
  readonly converting: Map<NodeProto, Conversion>;
  /** DequantizeLinear nodes of biases among them. */
  readonly biases: Map<NodeProto, StoredBias>;
  /** Whether a value has an 8-bit form. */
  hasScale(name: string): boolean;
  /** Makes the integers of value `name` from the floats called `source`. */
  quantize(source: string, name: string): void;
  /** Lets value `name` be the floats of its integers. */
  dequantize(name: string): void;
  /** Lets the integers of one value stand for another, whose scale differs. */
  relabel(from: string, to: string): void;
  /** A name for the floats that the integers of a value stand for. */
  floats(name: string): string;
  /** Whether a value is what its integers stand for, rather than floats that were quantized for some readers. */
  isDequantized(name: string): boolean;
  /**
   * Floats of a value once more, with its scale stated for each of so many channels (axis 1): onnxruntime rounds the
   * weight of no node whose input comes in this form.
   */
  spread(name: string, channels: number): string;
  /** The same times a factor. */
  rescaled(name: string, factor: number): string;
  /** A new constant with one scale; the name of its dequantized form is returned. */
  operand(hint: string, values: ArrayLike<number>, shape: readonly number[]): string;
  /** The same for a constant of the graph. */
  constant(name: string, readExternal: ReadExternal): string;
}

/** Starts making the nodes of a graph anew. New tensors are added to its initializers at once. */
export function conversions(graph: GraphProto, plan: StaticPlan, fresh: FreshName): Conversions {
  const nodes: NodeProto[] = [];
  const converting = new Map<NodeProto, Conversion>();
  const biases = new Map<NodeProto, StoredBias>();
  const integers = new Map<string, string>();
  const floats = new Map<string, string>();
  // values that are floats in their own right, beside their integers
  const kept = new Set<string>();
  const shared = new Map<string, string>();
  const once = (key: string, make: () => string): string => {
    const found = shared.get(key) ?? make();
    shared.set(key, found);
    return found;
  };
  const add = (name: string, tensor: Parameters<typeof makeTensor>[1]): string => {
    const proto = makeTensor(fresh(name), tensor);
    graph.initializer.push(proto);
    return proto.name;
  };
  /** Names of a scale and a zero point; equal ones are stored once. */
  const parameters = (hint: string, { scale, zeroPoint, signed }: ActivationScale): readonly [string, string] => [
    once(`scale ${scale}`, () => add(`${hint}_scale`, { dtype: "float32", shape: [], data: Float32Array.of(scale) })),
    once(`zero ${zeroPoint} ${signed}`, () =>
      add(`${hint}_zero_point`, {
        dtype: signed ? "int8" : "uint8",
        shape: [],
        data: signed ? Int8Array.of(zeroPoint) : Uint8Array.of(zeroPoint),
      }),
    ),
  ];
  const put = (opType: string, source: string, target: string, hint: string, scale: ActivationScale): NodeProto => {
    const label = fresh(`${hint}_${opType === "QuantizeLinear" ? "quantize" : "dequantize"}`);
    const node = makeNode(opType, label, [source, ...parameters(hint, scale)], [target]);
    nodes.push(node);
    return node;
  };
  const convert = (opType: string, source: string, target: string, value: string): void => {
    converting.set(put(opType, source, target, value, plan.values.get(value)!), { value, factor: 1 });
  };
  const operand = (hint: string, values: ArrayLike<number>, shape: readonly number[]): string => {
    const { activationSigned } = plan.settings;
    const { scale, integers: data } = storeOperand(values, activationSigned);
    const stored = add(`${hint}_quantized`, { dtype: activationSigned ? "int8" : "uint8", shape, data });
    const target = fresh(`${hint}_dequantized`);
    put("DequantizeLinear", stored, target, hint, scale);
    return target;
  };
  return {
    graph,
    plan,
    fresh,
    nodes,
    converting,
    biases,
    hasScale: (name) => plan.values.has(name),
    isDequantized: (name) => integers.has(name) && !kept.has(name),
    spread: (name, channels) =>
      once(`spread ${name} ${channels}`, () => {
        const { scale, zeroPoint, signed } = plan.values.get(name)!;
        const shape = [channels];
        const zeros = signed ? new Int8Array(channels) : new Uint8Array(channels);
        const inputs = [
          integers.get(name)!,
          add(`${name}_scales`, { dtype: "float32", shape, data: new Float32Array(channels).fill(scale) }),
          add(`${name}_zero_points`, { dtype: signed ? "int8" : "uint8", shape, data: zeros.fill(zeroPoint) }),
        ];
        const target = fresh(`${name}_dequantized`);
        const node = makeNode("DequantizeLinear", fresh(`${name}_dequantize`), inputs, [target], { axis: 1 });
        nodes.push(node);
        converting.set(node, { value: name, factor: 1 });
        return target;
      }),
    quantize(source, name) {
      if (source === name) kept.add(name);
      const target = fresh(`${name}_quantized`);
      convert("QuantizeLinear", source, target, name);
      integers.set(name, target);
    },
    dequantize(name) {
      convert("DequantizeLinear", integers.get(name)!, name, name);
      floats.set(name, name);
    },
    relabel: (from, to) => void integers.set(to, integers.get(from)!),
    floats(name) {
      const found = floats.get(name);
      if (found) return found;
      const target = fresh(`${name}_dequantized`);
      convert("DequantizeLinear", integers.get(name)!, target, name);
      floats.set(name, target);
      return target;
    },
    rescaled(name, factor) {
      const { scale, ...rest } = plan.values.get(name)!;
      const target = fresh(`${name}_rescaled`);
      const to = { ...rest, scale: scaledBy(scale, factor) };
      const node = put("DequantizeLinear", integers.get(name)!, target, `${name}_rescaled`, to);
      converting.set(node, { value: name, factor });
      return target;
    },
    operand,
    constant: (name, readExternal) =>
      once(`constant ${name}`, () => {
        const tensor = readTensor(graph.initializer.find((one) => one.name === name)!, readExternal);
        return operand(name, numbersOf(tensor), tensor.shape);
      }),
  };
}

/** Integers of a constant operand with one scale for its range. */
function storeOperand(values: ArrayLike<number>, signed: boolean) {
  let [min, max] = [0, 0];
  for (let at = 0; at < values.length; at++) {
    min = Math.min(min, values[at]!);
    max = Math.max(max, values[at]!);
  }
  const scale = activationScale({ min, max }, { activationSigned: signed, symmetric: false, minRealRange: 0 });
  const [lowest, highest] = signed ? [-128, 127] : [0, 255];
  const size = elementCount([values.length]);
  const integers = signed ? new Int8Array(size) : new Uint8Array(size);
  for (let at = 0; at < size; at++) {
    const q = roundHalfEven(Math.fround(values[at]! / scale.scale)) + scale.zeroPoint;
    integers[at] = Math.min(highest, Math.max(lowest, q));
  }
  return { scale, integers };
}
