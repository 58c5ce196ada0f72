import type { Batch } from "../data/batch.js";
import type { ModelProto, NodeProto, ReadExternal, TensorProto } from "../formats/onnx.js";
import { tensorInfo } from "../formats/onnx.js";
import { graphsIn } from "../graph/node.js";
import { defaultOpset } from "../graph/opset.js";
import type { ModelView, Scope } from "../graph/scope.js";
import { endsInSizes, type SizeContext, sizeSources } from "./computed-sizes.js";
import { type Axis, createLabels, type Freeze, type Labels } from "./labels.js";
import { followInside, followNested, nestedOperators } from "./nested.js";
import { nodeName, operatorOf } from "./node-names.js";
import { type AxedValue, type Contraction, type NodeAt, NotFollowed, type Rows, type StatisticsAxis } from "./row.js";
import { type Forms, formSeen, inputsAreFixed } from "./shapes.js";
import { possibleEnds, type StateEnd, settleStates } from "./states.js";
import { canSlice, smallConstant } from "./stored-tensors.js";
import { unknownShape } from "./unknown-shapes.js";

/** What can be removed together in a model. The model must not change while this is in use. */
export interface Structure {
  readonly model: ModelProto;
  readonly view: ModelView;
  readonly forms: Forms;
  /** Inputs that it was found for: those that were given, then some for branches which they do not take. */
  readonly feeds: readonly Batch[];
  /** Branches that none of them takes. */
  readonly untaken: readonly Scope[];
  readonly labels: Labels;
  /** The axes of every stored tensor that some node reads. */
  readonly tensors: ReadonlyMap<TensorProto, readonly Axis[]>;
  readonly contractions: readonly Contraction[];
  readonly statistics: readonly StatisticsAxis[];
  /** Recurrent states that callers hand back, of which places may go. */
  readonly states: readonly StateEnd[];
  /** Every list of labels that is an axis of some value or tensor. */
  readonly vectors: ReadonlySet<Int32Array>;
  /** How many axes the inputs of each node that was followed have; 0 for inputs left out. */
  readonly ranks: ReadonlyMap<NodeProto, readonly number[]>;
  /** A value as a scope sees it; undefined where its shape is not known. */
  axedValue(scope: Scope, name: string): AxedValue | undefined;
  readonly opset: number;
  readonly readExternal: ReadExternal;
  /** How vectors of sizes are followed. */
  readonly sizeContext: SizeContext;
}

/** Ways in which nodes are read where there are several, by signature. */
export type Readings = ReadonlyMap<string, number>;

interface Found {
  readonly structure: Omit<Structure, "feeds" | "untaken">;
  /** Signatures that were asked for, and how many ways each has. */
  readonly options: ReadonlyMap<string, number>;
}

/** Why a weight that is an input as well stays. */
const replaceable = "callers may replace the weight; --freeze-inputs takes it for a constant";

/** Follows the labels of all axes through a model, by the table, once from its inputs to its outputs. */
export function followAxes(
  model: ModelProto,
  forms: Forms,
  view: ModelView,
  rows: Rows,
  readExternal: ReadExternal,
  readings: Readings = new Map(),
): Found {
  const labels = createLabels();
  const tensors = new Map<TensorProto, readonly Axis[]>();
  const values = new Map<Scope, Map<string, readonly Axis[]>>(view.scopes.map((scope) => [scope, new Map()]));
  const contractions: Contraction[] = [];
  const statistics: StatisticsAxis[] = [];
  const vectors = new Set<Int32Array>();
  const ranks = new Map<NodeProto, readonly number[]>();
  const options = new Map<string, number>();
  const recurrent = new Set<number>();
  const opset = defaultOpset(model);

  /** The scope that owns a name, seen from another. */
  const ownerOf = (scope: Scope, name: string): Scope | undefined => {
    for (let at: Scope | null = scope; at; at = at.parent) {
      if (at.initializers.has(name) || at.inputs.has(name) || values.get(at)!.has(name)) return at;
    }
    return undefined;
  };
  const axedValue = (scope: Scope, name: string): AxedValue | undefined => {
    const owner = ownerOf(scope, name);
    if (!owner) return undefined;
    const tensor = owner.initializers.get(name);
    if (tensor) {
      const { shape } = tensorInfo(tensor);
      const isInput = owner.inputs.has(name);
      if (!tensors.has(tensor)) {
        const axes = shape.map((size) => (size > 1 && canSlice(tensor) ? labels.fresh(size) : null));
        for (const axis of axes) {
          if (axis) vectors.add(axis);
          if (isInput) labels.freeze(axis, { operator: "graph input", node: name, why: replaceable });
        }
        tensors.set(tensor, axes);
      }
      return { name, shape, axes: tensors.get(tensor)!, tensor: isInput ? undefined : tensor };
    }
    const form = formSeen(forms, scope, name);
    if (!form) return undefined;
    const own = values.get(owner)!.get(name);
    const fits = own?.length === form.shape.length && own.every((axis, at) => !axis || axis.length === form.shape[at]);
    // as a branch sees it that is taken for other inputs
    const why = "is not as long for all branches that read it";
    if (!fits) for (const axis of own ?? []) labels.freeze(axis, { operator: "If", node: name, why });
    return { name, shape: form.shape, axes: fits ? own : form.shape.map(() => null), tensor: undefined };
  };

  const stretched = new Set<Axis>();
  const unchanging = inputsAreFixed(model);
  const sizeContext: SizeContext = {
    view,
    axedValue,
    form: (scope, name) => formSeen(forms, scope, name),
    constant: (scope, name) => smallConstant(view, scope, name, readExternal),
    fixed: (axis) => unchanging || (axis !== null && !stretched.has(axis)),
  };

  const freezeValue = (scope: Scope, name: string, cause: Freeze): void => {
    const owner = ownerOf(scope, name);
    const axes = owner && (values.get(owner)!.get(name) ?? axedValue(owner, name)?.axes);
    for (const axis of axes ?? []) labels.freeze(axis, cause);
  };

  /** Keeps all that a node touches, what its nested graphs read included. */
  const freezeNode = (scope: Scope, node: NodeProto, why: string): void => {
    const cause = { operator: operatorOf(node), node: nodeName(node), why };
    for (const name of node.input) if (name) freezeValue(scope, name, cause);
  };

  /** An axis of a value; one index alone must stay. */
  const settled = (axis: Axis, cause: Freeze): Axis => {
    if (!axis) return null;
    if (axis.length > 1) {
      vectors.add(axis);
      return axis;
    }
    labels.freeze(axis, cause);
    return null;
  };

  /** The axes of one value as lists of their own (x xT has the same labels twice): what becomes of each is looked at. */
  const apart = (axes: readonly Axis[]): readonly Axis[] =>
    axes.map((axis, position) => {
      if (!axis || axes.indexOf(axis) === position) return axis;
      const again = axis.slice();
      vectors.add(again);
      if (stretched.has(axis)) stretched.add(again);
      return again;
    });

  const visitNode = (scope: Scope, node: NodeProto): void => {
    const own = values.get(scope)!;
    for (const name of node.output)
      if (name)
        own.set(
          name,
          (forms.get(scope)?.get(name)?.shape ?? []).map(() => null),
        );
    const cause = (why: string): Freeze => ({ operator: operatorOf(node), node: nodeName(node), why });
    const graphs = graphsIn(node);
    const inside = followInside(scope, graphs, {
      formOf: (child, name) => formSeen(forms, child, name),
      give: (child, name, axes) => void values.get(child)!.set(name, axes),
      visit: (child) => visitScope(child),
      value: axedValue,
      freeze: freezeValue,
    });
    const nested = graphs.length > 0 && nestedOperators.has(operatorOf(node));
    const row = graphs.length > 0 ? undefined : rows[operatorOf(node)];
    if (!row && !nested) {
      inside.keep(cause("this operator is not followed"));
      freezeNode(scope, node, "this operator is not followed");
      return;
    }
    const claims = new Set<Axis>();
    const at: NodeAt = {
      node,
      opset,
      input(index) {
        const name = node.input[index];
        if (!name) return undefined;
        const value = axedValue(scope, name);
        if (!value) throw new NotFollowed(unknownShape(scope, name));
        return value;
      },
      required(index) {
        const value = at.input(index);
        if (!value) throw new NotFollowed("an input is missing");
        return value;
      },
      dtype: (index) => sizeContext.form(scope, node.input[index] ?? "")?.dtype,
      outputShape(index) {
        const name = node.output[index] ?? "";
        const form = forms.get(scope)?.get(name);
        if (!form) throw new NotFollowed(`the shape of its output "${name}" is not known`);
        return form.shape;
      },
      constant: (index) => smallConstant(view, scope, node.input[index], readExternal),
      sizes: (index) => (node.input[index] ? sizeSources(sizeContext, scope, node.input[index]) : undefined),
      endsInSizes: (element, axis) =>
        endsInSizes(sizeContext, scope, node.output[0]!, new Set([element]), { name: node.input[0]!, axis }),
      stretches: (axis) => void stretched.add(axis),
      joined: (a, b) => labels.find(a) === labels.find(b),
      fresh: (size) => labels.fresh(size),
      join: (a, b) => labels.join(a, b),
      unify(a, b, why = "joins axes of which one stays") {
        claims.add(a).add(b);
        labels.unify(a, b, cause(why));
      },
      freeze: (axis, why) => labels.freeze(axis, cause(why)),
      claim: (axis) => void claims.add(axis),
      contracts(a, b) {
        const sides = [a, b].flatMap((side) => (side ? [{ ...side, value: at.required(side.input) }] : []));
        const axes = sides.map(({ value, axis }) => value.axes[axis]!);
        if (axes.length === 2) at.unify(axes[0]!, axes[1]!);
        for (const axis of axes) claims.add(axis);
        const [first] = axes;
        if (!first || axes.some((axis) => !axis)) return;
        const stored = sides.find(({ value }) => value.tensor);
        const computed = sides.find(({ value }) => !value.tensor);
        contractions.push({
          node,
          labels: first,
          weight: stored ? { tensor: stored.value.tensor!, axis: stored.axis } : null,
          value: computed ? { name: computed.value.name, input: computed.input, axis: computed.axis } : null,
        });
      },
      recurs(axis) {
        for (const label of axis ?? []) recurrent.add(label);
      },
      statistics(axis, axisLabels) {
        statistics.push({ node, axis, labels: axisLabels });
      },
      choose(signature, count) {
        options.set(signature, Math.max(count, options.get(signature) ?? 0));
        return Math.min(readings.get(signature) ?? 0, count - 1);
      },
    };
    try {
      const found = row ? row.axes(at) : followNested(at, inside.bodyOf);
      ranks.set(
        node,
        node.input.map((name) => (name ? (axedValue(scope, name)?.shape.length ?? 0) : 0)),
      );
      for (const axis of found.flat()) claims.add(axis);
      for (const name of node.input) {
        for (const axis of (name && axedValue(scope, name)?.axes) || []) {
          if (!claims.has(axis)) labels.freeze(axis, cause("uses every index of it"));
        }
      }
      found.forEach((axes, index) => {
        const name = node.output[index];
        if (!name) return;
        const form = forms.get(scope)?.get(name);
        if (!form) {
          for (const axis of axes) labels.freeze(axis, cause(`the shape of its output "${name}" is not known`));
          return;
        }
        const fits =
          axes.length === form.shape.length &&
          axes.every((axis, position) => axis === null || axis.length === form.shape[position]);
        if (!fits) throw new NotFollowed("its shapes are not those that its definition says");
        const settledAxes = axes.map((axis) => settled(axis, cause("leaves an axis of one")));
        own.set(name, apart(settledAxes));
      });
    } catch (error) {
      if (!(error instanceof NotFollowed)) throw error;
      inside.keep(cause(error.message));
      freezeNode(scope, node, error.message);
    }
  };

  const visitScope = (scope: Scope): void => {
    for (const node of scope.graph.node) visitNode(scope, node);
  };
  const rootForm = (name: string) => forms.get(view.root)?.get(name);
  const ends = possibleEnds(view, rootForm);
  for (const { name, sizes } of ends.inputs) {
    const axes = sizes.map((size) => (size > 1 ? labels.fresh(size) : null));
    for (const axis of axes) if (axis) vectors.add(axis);
    values.get(view.root)!.set(name, axes);
  }
  visitScope(view.root);
  const states = settleStates(ends, labels, recurrent, (name) => {
    const [value, form] = [axedValue(view.root, name), rootForm(name)];
    return value && form && { axes: value.axes, form };
  });
  const structure = {
    ...{ model, view, forms, labels, tensors, contractions, statistics, states, vectors, ranks },
    ...{ axedValue, opset, readExternal, sizeContext },
  };
  return { structure, options };
}
