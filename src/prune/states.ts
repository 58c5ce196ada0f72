import type { EmptyPlaces } from "../evaluate/empty-places.js";
import { type GraphProto, makeTensor } from "../formats/onnx.js";
import type { FreshName } from "../graph/names.js";
import { graphsIn, makeNode } from "../graph/node.js";
import { recurrentEnds } from "../graph/recurrent-ends.js";
import type { ModelView } from "../graph/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Axis, Labels } from "./labels.js";
import type { ValueForm } from "./shapes.js";

/**
 * An input or output of the model through which a recurrent state comes and goes. Callers see it as long as it was; inside
 * it has the places that are left: others are not read, and put out as zeros.
 */
export interface StateEnd {
  readonly name: string;
  readonly kind: "input" | "output";
  readonly dtype: ValueForm["dtype"];
  readonly axes: readonly Axis[];
}

/** Where states may come in and go out. */
interface PossibleEnds {
  /** Sizes of axes that the file leaves open are 1 here. */
  readonly inputs: readonly { readonly name: string; readonly sizes: readonly number[] }[];
  /** Every output of the model, and whether it is nothing but what a recurrent operator ends with. */
  readonly outputs: readonly { readonly name: string; readonly isLast: boolean }[];
}

/** Finds inputs of the model that some recurrent operator starts from, and outputs that one ends with. */
export function possibleEnds(view: ModelView, formOf: (name: string) => ValueForm | undefined): PossibleEnds {
  const { starts, isLast } = recurrentEnds(view);
  const { graph } = view.root;
  return {
    inputs: graph.input.flatMap(({ name, type }) => {
      const form = formOf(name);
      if (!starts.has(name) || !form?.dtype.startsWith("float") || type?.value.case !== "tensorType") return [];
      const dims = type.value.value.shape?.dim ?? [];
      const sizes = form.shape.map((size, at) => (dims[at]?.value.case === "dimValue" ? size : 1));
      return [{ name, sizes }];
    }),
    outputs: graph.output.map(({ name }) => ({ name, isLast: isLast(name) })),
  };
}

/**
 * Keeps all that the model takes and puts out, but for states: units of a recurrent operator that come in and go out at
 * the same places of equal inputs and outputs, and reach no other end of the model.
 */
export function settleStates(
  ends: PossibleEnds,
  labels: Labels,
  units: Iterable<number>,
  ended: (name: string) => { readonly axes: readonly Axis[]; readonly form: ValueForm } | undefined,
): readonly StateEnd[] {
  const recurring = new Set([...units].map((label) => labels.find(label)));
  const all = [
    ...ends.inputs.map(({ name }) => ({ name, kind: "input" as const, mayBe: true })),
    ...ends.outputs.map(({ name, isLast }) => ({ name, kind: "output" as const, mayBe: isLast })),
  ].flatMap((end) => {
    const value = ended(end.name);
    return value ? [{ ...end, ...value }] : [];
  });
  const reached = new Map<number, { readonly end: (typeof all)[number]; readonly place: string }[]>();
  for (const end of all) {
    for (const [at, axis] of end.axes.entries()) {
      const indices = new Map<number, number[]>();
      for (const [index, label] of (axis ?? []).entries()) {
        const root = labels.find(label);
        indices.set(root, [...(indices.get(root) ?? []), index]);
      }
      for (const [root, own] of indices) {
        const place = `${end.form.dtype} ${end.form.shape.join("x")}, axis ${at}: ${own.join()}`;
        reached.set(root, [...(reached.get(root) ?? []), { end, place }]);
      }
    }
  }
  for (const [root, places] of reached) {
    const at = (kind: "input" | "output") => places.filter(({ end }) => end.kind === kind);
    const sorted = (kind: "input" | "output") =>
      at(kind)
        .map(({ place }) => place)
        .sort()
        .join(" ");
    const isState = recurring.has(root) && places.every(({ end }) => end.mayBe) && sorted("input") === sorted("output");
    if (isState) continue;
    const { end } = at("output")[0] ?? at("input")[0]!;
    const why = `what the model ${end.kind === "input" ? "takes" : "puts out"} keeps its shape`;
    labels.freeze(Int32Array.of(root), { operator: `graph ${end.kind}`, node: end.name, why });
  }
  const isOpen = (axis: Axis) => axis?.some((label) => !labels.frozenBy(label)) ?? false;
  return all
    .filter(({ axes }) => axes.some(isOpen))
    .map(({ name, kind, axes, form }) => ({ name, kind, axes, dtype: form.dtype }));
}

/** Which indices of an axis are left; null where nothing of it went. */
type Kept = (axis: Axis) => readonly number[] | null;

/** Lets the ends of a pruned model be as long as they were: what is left is taken out of inputs, zeros fill outputs up. */
export function fitStates(
  states: readonly StateEnd[],
  graph: GraphProto,
  kept: Kept,
  fresh: FreshName,
  opset: number,
): void {
  const store = (base: string, values: readonly number[]): string => {
    const name = fresh(base);
    const data = BigInt64Array.from(values, BigInt);
    graph.initializer.push(makeTensor(name, { dtype: "int64", shape: [values.length], data }));
    return name;
  };
  for (const { name, kind, axes } of states) {
    const cuts = axes.flatMap((axis, at) => {
      const left = kept(axis);
      return left ? [{ at, left, size: axis!.length }] : [];
    });
    if (cuts.length === 0) continue;
    const inner = fresh(`${name}_kept`);
    renameReads(graph, name, inner);
    const names = (last: string) => cuts.map((_, at) => (at === cuts.length - 1 ? last : fresh(`${name}_part`)));
    if (kind === "input") {
      const made = names(inner);
      const nodes = cuts.map(({ at, left }, step) =>
        makeNode(
          "Gather",
          fresh(`${name}_take`),
          [made[step - 1] ?? name, store(`${name}_places`, left)],
          [made[step]!],
          {
            axis: at,
          },
        ),
      );
      graph.node.unshift(...nodes);
      continue;
    }
    renameMade(graph, name, inner);
    const made = names(name);
    cuts.forEach(({ at, left, size }, step) => {
      const places = new Map(left.map((index, place) => [index, place]));
      // the one behind the last is the zero
      const from = Array.from({ length: size }, (_, index) => places.get(index) ?? left.length);
      const padded = fresh(`${name}_padded`);
      const pads = axes.flatMap(() => 0).concat(axes.map((_, axis) => (axis === at ? 1 : 0)));
      const source = made[step - 1] ?? inner;
      graph.node.push(
        opset < 11
          ? makeNode("Pad", fresh(padded), [source], [padded], { pads })
          : makeNode("Pad", fresh(padded), [source, store(`${name}_pads`, pads)], [padded]),
        makeNode("Gather", fresh(`${name}_restore`), [padded, store(`${name}_places`, from)], [made[step]!], {
          axis: at,
        }),
      );
    });
  }
}

/** Places of each state that a model without these labels puts zeros out at; none where nothing of one went. */
export function emptyPlaces(states: readonly StateEnd[], isGone: (label: number) => boolean): readonly EmptyPlaces[] {
  return states.flatMap(({ name, kind, axes }) =>
    kind === "input"
      ? []
      : axes.map((labels, axis) => ({
          ...{ output: name, axis },
          indices: [...(labels ?? []).keys()].filter((at) => isGone(labels![at]!)),
        })),
  );
}

/** Puts zeros at places of outputs of the unsliced model where the pruned one has them. */
export function zeroStates(
  states: readonly StateEnd[],
  graph: GraphProto,
  isGone: (label: number) => boolean,
  maskOf: (axis: Int32Array, rank: number, position: number, dtype: ValueForm["dtype"]) => Tensor,
  fresh: FreshName,
): void {
  for (const { name, kind, axes, dtype } of states) {
    if (kind === "input") continue;
    axes.forEach((axis, at) => {
      if (!axis?.some(isGone)) return;
      const [inner, mask] = [fresh(`${name}_whole`), fresh(`${name}_mask`)];
      renameReads(graph, name, inner);
      renameMade(graph, name, inner);
      graph.initializer.push(makeTensor(mask, maskOf(axis, axes.length, at, dtype)));
      graph.node.push(makeNode("Mul", "", [inner, mask], [name]));
    });
  }
}

/** Renames a value where nodes read it, those of nested graphs too that have none of that name. */
function renameReads(graph: GraphProto, from: string, to: string): void {
  for (const node of graph.node) {
    node.input = node.input.map((name) => (name === from ? to : name));
    for (const inside of graphsIn(node)) {
      const own = [...inside.input, ...inside.initializer].some(({ name }) => name === from);
      if (!own && !inside.node.some(({ output }) => output.includes(from))) renameReads(inside, from, to);
    }
  }
}

function renameMade(graph: GraphProto, from: string, to: string): void {
  for (const node of graph.node) node.output = node.output.map((name) => (name === from ? to : name));
}
