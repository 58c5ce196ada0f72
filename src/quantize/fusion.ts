import type { NodeProto } from "../formats/onnx.js";
import { floatAttribute, intAttribute, isStandard } from "../graph/node.js";
import type { Scope, Use } from "../graph/scope.js";
import type { Site } from "./sites.js";

/**
 * Why onnxruntime (1.25 to 1.30) would not compute a site's operator as MatMulNBits if a DequantizeLinear stood before
 * it, but dequantize the weight on every run; undefined where it certainly fuses them. Found by reading optimized graphs
 * back; fusions with what follows come first and get in the way.
 */
export function whyNotFused(site: Site): string | undefined {
  const [use, ...others] = site.uses;
  if (!use || others.length > 0) return "several operators read it";
  if (use.scope !== site.scope) return "it is read in a nested graph";
  if (site.scope.outputs.has(site.info.name)) return "it is an output too";
  const { node, input } = use;
  if (site.info.shape.length !== 2 || input !== 1) return `${node.opType} does not take it as a matrix on the right`;
  if (node.opType === "Gemm") return whyNotGemm(use) ?? whyNotEnd(site, use.scope, node.output[0]!);
  if (node.opType !== "MatMul") return `no 8-bit kernel takes it in ${node.opType}`;
  return whyNotMatMul(site, use);
}

function whyNotGemm({ node, scope }: Use): string | undefined {
  if (intAttribute(node, "transA", 0) !== 0) return "Gemm turns its input round (transA)";
  if (floatAttribute(node, "alpha", 1) !== 1) return "Gemm scales its product (alpha)";
  if (!node.input[2]) return undefined;
  if (floatAttribute(node, "beta", 1) !== 1) return "Gemm scales its bias (beta)";
  return ranksOf(scope, node.input[2])?.length === 1 ? undefined : "Gemm's bias is no constant vector";
}

/** A MatMul and the Add behind it become one Gemm first where the input has two axes, whatever is added. */
function whyNotMatMul(site: Site, { node, scope }: Use): string | undefined {
  const result = skipIdentity(scope, node.output[0]!, site);
  const [reader, ...others] = readersOf(site, scope, result);
  if (others.length > 0 || reader?.node.opType !== "Add" || reader.scope !== scope)
    return whyNotEnd(site, scope, result);
  const other = reader.node.input[reader.input === 0 ? 1 : 0]!;
  const sizes = ranksOf(scope, other);
  const rank = site.shapeOf(scope, node.input[0]!)?.length;
  const isVector = sizes?.length === 1 && sizes[0] === site.info.shape[1];
  const isBias = isVector || (rank !== undefined && rank > 2);
  return isBias ? whyNotEnd(site, scope, reader.node.output[0]!) : "what is added behind MatMul is no constant vector";
}

/** The search for integer patterns takes Relu and Clip for part of them, and gives up where no QuantizeLinear follows. */
function whyNotEnd(site: Site, scope: Scope, value: string): string | undefined {
  const result = skipIdentity(scope, value, site);
  const [reader, ...others] = readersOf(site, scope, result);
  if (others.length > 0 || !reader || (reader.node.opType !== "Relu" && reader.node.opType !== "Clip"))
    return undefined;
  const after = reader.node.output[0]!;
  return readersOf(site, reader.scope, after).length === 1 ? `${reader.node.opType} follows it` : undefined;
}

function readersOf({ view }: Site, scope: Scope, value: string): readonly Use[] {
  return view.usesOf(scope, value);
}

/** The value behind nodes that the runtime takes out. */
function skipIdentity(scope: Scope, value: string, site: Site): string {
  const [reader, ...others] = readersOf(site, scope, value);
  if (others.length > 0 || !reader || reader.scope !== scope || !isPass(reader.node)) return value;
  return skipIdentity(scope, reader.node.output[0]!, site);
}

function isPass(node: NodeProto): boolean {
  return isStandard(node) && (node.opType === "Identity" || node.opType === "Dropout");
}

/** Sizes of a constant of this scope. */
function ranksOf(scope: Scope, name: string): readonly number[] | undefined {
  return scope.initializers.get(name)?.dims.map(Number);
}
