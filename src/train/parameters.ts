import { type ModelProto, type NodeProto, type ReadExternal, readTensor, type TensorProto } from "../formats/onnx.js";
import { typeName } from "../formats/onnx-types.js";
import { graphsIn, intAttribute, isStandard } from "../graph/node.js";
import { type ModelView, type Scope, type Use, viewModel } from "../graph/scope.js";
import { elementCount } from "../tensor/tensor.js";
import { fixedTables, isMask } from "./fixed-tables.js";
import type { ParameterKind } from "./graph.js";

/** What an operator's input is to training; `row` is the table of an embedding. */
type Role = "weight" | "bias" | "norm";

const each = (slots: readonly number[], role: Role): Readonly<Record<number, Role>> =>
  Object.fromEntries(slots.map((slot) => [slot, role]));

const recurrent = { ...each([1, 2], "weight"), ...each([3], "bias") };
const affine = each([1, 2], "norm");
const product = { ...each([0, 1], "weight"), ...each([2], "bias") };
const convolution = { ...each([1], "weight"), ...each([2], "bias") };

/** Inputs that hold weights, by operator. */
const roles: Readonly<Record<string, Readonly<Record<number, Role>>>> = {
  Conv: convolution,
  ConvTranspose: convolution,
  MatMul: product,
  Gemm: product,
  Einsum: each([0, 1, 2, 3], "weight"),
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  PRelu: each([1], "norm"),
  LayerNormalization: affine,
  InstanceNormalization: affine,
  GroupNormalization: affine,
  BatchNormalization: affine,
  RMSNormalization: affine,
  // onnxruntime has it in the default domain
  SimplifiedLayerNormalization: affine,
  "com.microsoft:FusedConv": convolution,
  "com.microsoft:FusedGemm": product,
  "com.microsoft:FusedMatMul": product,
  "com.microsoft:Attention": convolution,
  "com.microsoft:MultiHeadAttention": each([3], "bias"),
  "com.microsoft:GroupQueryAttention": each([11], "bias"),
  "com.microsoft:BiasGelu": each([1], "bias"),
  "com.microsoft:FastGelu": each([1], "bias"),
  "com.microsoft:BiasAdd": each([1], "bias"),
  "com.microsoft:GroupNorm": affine,
  "com.microsoft:SkipLayerNormalization": { ...each([2, 3], "norm"), ...each([4], "bias") },
  "com.microsoft:SkipSimplifiedLayerNormalization": { ...each([2], "norm"), ...each([3], "bias") },
  "com.microsoft:EmbedLayerNormalization": { ...each([2, 3, 4], "weight"), ...each([5, 6], "norm") },
};

/** Operators behind which a tensor is still that tensor: its elements in other places. */
const movers: ReadonlySet<string> = new Set([
  ...["Identity", "Slice", "Split", "Concat", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose"],
  ...["Expand", "Tile", "Pad", "Gather", "Cast"],
]);

const elementwise: Readonly<Record<string, Role>> = { Add: "bias", Sub: "bias", Mul: "norm", Div: "norm" };

/**
 * Which initializers of the main graph are weights, and of what kind: the float32 ones that products, convolutions,
 * normalisations and recurrent layers take as such, tables that rows are gathered from, and what is added to or multiplied
 * with values that depend on one of those, where it has more than one element. Masks and tables of sines are none.
 */
export function chooseParameters(
  model: ModelProto,
  readExternal: ReadExternal,
  { frozen }: { readonly frozen: readonly RegExp[] },
): { readonly kinds: ReadonlyMap<string, ParameterKind>; readonly notes: readonly string[] } {
  const view = viewModel(model);
  const candidates = model.graph!.initializer.filter(
    ({ dataType, dims }) => typeName(dataType) === "float32" && elementCount(dims.map(Number)) > 0,
  );
  const uses = new Map(candidates.map(({ name }) => [name, [...usesBehindMoves(view, view.root, name)]]));
  const kinds = new Map<string, ParameterKind>();
  for (const { name, dims } of candidates) {
    const role = uses.get(name)!.reduce<Role | undefined>((best, use) => best ?? roleOf(use, dims.length), undefined);
    if (role) kinds.set(name, role);
  }
  const trained = dependents(model.graph!.node, new Set(kinds.keys()));
  const makers = makersOf(view);
  for (const tensor of candidates) {
    if (kinds.has(tensor.name)) continue;
    const role = uses.get(tensor.name)!.reduce<Role | undefined>((best, { node, input, from }) => {
      const other = node.input[1 - input];
      if (best || !isStandard(node) || !(node.opType in elementwise) || !other || !trained.has(other)) return best;
      if (from !== tensor.name && other === tensor.name) return best;
      return operandRole(tensor, node, makers.get(other), view);
    }, undefined);
    if (role && !isMask(readTensor(tensor, readExternal))) kinds.set(tensor.name, role);
  }
  const notes: string[] = [];
  const tables = fixedTables(
    candidates.filter(({ name, dims }) => kinds.has(name) && dims.length > 1),
    readExternal,
  );
  for (const name of tables) {
    kinds.delete(name);
    notes.push(`${name} holds sines or cosines of positions and stays as it is`);
  }
  const held = [...kinds.keys()].filter((name) => frozen.some((pattern) => name.search(pattern) >= 0));
  for (const name of held) kinds.delete(name);
  if (held.length > 0) notes.push(`${held.length} of the weights are frozen by name`);
  return { kinds, notes };
}

/** Uses of a tensor, those behind nodes that only move its elements too; `from` is the name it is read under. */
function* usesBehindMoves(
  view: ModelView,
  scope: Scope,
  name: string,
  depth = 0,
): Generator<Use & { readonly from: string }> {
  for (const use of view.usesOf(scope, name)) {
    yield { ...use, from: name };
    const { node, input } = use;
    if (depth > 8 || !isStandard(node) || !movers.has(node.opType) || (input > 0 && node.opType !== "Concat")) continue;
    for (const output of node.output) if (output) yield* usesBehindMoves(view, use.scope, output, depth + 1);
  }
}

function roleOf({ node, input }: Use, rank: number): Role | undefined {
  const found = roles[isStandard(node) ? node.opType : `${node.domain}:${node.opType}`]?.[input];
  if (found) return found;
  // a table that rows are looked up in
  const looked = node.opType === "Gather" && isStandard(node) && input === 0 && intAttribute(node, "axis", 0) === 0;
  return looked && rank === 2 ? "weight" : undefined;
}

/** What an operand of Add, Sub, Mul or Div is. */
function operandRole(
  { dims }: TensorProto,
  { opType }: NodeProto,
  maker: NodeProto | undefined,
  view: ModelView,
): Role | undefined {
  const shape = dims.map(Number);
  const long = shape.filter((size) => size > 1).length;
  if (long > 1) return "weight";
  if (long === 1) return elementwise[opType];
  // one number is a constant of the exporter, unless it is the bias of a layer with one output
  const weight = maker?.opType === "MatMul" ? view.root.initializers.get(maker.input[1]!) : undefined;
  return opType === "Add" && shape.length === 1 && Number(weight?.dims.at(-1)) === 1 ? "bias" : undefined;
}

function makersOf({ scopes }: ModelView): ReadonlyMap<string, NodeProto> {
  return new Map(scopes.flatMap(({ graph }) => graph.node.flatMap((node) => node.output.map((name) => [name, node]))));
}

/** The values that depend on the elements of one of these; what a nested graph puts out counts for its node. */
export function dependents(nodes: readonly NodeProto[], seeds: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set(seeds);
  const visit = (list: readonly NodeProto[]): void => {
    for (const node of list) {
      const nested = graphsIn(node);
      for (const graph of nested) visit(graph.node);
      if (isStandard(node) && (node.opType === "Shape" || node.opType === "Size")) continue;
      const reads = node.input.some((name) => found.has(name));
      if (reads || nested.some((graph) => graph.output.some(({ name }) => found.has(name)))) {
        for (const name of node.output) if (name) found.add(name);
      }
    }
  };
  visit(nodes);
  return found;
}
