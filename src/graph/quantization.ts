import { everyTensor, type ModelProto, type NodeProto, type TensorProto, tensorInfo } from "../formats/onnx.js";
import { allNodes } from "./calls.js";
import { shallowCopy } from "./clone.js";
import { isStandard } from "./node.js";
import { type ModelView, type Use, viewModel } from "./scope.js";

/** Ways in which a model can already be quantized. */
type QuantizedBy =
  /** QuantizeLinear and DequantizeLinear around float operators. */
  | "qdq"
  /** Operators that compute with integers. */
  | "integer"
  /** Weights in blocks of 8 bits and fewer. */
  | "nbits"
  /** Stored integers that Cast or Gather turn into floats. */
  | "unpack";

/** What is quantized in a model, and how. */
export interface Quantization {
  /** Nodes by way, most frequent first; ways that do not occur are left out. */
  readonly ways: readonly {
    readonly way: QuantizedBy;
    readonly operators: readonly string[];
    readonly nodes: number;
  }[];
  /** Bytes of stored tensors of 8 bits an element and fewer, of all bytes of stored tensors. */
  readonly bytes: { readonly quantized: number; readonly all: number };
  /** One line for people, the ways and the share of bytes. */
  readonly words: string;
}

/** What a way is called as a scheme of `deepseek compress`, and what it means. */
export function schemeWords({ way, operators }: Quantization["ways"][number]): string {
  const has = (pattern: RegExp) => operators.some((operator) => pattern.test(operator));
  switch (way) {
    case "qdq":
      return has(/^QuantizeLinear$/)
        ? "static: activations have 8-bit ranges stored in the file"
        : "qdq: weights are integers with DequantizeLinear";
    case "integer":
      return has(/^Dynamic/)
        ? "dynamic: integer arithmetic, activations get their scale at each run"
        : "integer operators: activations have 8-bit ranges stored in the file";
    case "nbits":
      return "nbits: blocks of integers, computed with as they are";
    case "unpack":
      return has(/^Gather$/)
        ? has(/^Cast$/)
          ? "unpack and gather: weights become floats at load, rows of tables when they are looked up"
          : "gather: rows of integers become floats when they are looked up"
        : "unpack: weights are integers that become floats at load";
  }
}

const operators: Readonly<Record<string, QuantizedBy>> = {
  QuantizeLinear: "qdq",
  DequantizeLinear: "qdq",
  DynamicQuantizeLinear: "integer",
  MatMulInteger: "integer",
  ConvInteger: "integer",
  DynamicQuantizeMatMul: "integer",
  DynamicQuantizeLSTM: "integer",
  MatMulIntegerToFloat: "integer",
  MatMulInteger16: "integer",
  QGemm: "integer",
  QAttention: "integer",
  QEmbedLayerNormalization: "integer",
  MatMulNBits: "nbits",
  MatMulBnb4: "nbits",
  MatMulFpQ4: "nbits",
  GatherBlockQuantized: "nbits",
  QMoE: "nbits",
};

/** Smaller integer tables are no weights. */
const minElements = 1024;

/**
 * Says whether and how a model is quantized already; null where it is not. Floats of 16 bits are not quantized. No
 * weight is read.
 */
export function quantizationOf(model: ModelProto): Quantization | null {
  const found = new Map<QuantizedBy, string[]>();
  const count = (way: QuantizedBy, { opType }: NodeProto) => found.set(way, [...(found.get(way) ?? []), opType]);
  const nodes = [...allNodes(model.graph!.node), ...model.functions.flatMap(({ node }) => [...allNodes(node)])];
  for (const node of nodes) {
    if (!isStandard(node) && node.domain !== "com.microsoft") continue;
    const way = operators[node.opType] ?? (/^QLinear|^QOrdered/.test(node.opType) ? "integer" : undefined);
    if (way) count(way, node);
  }
  const view = viewModel(model);
  for (const scope of view.scopes) {
    for (const tensor of [...scope.initializers.values(), ...constantsOf(scope.graph.node)]) {
      const uses = view.usesOf(scope, tensor.name);
      const { elements } = tensorInfo(tensor);
      if (!isSmall(tensor) || elements * (isLookedUp(view, uses) ? 2 : 1) < minElements) continue;
      for (const { node, input } of uses) {
        if (isStandard(node) && input === 0 && /^(Cast|Gather)$/.test(node.opType)) count("unpack", node);
      }
    }
  }
  if (found.size === 0) return null;
  const tensors = [...everyTensor(model)];
  const bytes = {
    quantized: sum(tensors.filter((tensor) => isSmall(tensor))),
    all: sum(tensors),
  };
  const ways = [...found]
    .map(([way, names]) => ({ way, operators: [...new Set(names)].sort(), nodes: names.length }))
    .sort((a, b) => b.nodes - a.nodes);
  const named = ways.map(({ operators, nodes }) => `${nodes} ${list(operators)} node${nodes === 1 ? "" : "s"}`);
  const share = bytes.all > 0 ? Math.round((100 * bytes.quantized) / bytes.all) : 0;
  return { ways, bytes, words: `${named.join(", ")}; ${share} % of its stored bytes are integers of 8 bits or fewer` };
}

/** Whether bytes stand for two values of 4 bits each: they are looked up in a table of pairs. */
function isLookedUp(view: ModelView, uses: readonly Use[]): boolean {
  return uses.some(({ node, scope }) => {
    if (!isStandard(node) || node.opType !== "Cast") return false;
    return view.usesOf(scope, node.output[0] ?? "").some((use) => {
      if (use.node.opType !== "Gather" || use.input !== 1) return false;
      const table = view.initializerOf(use.scope, use.node.input[0] ?? "");
      return table !== undefined && tensorInfo(table.tensor).shape.join() === "256,2";
    });
  });
}

function list(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 3).join("/")}/...` : names.join("/");
}

/** Constant nodes' tensors, under the names by which they are read. */
function constantsOf(nodes: readonly NodeProto[]): TensorProto[] {
  return nodes.flatMap(({ opType, output, attribute }) =>
    opType === "Constant"
      ? attribute.flatMap(({ t }) => (t ? [Object.assign(shallowCopy(t), { name: output[0] ?? "" })] : []))
      : [],
  );
}

function isSmall(tensor: TensorProto): boolean {
  return /^u?int[248]$|^float8|^float4/.test(tensorInfo(tensor).type);
}

function sum(tensors: readonly TensorProto[]): number {
  return tensors.reduce((total, tensor) => total + tensorInfo(tensor).bytes, 0);
}
