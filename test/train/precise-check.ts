import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { shallowCopy } from "../../src/graph/clone.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { ancestors } from "../../src/train/fold.js";
import type { StepGraph } from "../../src/train/step.js";
import { inDoublePrecision, widened } from "./double-precision.js";

/** The gradient of a tensor against differences along it. */
export interface GradientError {
  readonly name: string;
  /** Of the gradient; 0 where nothing flows with these inputs. */
  readonly length: number;
  /** What they differ by, as a share of the length. */
  readonly error: number;
  /** The step whose difference was nearest, as a share of the weight's length. */
  readonly share: number;
  /** In float64: how far the float32 gradient is from this one, as a share of the length. */
  readonly single?: number;
}

/** Where results are kept from one run to the next. */
export interface Kept {
  find(precision: "float32" | "float64", name: string): GradientError | undefined;
  add(precision: "float32" | "float64", found: GradientError): void;
}

/** Steps along the gradient, as shares of the length of the weight: short enough to meet hardly a kink. */
const shares = [1e-6, 1e-7, 1e-5, 1e-8, 1e-4, 1e-9, 1e-3];
const enough = 1e-5;

/** Fused operators have no float64 kernels. */
const doubleSession = { memoryPattern: false, graphOptimization: "basic" } as const;

/**
 * The gradients of a step, with every node of it in float64, against central differences of its loss in float64. Where
 * float32 leaves open what is a kink, what is noise and what is a wrong rule, this tells them apart: noise is gone, and
 * steps are so short that next to no unit changes its side.
 */
export async function preciseErrors(
  step: StepGraph,
  fed: ReadonlyMap<string, Tensor>,
  single: ReadonlyMap<string, Float32Array>,
  names: readonly string[],
  kept: Kept | undefined,
): Promise<readonly GradientError[]> {
  const feeds = new Map([...step.ports].map(([port, name]) => [port, fed.get(name)!]));
  const model = await inDoublePrecision(step.model, feeds);
  const wide = new Map([...feeds].map(([name, tensor]) => [name, widened(tensor)]));
  const whole = await openSession(encodeModel(model), doubleSession);
  const wanted = names.map((name) => step.gradients.get(name)!);
  const gradients = await whole.runFor(wide, [...new Set(wanted)]);
  await whole.close();
  const forward = await openSession(encodeModel(onlyLoss(model, step.loss)), doubleSession);
  const given = new Map(forward.inputs.map(({ name }) => [name, wide.get(name)!]));
  const loss = async () => numbersOf((await forward.run(given)).get(step.loss)!)[0]!;
  const errors: GradientError[] = [];
  for (const name of names) {
    const before = kept?.find("float64", name);
    if (before) {
      errors.push(before);
      continue;
    }
    const gradient = gradients.get(step.gradients.get(name)!)!.data as Float64Array;
    const found = await errorAlong(wide.get(name)!.data as Float64Array, gradient, loss);
    const error = { name, length: norm(gradient), ...found, single: distance(single.get(name)!, gradient) };
    kept?.add("float64", error);
    errors.push(error);
  }
  await forward.close();
  return errors;
}

function onlyLoss(model: ModelProto, loss: string): ModelProto {
  const result = shallowCopy(model);
  const graph = shallowCopy(model.graph!);
  result.graph = graph;
  graph.node = [...ancestors(graph.node, [loss])];
  graph.output = graph.output.filter(({ name }) => name === loss);
  const read = new Set(graph.node.flatMap(({ input }) => input));
  graph.initializer = graph.initializer.filter(({ name }) => read.has(name));
  graph.input = graph.input.filter(({ name }) => read.has(name));
  return result;
}

async function errorAlong(data: Float64Array, gradient: Float64Array, loss: () => Promise<number>) {
  const length = norm(gradient);
  const before = data.slice();
  const size = norm(before) || 1e-2 * Math.sqrt(data.length);
  let best = { error: Number.POSITIVE_INFINITY, share: 0 };
  // without a gradient the loss must not move, whatever the direction
  const direction = length > 0 ? gradient.map((value) => value / length) : data.map(() => 1 / Math.sqrt(data.length));
  for (const share of shares) {
    const step = share * size;
    const at = async (sign: number) => {
      for (let i = 0; i < data.length; i++) data[i] = before[i]! + sign * step * direction[i]!;
      return loss();
    };
    const slope = ((await at(1)) - (await at(-1))) / (2 * step);
    const error = Math.abs(slope - length) / (length || 1);
    if (error < best.error) best = { error, share };
    if (best.error < enough) break;
  }
  data.set(before);
  return best;
}

function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

function distance(one: ArrayLike<number>, other: Float64Array): number {
  const length = norm(other);
  return norm(other.map((value, at) => value - one[at]!)) / (length || 1);
}
