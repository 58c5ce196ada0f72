import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { Batch, DeclaredInput } from "./batch.js";
import { batchAxes, joinSamples } from "./feeds.js";

/** What is run: one inference. */
type Run = (feeds: Batch) => Promise<ReadonlyMap<string, Tensor>>;

/** Elements of the inputs of one batch: activations are many times as many. */
const mostElements = 2 ** 21;

interface Samples {
  readonly count: number;
  read(at: number): Batch | Promise<Batch>;
  nameOf(at: number): string;
}

/**
 * A run that takes sample `at` together with those after it where they can be one batch, and hands out the outputs one
 * by one: samples must be asked for in their order. Models without a batch axis, samples of different shapes, and outputs
 * whose first axis is not the batch's are run one at a time.
 */
export function lookAhead(
  run: Run,
  inputs: readonly DeclaredInput[],
  samples: Samples,
  rows: number,
): (feeds: Batch, at: number) => Promise<ReadonlyMap<string, Tensor>> {
  const axes = batchAxes(inputs);
  let ready = new Map<number, ReadonlyMap<string, Tensor>>();
  let alone = axes.size < inputs.length || [...axes.values()].some((axis) => axis !== 0) || rows < 2;
  return async (feeds, at) => {
    const found = ready.get(at);
    if (found) return found;
    if (alone) return run(feeds);
    const group = [feeds];
    const elements = [...feeds.values()].reduce((sum, { data }) => sum + data.length, 0);
    const most = Math.min(rows, Math.floor(mostElements / Math.max(1, elements)));
    for (let next = at + 1; next < samples.count && group.length < most; next++) {
      const sample = await samples.read(next);
      if (!sameForm(feeds, sample)) break;
      group.push(sample);
    }
    if (group.length === 1) return run(feeds);
    const names = group.map((_, index) => samples.nameOf(at + index));
    const outputs = await run(joinSamples(group, axes, names));
    const each = feeds.values().next().value!.shape[0]!;
    const parts = partsOf(outputs, group.length, each);
    if (!parts) {
      alone = true;
      return run(feeds);
    }
    ready = new Map(parts.map((part, index) => [at + index, part]));
    return parts[0]!;
  };
}

function sameForm(one: Batch, other: Batch): boolean {
  return [...one].every(([name, { shape }]) => {
    const found = other.get(name)?.shape;
    return found?.length === shape.length && found.every((size, at) => size === shape[at]);
  });
}

/** Outputs of `count` samples of `each` rows, apart; undefined where an output is not along the batch. */
function partsOf(outputs: ReadonlyMap<string, Tensor>, count: number, each: number) {
  const rows = count * each;
  if ([...outputs.values()].some(({ shape }) => shape[0] !== rows)) return undefined;
  return Array.from(
    { length: count },
    (_, at) =>
      new Map(
        [...outputs].map(([name, { dtype, shape, data }]): [string, Tensor] => {
          const size = (elementCount(shape) / rows) * each;
          const [from, to] = [at * size, (at + 1) * size];
          const part = Array.isArray(data) ? data.slice(from, to) : (data as Float32Array).subarray(from, to);
          return [name, { dtype, shape: [each, ...shape.slice(1)], data: part }];
        }),
      ),
  );
}
