import type { GraphProto, NodeProto } from "../formats/onnx.js";
import type { Scope } from "../graph/scope.js";
import { bodyPorts, graphAttribute } from "./bodies.js";
import type { Axis, Freeze } from "./labels.js";
import { type AxedValue, type NodeAt, NotFollowed } from "./row.js";

/** A graph inside a node. */
interface Body {
  /** Gives its own inputs axes, then follows its nodes; inputs without some stay. */
  follow(inputs: ReadonlyMap<string, readonly Axis[]>): void;
  /** A value as the graph sees it, after that; an input's shape also before. Undefined where it is not known. */
  value(name: string): AxedValue | undefined;
  /** What an output of the node is like where the graph is run. */
  shapeOf(output: string | undefined): readonly number[] | undefined;
}

/** What following nested graphs needs of the model around them. */
interface Around {
  formOf(scope: Scope, name: string): { readonly shape: readonly number[] } | undefined;
  /** Gives a value its axes. */
  give(scope: Scope, name: string, axes: readonly Axis[]): void;
  /** Follows the nodes of a graph. */
  visit(scope: Scope): void;
  value(scope: Scope, name: string): AxedValue | undefined;
  freeze(scope: Scope, name: string, cause: Freeze): void;
}

/** The graphs of one node. */
export function followInside(scope: Scope, graphs: readonly GraphProto[], around: Around) {
  const inside = graphs.length > 0 ? scope.children.filter(({ graph }) => graphs.includes(graph)) : [];
  const followed = new Set<Scope>();
  const follow = (child: Scope, inputs: ReadonlyMap<string, readonly Axis[]>): void => {
    followed.add(child);
    for (const { name } of child.graph.input) {
      around.give(child, name, inputs.get(name) ?? (around.formOf(child, name)?.shape ?? []).map(() => null));
    }
    around.visit(child);
  };
  return {
    bodyOf(graph: GraphProto): Body {
      const child = inside.find((each) => each.graph === graph)!;
      return {
        follow: (inputs) => follow(child, inputs),
        value: (name) => (name ? around.value(child, name) : undefined),
        shapeOf: (output) => (output ? around.formOf(child, output)?.shape : undefined),
      };
    },
    /** Follows for its own sake what is not followed yet; nothing of it leaves. */
    keep(cause: Freeze): void {
      for (const child of inside) {
        if (!followed.has(child)) follow(child, new Map());
        for (const { name } of child.graph.output) around.freeze(child, name, cause);
      }
    },
  };
}

type OutputAxes = readonly (readonly Axis[])[];

/** The operators whose nested graphs are followed. */
export const nestedOperators: ReadonlySet<string> = new Set(["If", "Loop", "Scan"]);

/** The axes of the outputs of an If, a Loop or a Scan; its graphs are followed on the way. */
export function followNested(at: NodeAt, bodyOf: (graph: GraphProto) => Body): OutputAxes {
  return at.node.opType === "If" ? followBranches(at, bodyOf) : followRounds(at, bodyOf);
}

/** Whichever branch is taken, its outputs are the node's. */
function followBranches(at: NodeAt, bodyOf: (graph: GraphProto) => Body): OutputAxes {
  const branches = ["then_branch", "else_branch"].map((name) => required(at.node, name));
  const bodies = branches.map(bodyOf);
  for (const body of bodies) body.follow(new Map());
  return at.node.output.map((_, index) => {
    const ways = branches.map(({ output }, branch) => ({
      value: bodies[branch]!.value(output[index]?.name ?? ""),
      shape: bodies[branch]!.shapeOf(at.node.output[index]),
    }));
    return joined(at, index, ways);
  });
}

/** A value that a branch puts out, and the shape that the node's output has where that branch is taken. */
interface Way {
  readonly value: AxedValue | undefined;
  readonly shape: readonly number[] | undefined;
}

/**
 * Joins values of which one stands for an output of the node. Axes of one may be there or not (branches that squeeze or do
 * not): the others are joined in their order.
 */
function joined(at: NodeAt, index: number, ways: readonly Way[]): readonly Axis[] {
  const shape = knownShape(at, index);
  const long = (sizes: readonly number[]) => [...sizes.keys()].filter((position) => sizes[position] !== 1);
  const fit = ways.every(({ value, shape: own }) => {
    if (!value || !own || own.length !== shape?.length) return false;
    const [from, to] = [long(value.shape), long(own)];
    return from.length === to.length && from.every((place, order) => value.shape[place] === own[to[order]!]);
  });
  const none = (shape ?? []).map(() => null);
  if (!fit) {
    for (const axis of ways.flatMap(({ value }) => value?.axes ?? []))
      at.freeze(axis, "joins branches of other shapes");
    return none;
  }
  const [first, ...others] = ways.map(({ value, shape: own }) => {
    const axes: Axis[] = [...none];
    const places = long(own!);
    for (const [order, place] of long(value!.shape).entries()) axes[places[order]!] = value!.axes[place]!;
    return axes;
  });
  for (const axes of others) for (const [place, axis] of axes.entries()) at.unify(first![place]!, axis);
  return first!;
}

/** What one round hands to the next has the same axes in all of them. */
function followRounds(at: NodeAt, bodyOf: (graph: GraphProto) => Body): OutputAxes {
  const graph = required(at.node, "body");
  const ports = bodyPorts(at.node, graph, at.opset);
  if (!ports) throw new NotFollowed("its body does not fit it");
  const body = bodyOf(graph);
  const inputs = new Map<string, readonly Axis[]>();
  const give = (name: string, axes: readonly Axis[], shape: readonly number[]) => {
    const inner = body.value(name);
    if (!inner || inner.shape.length !== shape.length || inner.shape.some((size, axis) => size !== shape[axis])) {
      for (const axis of axes) at.freeze(axis, "its body sees it in another shape");
      return;
    }
    for (const axis of axes) at.claim(axis);
    inputs.set(name, axes);
  };
  const initial = ports.states.map(({ input }) => ifKnown(() => at.input(input)));
  ports.states.forEach(({ inner }, index) => {
    const value = initial[index];
    if (value) give(inner, value.axes, value.shape);
  });
  for (const { input, inner, axis } of ports.sliced) {
    const { axes, shape } = at.required(input);
    const place = axis < 0 ? axis + shape.length : axis;
    // every round reads its own index
    at.freeze(axes[place] ?? null, "runs over every index of it");
    const without = <T>(list: readonly T[]) => list.filter((_, position) => position !== place);
    give(inner, without(axes), without(shape));
  }
  body.follow(inputs);
  const result: (readonly Axis[])[] = at.node.output.map((_, index) => (knownShape(at, index) ?? []).map(() => null));
  const keepWhole = (axes: readonly Axis[], why: string) => {
    for (const axis of axes) at.freeze(axis, why);
  };
  ports.states.forEach(({ inner, made, output }, index) => {
    const [start, seen, next] = [initial[index], inputs.get(inner), body.value(made)];
    const shape = knownShape(at, output);
    const named = Boolean(at.node.output[output]);
    const same = (value: AxedValue | undefined) => value && start && String(value.shape) === String(start.shape);
    if (!seen || !same(next) || (named && String(shape) !== String(start!.shape))) {
      keepWhole(
        [...(seen ?? []), ...(start?.axes ?? []), ...(next?.axes ?? [])],
        "changes its shape from round to round",
      );
      return;
    }
    seen.forEach((axis, position) => void at.unify(axis, next!.axes[position]!));
    result[output] = seen;
  });
  for (const { made, output, axis } of ports.collected) {
    const value = body.value(made);
    const shape = knownShape(at, output);
    if (!value) continue;
    const place = shape && axis < 0 ? axis + shape.length : axis;
    const rest = shape?.filter((_, position) => position !== place);
    if (String(rest) === String(value.shape)) {
      result[output] = [...value.axes.slice(0, place), null, ...value.axes.slice(place)];
    } else keepWhole(value.axes, "puts it out in another shape");
  }
  return result;
}

function required(node: NodeProto, name: string): GraphProto {
  const graph = graphAttribute(node, name);
  if (!graph) throw new NotFollowed(`it has no ${name}`);
  return graph;
}

const knownShape = (at: NodeAt, index: number) => ifKnown(() => at.outputShape(index));

/** Undefined instead of not followed: sequences, for one, have no shapes. */
function ifKnown<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof NotFollowed) return undefined;
    throw error;
  }
}
