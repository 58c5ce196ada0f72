import { expect } from "@jest/globals";
import { uniform } from "../../src/data/random.js";
import { syntheticBatches } from "../../src/data/synthetic.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, type ReadExternal } from "../../src/formats/onnx.js";
import { viewModel } from "../../src/graph/scope.js";
import { analyseModel } from "../../src/prune/analyse.js";
import { type Groups, groupChannels } from "../../src/prune/groups.js";
import { rows } from "../../src/prune/rows/index.js";
import { sliceModel } from "../../src/prune/slice.js";
import type { Structure } from "../../src/prune/structure.js";
import { zeroedModel } from "../../src/prune/zeroed.js";
import type { Tensor } from "../../src/tensor/tensor.js";

/** Must not be asked: the model holds its tensors. */
const nothingElsewhere: ReadExternal = () => {
  throw new Error("nothing lies elsewhere");
};

export interface Halved {
  readonly structure: Structure;
  readonly groups: Groups;
  readonly small: ModelProto;
  /** The whole model with zeros instead of what `small` lacks. */
  readonly zeroed: ModelProto;
  /** Largest difference between the pruned and the zeroed model's outputs, in parts of the largest output. */
  readonly error: number;
  /** As `error`, between the zeroed model and itself on inputs that were rounded: what no slicing can keep below. */
  readonly rounding: number;
  /** As `error`, between the zeroed and the whole model: 0 tells that nothing was removed. */
  readonly moved: number;
}

/**
 * Removes half the channels of every group at random, or another share but never all of a group, and holds the result
 * against the model with zeros instead.
 */
export async function pruneHalf(
  model: ModelProto,
  feeds?: ReadonlyMap<string, Tensor>,
  seed = 1,
  share = 0.5,
): Promise<Halved> {
  const whole = await openSession(encodeModel(model), { graphOptimization: "disabled" });
  const fed =
    feeds ??
    syntheticBatches(
      whole.inputs,
      new Map(whole.inputs.map(({ name, shape }) => [name, shape as number[]])),
      1,
      seed,
    )[0]!;
  const before = await whole.run(fed);
  await whole.close();
  const structure = await analyseModel(model, fed, nothingElsewhere);
  const groups = groupChannels(structure);
  const next = uniform(seed);
  const removed = new Set<number>();
  for (const { channels } of groups.groups) {
    const order = channels.map(({ label }) => ({ label, at: next() })).sort((a, b) => a.at - b.at);
    const most = Math.min(Math.floor(channels.length * share), channels.length - 1);
    for (const { label } of order.slice(0, most)) removed.add(label);
  }
  const small = sliceModel(structure, removed, rows, undefined);
  const zeroed = zeroedModel(structure, removed, rows);
  const run = async (each: ModelProto, ...inputs: readonly ReadonlyMap<string, Tensor>[]) => {
    const session = await openSession(encodeModel(each), { graphOptimization: "disabled" });
    const found: ReadonlyMap<string, Tensor>[] = [];
    for (const one of inputs) found.push(await session.run(one));
    await session.close();
    return found;
  };
  const [lean] = await run(small, fed);
  const [masked, ...others] = await run(zeroed, fed, rounded(fed, next), rounded(fed, next));
  const difference = (a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>): number => {
    let worst = 0;
    for (const [name, { data, shape }] of a) {
      const other = b.get(name)!;
      expect(shape).toEqual(other.shape);
      const [x, y] = [Array.from(data as Float32Array, Number), Array.from(other.data as Float32Array, Number)];
      const largest = Math.max(1e-6, ...y.map(Math.abs).filter((value) => !Number.isNaN(value)));
      x.forEach((value, at) => {
        // both not a number, or the same infinity
        if (Object.is(value, y[at])) return;
        worst = Math.max(worst, Math.abs(value - y[at]!) / largest);
      });
    }
    return worst;
  };
  return {
    ...{ structure, groups, small, zeroed },
    error: difference(lean!, masked!),
    rounding: Math.max(...others.map((other) => difference(other, masked!))),
    moved: difference(masked!, before),
  };
}

/** Feeds of which each number lost about its last bit. */
function rounded(feeds: ReadonlyMap<string, Tensor>, next: () => number): ReadonlyMap<string, Tensor> {
  const turn = ({ data, ...rest }: Tensor): Tensor => ({
    ...rest,
    data: data instanceof Float32Array ? data.map((value) => value * (1 + (next() - 0.5) * 2 ** -22)) : data,
  });
  return new Map([...feeds].map(([name, tensor]) => [name, turn(tensor)]));
}

/** The shape of a stored tensor, wherever in a model it is. */
export function storedShape(model: ModelProto, name: string): readonly number[] | undefined {
  for (const { initializers } of viewModel(model).scopes) {
    const found = initializers.get(name);
    if (found) return found.dims.map(Number);
  }
  return undefined;
}
