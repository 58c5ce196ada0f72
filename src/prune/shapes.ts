import type { GraphProto, ModelProto, NodeProto, ReadExternal, TensorProto } from "../formats/onnx.js";
import { readTensor, tensorInfo } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import { graphsIn, intAttribute, isStandard } from "../graph/node.js";
import { defaultOpset } from "../graph/opset.js";
import type { ModelView, Scope } from "../graph/scope.js";
import type { DType, Tensor } from "../tensor/tensor.js";
import { bodyPorts, graphAttribute } from "./bodies.js";
import { inferForms, namesRead, observeForms, type Part, runConstants } from "./infer.js";

/** The sizes of a value's axes, all known. */
export interface ValueForm {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * What each scope's own values look like; those that nobody can tell are left out. A scope that was looked at for other
 * inputs of the model than the one around it has the values around it, too, as they are for those.
 */
export type Forms = ReadonlyMap<Scope, ReadonlyMap<string, ValueForm>>;

/** A value as a scope sees it. */
export function formSeen(forms: Forms, scope: Scope, name: string): ValueForm | undefined {
  for (let at: Scope | null = scope; at; at = at.parent) {
    const form = forms.get(at)?.get(name);
    if (form) return form;
  }
  return undefined;
}

/** What is known for some inputs of the model. */
export interface Found {
  readonly forms: Forms;
  /** A small value, as a scope sees it, where no run of the model is needed to tell it. */
  known(scope: Scope, name: string): Tensor | undefined;
}

/** What is known of a scope so far. */
interface Known {
  readonly forms: Map<string, ValueForm>;
  /** Small values that follow from shapes and constants alone. */
  readonly values: Map<string, Tensor>;
}

/** Constants of more elements do not decide shapes, and need not be there to infer them. */
const mostElements = 1024;

/** Sizes that are computed from sizes that are computed: a step each. */
const mostSteps = 64;

/**
 * Finds the shape of every value for these inputs, as onnxruntime infers them without weights and without a
 * run: step by step, where shapes depend on what is computed from others; for values of the main graph that nothing tells,
 * by one run on `feeds` where there are some.
 */
export async function formsFor(
  model: ModelProto,
  view: ModelView,
  feeds: ReadonlyMap<string, Tensor>,
  readExternal: ReadExternal,
): Promise<Found> {
  const known = new Map<Scope, Known>(
    view.scopes.map((scope) => [scope, { forms: storedForms(scope), values: new Map() }]),
  );
  for (const [name, tensor] of feeds) {
    const { dtype, shape } = tensor;
    known.get(view.root)!.forms.set(name, { dtype, shape });
    // one number may say how many, or which way to go
    if (/int|bool/.test(dtype) && tensor.data.length === 1) known.get(view.root)!.values.set(name, tensor);
  }
  const opset = defaultOpset(model);
  const world = { model, opset, known, readExternal };
  const learn = (scope: Scope) => learnScope(world, scope);
  await learn(view.root);
  const own = known.get(view.root)!;
  const missing = unknownNodes(view.root.graph, own.forms);
  if (missing.length > 0) {
    const found = await observeForms(model, view.root.graph, missing, own.forms, feeds, readExternal);
    for (const [name, form] of found) own.forms.set(name, form);
    if (found.size > 0) await learn(view.root);
  }
  return {
    forms: new Map([...known].map(([scope, { forms }]) => [scope, forms])),
    known: (scope, name) => smallValue(world, scope, name),
  };
}

interface World {
  readonly model: ModelProto;
  readonly opset: number;
  readonly known: ReadonlyMap<Scope, Known>;
  readonly readExternal: ReadExternal;
}

function storedForms({ graph }: Scope): Map<string, ValueForm> {
  const forms = new Map<string, ValueForm>();
  for (const { name, dataType, dims } of graph.initializer) {
    const dtype = onnxType(dataType)?.dtype;
    if (dtype) forms.set(name, { dtype, shape: dims.map(Number) });
  }
  return forms;
}

function unknownNodes({ node }: GraphProto, forms: ReadonlyMap<string, unknown>): readonly NodeProto[] {
  return node.filter(({ output }) => output.some((name) => name && !forms.has(name)));
}

async function learnScope(world: World, scope: Scope): Promise<void> {
  const own = world.known.get(scope)!;
  let learnt = true;
  for (let step = 0; learnt && step < mostSteps; step++) {
    const before = own.forms.size + own.values.size;
    const nodes = unknownNodes(scope.graph, own.forms);
    if (nodes.length > 0) {
      const forms = await inferForms(partOf(world, scope, nodes), world.readExternal);
      for (const [name, form] of forms) own.forms.set(name, form);
    }
    const rest = unknownNodes(scope.graph, own.forms);
    // what decides the branches of a nested graph, or the shapes still missing
    if (rest.length > 0 || scope.children.length > 0) await compute(world, scope);
    for (const node of scope.graph.node) {
      const children = childrenOf(scope, node);
      for (const child of children) await learnChild(world, scope, node, child);
      if (children.length > 0) leave(world, scope, node, children);
    }
    learnt = rest.length > 0 && own.forms.size + own.values.size > before;
  }
}

const childrenOf = (scope: Scope, node: NodeProto): readonly Scope[] => {
  if (scope.children.length === 0) return [];
  const graphs = graphsIn(node);
  return scope.children.filter(({ graph }) => graphs.includes(graph));
};

/** A value as a scope sees it. */
function seen<T>(
  world: World,
  scope: Scope,
  name: string,
  what: (known: Known) => ReadonlyMap<string, T>,
): T | undefined {
  for (let at: Scope | null = scope; at; at = at.parent) {
    const found = what(world.known.get(at)!).get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

const formOf = (world: World, scope: Scope, name: string) => seen(world, scope, name, ({ forms }) => forms);

/** A small value that is known without a run. */
function smallValue(world: World, scope: Scope, name: string): Tensor | undefined {
  const found = holderOf(world, scope, name);
  return found && ("data" in found ? found : readTensor(found, world.readExternal));
}

function holderOf(world: World, scope: Scope, name: string): Tensor | TensorProto | undefined {
  for (let at: Scope | null = scope; at; at = at.parent) {
    const found = world.known.get(at)!.values.get(name);
    if (found) return found;
    const stored = at.initializers.get(name);
    if (!stored || at.inputs.has(name)) continue;
    return tensorInfo(stored).elements <= mostElements && onnxType(stored.dataType)?.dtype ? stored : undefined;
  }
  return undefined;
}

/** Nodes and what is known of the values they read. */
function partOf(world: World, scope: Scope, nodes: readonly NodeProto[]): Part {
  const made = new Set(nodes.flatMap(({ output }) => output));
  const values = new Map<string, Tensor>();
  const forms = new Map<string, ValueForm>();
  for (const name of nodes.flatMap(namesRead)) {
    if (made.has(name)) continue;
    const value = smallValue(world, scope, name);
    const form = formOf(world, scope, name);
    if (value && form) values.set(name, value);
    else if (form) forms.set(name, form);
  }
  return { model: world.model, nodes, values, forms };
}

/** Works out the small values that follow from shapes and constants. */
async function compute(world: World, scope: Scope): Promise<void> {
  const own = world.known.get(scope)!;
  const nodes: NodeProto[] = [];
  const computed = new Set<string>();
  const isKnown = (name: string) => !name || computed.has(name) || holderOf(world, scope, name) !== undefined;
  for (const node of scope.graph.node) {
    if (!isStandard(node) || graphsIn(node).length > 0 || /^(Random|Multinomial|Bernoulli)/.test(node.opType)) continue;
    if (node.output.every((name) => !name || own.values.has(name))) continue;
    const form = node.input[0] ? formOf(world, scope, node.input[0]) : undefined;
    if (node.opType === "Shape" && form) {
      const sizes = form.shape.slice(intAttribute(node, "start", 0), intAttribute(node, "end", undefined));
      const data = BigInt64Array.from(sizes, BigInt);
      own.values.set(node.output[0]!, { dtype: "int64", shape: [data.length], data });
      continue;
    }
    const small = node.output.every((name) => {
      const made = own.forms.get(name);
      return !made || made.shape.reduce((product, size) => product * size, 1) <= mostElements;
    });
    if (!small || node.input.length === 0 || !node.input.every(isKnown)) continue;
    nodes.push(node);
    for (const name of node.output) if (name) computed.add(name);
  }
  if (nodes.length === 0) return;
  for (const [name, value] of await runConstants(partOf(world, scope, nodes), world.readExternal)) {
    own.forms.set(name, { dtype: value.dtype, shape: value.shape });
    if (value.data.length <= mostElements) own.values.set(name, value);
  }
}

/** Learns what a nested graph knows of its inputs, then the rest of it. */
async function learnChild(world: World, scope: Scope, node: NodeProto, child: Scope): Promise<void> {
  const ports = bodyPorts(node, child.graph, world.opset);
  const { forms } = world.known.get(child)!;
  if (!ports) {
    await learnScope(world, child);
    return;
  }
  for (const { inner, dtype } of ports.own) forms.set(inner, { dtype, shape: [] });
  for (const { input, inner, axis } of ports.sliced) {
    const form = formOf(world, scope, node.input[input] ?? "");
    if (!form) continue;
    const place = axis < 0 ? axis + form.shape.length : axis;
    forms.set(inner, { dtype: form.dtype, shape: form.shape.filter((_, position) => position !== place) });
  }
  // a state whose shape differs after a round has no shape of its own
  const given = new Map(forms);
  const stable = new Set(ports.states);
  for (;;) {
    for (const { input, inner } of stable) {
      const form = formOf(world, scope, node.input[input] ?? "");
      if (form) forms.set(inner, form);
    }
    await learnScope(world, child);
    const changed = [...stable].filter(({ inner, made }) => {
      const [before, after] = [forms.get(inner), formOf(world, child, made)];
      return before && after && String(before.shape) !== String(after.shape);
    });
    if (changed.length === 0) return;
    for (const state of changed) stable.delete(state);
    forms.clear();
    world.known.get(child)!.values.clear();
    for (const [name, form] of given) forms.set(name, form);
  }
}

/** Learns what outputs a node has from its nested graphs. */
function leave(world: World, scope: Scope, node: NodeProto, children: readonly Scope[]): void {
  const { forms, values } = world.known.get(scope)!;
  const childOf = (graph: GraphProto | undefined) => children.find((child) => child.graph === graph);
  if (isStandard(node) && node.opType === "If") {
    const condition = smallValue(world, scope, node.input[0] ?? "");
    const branches = ["then_branch", "else_branch"].map((name) => childOf(graphAttribute(node, name)));
    const taken = condition ? [branches[condition.data[0] ? 0 : 1]] : branches;
    node.output.forEach((name, at) => {
      const found = taken.map((branch) => branch && formOf(world, branch, branch.graph.output[at]?.name ?? ""));
      const [first] = found;
      if (first && found.every((form) => form && String(form.shape) === String(first.shape))) forms.set(name, first);
      const [branch] = taken;
      const value = condition && branch && smallValue(world, branch, branch.graph.output[at]?.name ?? "");
      if (value) values.set(name, value);
    });
    return;
  }
  const [child] = children;
  const ports = child && bodyPorts(node, child.graph, world.opset);
  for (const { inner, made, output } of ports?.states ?? []) {
    const [before, after] = [formOf(world, child!, inner), formOf(world, child!, made)];
    const name = node.output[output];
    if (name && before && after && String(before.shape) === String(after.shape)) forms.set(name, before);
  }
}

/** Whether the file says how long every axis of its inputs is. */
export function inputsAreFixed({ graph }: ModelProto): boolean {
  const stored = new Set(graph!.initializer.map(({ name }) => name));
  return graph!.input.every(({ name, type }) => {
    if (stored.has(name)) return true;
    const shape = type?.value.case === "tensorType" ? type.value.value.shape : undefined;
    return shape?.dim.every(({ value }) => value.case === "dimValue" && value.value > 0n) ?? false;
  });
}
