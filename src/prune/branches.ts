import type { Batch } from "../data/batch.js";
import { openSession, type Session } from "../engine/session.js";
import {
  encodeModel,
  type ModelProto,
  type NodeProto,
  type ReadExternal,
  readTensor,
  tensorInfo,
} from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import { declaredInputs } from "../graph/declared-inputs.js";
import { graphsIn, isStandard } from "../graph/node.js";
import { producers } from "../graph/producers.js";
import type { ModelView, Scope } from "../graph/scope.js";
import { isNumericDType, numbersOf, tensorOfNumbers } from "../tensor/numbers.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import { runConstants } from "./infer.js";

/** An If that decides by one or a few numbers that the model is given. */
interface Decision {
  readonly scope: Scope;
  readonly node: NodeProto;
  /** What its condition is computed by, in order; names differ from scope to scope. */
  readonly cone: readonly NodeProto[];
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Inputs of the model that it looks at. */
  readonly knobs: readonly string[];
}

/** Values that are tried for the inputs of one condition. */
const mostValues = 64;
/** Runs that a branch may take to find sizes which it can be run on. */
const mostSizes = 48;
/** Samples whose branches are looked at. */
const mostSamples = 32;
/** A condition of more nodes is no choice between branches. */
const mostNodes = 64;

/**
 * Inputs that together take all branches which are chosen by numbers that the model is given (a sampling rate, a flag):
 * the first of `samples`, those others that take branches which the ones before do not, then made-up ones. Those are the
 * given ones with other numbers where conditions look, and with other sizes where the branch cannot be run on theirs.
 */
export async function feedsForBranches(
  model: ModelProto,
  view: ModelView,
  samples: readonly Batch[],
  readExternal: ReadExternal,
): Promise<readonly Batch[]> {
  const decisions = view.scopes.flatMap((scope) =>
    scope.graph.node.flatMap((node) => decisionOf(view, scope, node, readExternal) ?? []),
  );
  const [first] = samples;
  if (decisions.length === 0 || !first) return samples.slice(0, 1);
  const wayOf = rememberedWays(model, decisions, readExternal);
  const seen = new Map<Decision, Set<boolean>>(decisions.map((decision) => [decision, new Set()]));
  const found: Batch[] = [];
  const add = async (batch: Batch, always = false): Promise<void> => {
    let isNew = always;
    for (const decision of decisions) {
      const way = await wayOf(decision, batch);
      if (way === undefined || seen.get(decision)!.has(way)) continue;
      seen.get(decision)!.add(way);
      isNew = true;
    }
    if (isNew) found.push(batch);
  };
  await add(first, true);
  for (const sample of samples.slice(1, mostSamples)) await add(sample);
  let session: Session | undefined;
  try {
    for (const decision of decisions) {
      for (const way of [true, false]) {
        if (seen.get(decision)!.has(way)) continue;
        for (const base of [...found]) {
          const turned = await turnedTo(decision, way, base, wayOf);
          if (!turned) continue;
          session ??= await openSession(encodeModel(model, readExternal), { graphOptimization: "disabled" });
          const fitting = await fitSizes(model, session, turned);
          if (!fitting) continue;
          await add(fitting);
          break;
        }
      }
    }
  } finally {
    await session?.close();
  }
  return found;
}

/** The branch that a batch takes: whether the condition holds; undefined where the If is not reached. */
type WayOf = (decision: Decision, batch: Batch) => Promise<boolean | undefined>;

/** Works conditions out without the rest of the model, once for the same numbers. */
function rememberedWays(model: ModelProto, decisions: readonly Decision[], readExternal: ReadExternal): WayOf {
  const known = new Map<string, boolean | undefined>();
  const conditionOf = async (decision: Decision, batch: Batch): Promise<boolean | undefined> => {
    const { cone, constants, knobs, node } = decision;
    const key = `${decisions.indexOf(decision)}: ${knobs.map((name) => String(batch.get(name)?.data)).join(";")}`;
    if (known.has(key)) return known.get(key);
    const given = knobs.flatMap((name) => (batch.has(name) ? [[name, batch.get(name)!] as const] : []));
    const values = new Map([...constants, ...given]);
    const condition = node.input[0]!;
    const made =
      values.get(condition) ??
      (await runConstants({ model, nodes: cone, values, forms: new Map() }, readExternal)).get(condition);
    const way = made && made.data.length === 1 ? Boolean(made.data[0]) : undefined;
    known.set(key, way);
    return way;
  };
  return async (decision, batch) => {
    // those around it first
    for (let { scope } = decision; scope.parent; scope = scope.parent) {
      const { parent, graph } = scope;
      const around = decisions.find((one) => one.scope === parent && graphsIn(one.node).includes(graph));
      if (!around) continue;
      const branch = (await conditionOf(around, batch)) ? "then_branch" : "else_branch";
      if (around.node.attribute.find(({ name }) => name === branch)?.g !== graph) return undefined;
    }
    return conditionOf(decision, batch);
  };
}

/** The decision of an If; undefined for one that looks at anything but a few numbers of the model's inputs. */
function decisionOf(view: ModelView, scope: Scope, node: NodeProto, readExternal: ReadExternal): Decision | undefined {
  if (!isStandard(node) || node.opType !== "If") return undefined;
  const cone = new Set<NodeProto>();
  const constants = new Map<string, Tensor>();
  const knobs = new Set<string>();
  const look = (from: Scope, name: string): boolean => {
    for (let at: Scope | null = from; at; at = at.parent) {
      const stored = at.initializers.get(name);
      if (at.inputs.has(name)) {
        // a body's own inputs change from round to round
        if (at.parent || !isKnob(view, name)) return false;
        knobs.add(name);
        return true;
      }
      if (stored) {
        const { elements } = tensorInfo(stored);
        if (elements > mostNodes || !onnxType(stored.dataType)?.dtype) return false;
        constants.set(name, readTensor(stored, readExternal));
        return true;
      }
      const maker = producers(at).get(name);
      if (!maker) continue;
      const held = maker.opType === "Constant" ? maker.attribute.find((one) => one.name === "value")?.t : undefined;
      if (held) {
        constants.set(name, readTensor(held, readExternal));
        return true;
      }
      if (cone.has(maker)) return true;
      if (graphsIn(maker).length > 0 || cone.size >= mostNodes) return false;
      const own = at;
      if (!maker.input.every((input) => !input || look(own, input))) return false;
      cone.add(maker);
      return true;
    }
    return false;
  };
  if (!look(scope, node.input[0] ?? "") || knobs.size === 0) return undefined;
  return { scope, node, cone: [...cone], constants, knobs: [...knobs] };
}

/** Whether an input of the model is one whole number or flag. */
function isKnob({ root }: ModelView, name: string): boolean {
  const info = root.graph.input.find((input) => input.name === name)?.type?.value;
  if (info?.case !== "tensorType" || root.initializers.has(name)) return false;
  const dtype = onnxType(info.value.elemType)?.dtype ?? "";
  const sizes = info.value.shape?.dim ?? [];
  return /int|bool/.test(dtype) && sizes.every(({ value }) => value.case !== "dimValue" || value.value === 1n);
}

/** A batch with other numbers where a condition looks, so that it goes the other way; undefined where none do. */
async function turnedTo(decision: Decision, way: boolean, base: Batch, wayOf: WayOf): Promise<Batch | undefined> {
  const stored = [...decision.constants.values()].flatMap((tensor) => Array.from(numbersOf(tensor), Number));
  const near = stored.filter(Number.isInteger).flatMap((value) => [value, value - 1, value + 1]);
  const tried = [...new Set([...near, 0, 1])];
  let batches: readonly Batch[] = [base];
  for (const name of decision.knobs) {
    const knob = base.get(name);
    if (!knob || !isNumericDType(knob.dtype)) return undefined;
    const values = knob.dtype === "bool" ? [0, 1] : tried;
    const { dtype, shape } = knob;
    batches = batches
      .flatMap((batch) => [
        batch,
        ...values.map((value): Batch => new Map([...batch, [name, tensorOfNumbers(dtype, shape, () => value)]])),
      ])
      .slice(0, mostValues);
  }
  for (const batch of batches) if ((await wayOf(decision, batch)) === way) return batch;
  return undefined;
}

/** Shares of a size that are tried in its place, likely ones first. */
const shares = [1 / 2, 2, 1 / 3, 3, 1 / 4, 4, 2 / 3, 3 / 2, 1 / 8, 8, 3 / 4, 4 / 3, 1 / 6, 6];
const powers = Array.from({ length: 12 }, (_, power) => 2 ** (power + 2));

/** The batch where the model can be run on it, else with other sizes of open axes; undefined where none of those do. */
async function fitSizes(model: ModelProto, session: Session, batch: Batch): Promise<Batch | undefined> {
  const runs = async (one: Batch) => {
    try {
      await session.run(one);
      return true;
    } catch {
      return false;
    }
  };
  if (await runs(batch)) return batch;
  const open = new Map<string, { readonly size: number; readonly at: (readonly [name: string, axis: number])[] }>();
  for (const { name, shape } of declaredInputs(model)) {
    for (const [axis, declared] of shape.entries()) {
      const size = batch.get(name)?.shape[axis] ?? 1;
      if (typeof declared === "number" || size === 1) continue;
      const key = declared ?? `${name} ${axis}`;
      const known = open.get(key);
      if (known) known.at.push([name, axis]);
      else open.set(key, { size, at: [[name, axis]] });
    }
  }
  const axes = [...open.values()];
  const together = axes.length > 1 ? shares.slice(0, 6).map((share) => axes.map(({ size }) => size * share)) : [];
  const alone = axes.flatMap(({ size }, which) =>
    [...shares.map((share) => size * share), ...powers.filter((power) => power <= 4 * size)].map((other) =>
      axes.map((axis, at) => (at === which ? other : axis.size)),
    ),
  );
  const tried = [...alone, ...together].filter((sizes) => sizes.every((size) => Number.isInteger(size) && size > 0));
  for (const sizes of tried.slice(0, mostSizes)) {
    const other = new Map(batch);
    for (const [which, { at }] of axes.entries()) {
      for (const [name, axis] of at) other.set(name, resized(other.get(name)!, axis, sizes[which]!));
    }
    if (await runs(other)) return other;
  }
  return undefined;
}

/** A tensor with an axis of another length: its elements from the start on, again and again. */
function resized(tensor: Tensor, axis: number, size: number): Tensor {
  const { dtype, shape } = tensor;
  if (!isNumericDType(dtype) || shape[axis] === size) return tensor;
  const numbers = numbersOf(tensor);
  const inner = elementCount(shape.slice(axis + 1));
  let at = 0;
  const sizes = shape.with(axis, size);
  return tensorOfNumbers(dtype, sizes, () => {
    const [outer, place, rest] = [Math.floor(at / (size * inner)), Math.floor(at / inner) % size, at % inner];
    at += 1;
    return Number(numbers[(outer * shape[axis]! + (place % shape[axis]!)) * inner + rest]);
  });
}
