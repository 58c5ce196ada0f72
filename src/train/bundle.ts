import type { Batch } from "../data/batch.js";
import { openSession } from "../engine/session.js";
import { encodeModel } from "../formats/onnx.js";
import type { Form } from "../graph/builder.js";
import { elementCount, type Tensor, type TensorData } from "../tensor/tensor.js";
import { denormalsAsZero } from "./denormals.js";
import type { Parameter } from "./graph.js";
import type { Optimizer, UpdateSettings } from "./optimizer.js";
import type { StepGraph } from "./step.js";
import { flattened, looped, type State, updateNumbers, withUpdate } from "./update-graph.js";

/**
 * Up to how many weights, and bytes of a batch, steps run together with their updates in the graph. What is saved is what
 * surrounds a step; the update itself is slower there, and larger models lose by it (test/bench/train/updates.ts).
 */
const [mostWeights, mostBatchBytes] = [2 ** 14, 2 ** 16];

/** Steps of one run at most. */
export const mostTogether = 25;

/** What one of several steps gives. */
export interface BundledStep {
  readonly loss: number;
  readonly terms: ReadonlyMap<string, number>;
  readonly gradientNorm: number;
}

/** Several steps in one run, updates included, for batches of one set of shapes. */
export interface CompiledBundle {
  readonly unreached: readonly string[];
  /**
   * A step with each batch, at these rates; parameters and the optimizer's moments are those after it. Where the numbers
   * of a step are not finite, it is the last of those given back, and everything is as it was before it.
   */
  runAll(batches: readonly Batch[], rates: readonly number[]): Promise<readonly BundledStep[]>;
  close(): Promise<void>;
}

/** Whether updates may be in the graph: few weights, all updated alike, at every step. */
export function canBundle(parameters: readonly Parameter[], { ema, accumulate }: UpdateSettings): boolean {
  const count = parameters.reduce((sum, { data }) => sum + data.length, 0);
  const plain = parameters.every(
    (one) => one.kind !== "statistic" && !one.mask && one.lowerBound === undefined && !("rateScale" in one),
  );
  return plain && count <= mostWeights && ema === 0 && accumulate === 1;
}

/** Compiles a step that `canBundle`; undefined where its batches are large, or may hold nothing that counts. */
export async function compileBundle(
  step: StepGraph,
  parameters: readonly Parameter[],
  sample: Batch,
  optimizer: Optimizer,
  settings: UpdateSettings,
): Promise<CompiledBundle | undefined> {
  const bytes = [...sample.values()].reduce((sum, { data }) => sum + ((data as Float32Array).byteLength ?? 0), 0);
  if (step.weight !== undefined || bytes > mostBatchBytes) return undefined;
  const byName = new Map(parameters.map((one) => [one.name, one]));
  const tensors = [...step.ports].flatMap(([port, name]) => {
    const [parameter, gradient] = [byName.get(name), step.gradients.get(name)];
    if (!parameter || gradient === undefined || sample.has(name)) return [];
    return { decays: parameter.kind === "weight", shape: parameter.shape, port, gradient, members: [parameter] };
  });
  const held = new Map<string, Tensor>();
  const fed = new Map<string, Form>();
  const origin = new Map<string, string>();
  const trained = new Set(tensors.map(({ port }) => port));
  for (const [port, name] of step.ports) {
    const [given, parameter] = [sample.get(name), byName.get(name)];
    if (trained.has(port)) continue;
    if (given) {
      fed.set(port, given);
      origin.set(port, name);
    } else if (parameter) held.set(port, { dtype: "float32", shape: parameter.shape, data: parameter.data });
  }
  const updating = withUpdate(flattened({ model: step.model, tensors }), settings);
  const seen = [...new Set([step.loss, updating.norm, ...step.terms.values()])];
  const loop = looped(updating, fed, seen);
  // one thread: there is nothing here that would be worth waking another
  const session = await openSession(encodeModel(loop.model), {
    config: denormalsAsZero,
    memoryPattern: false,
    fixed: held,
  });
  const arraysOf = ({ kind, of }: State): readonly Float32Array[] =>
    of.members.map(({ name, data }) => (kind === "weights" ? data : optimizer.moments.get(`${kind}/${name}`)!));

  const run = async (batches: readonly Batch[], rates: readonly number[]) => {
    const count = batches.length;
    const numbers = rates.flatMap((rate, at) => updateNumbers(settings, rate, optimizer.steps + at + 1));
    const feeds = new Map<string, Tensor>([
      [loop.turns, { dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(count)) }],
    ]);
    for (const [name, all] of loop.stacked) {
      const from = origin.get(name);
      const stack =
        from === undefined
          ? ({ dtype: "float32", shape: [count, 3], data: Float32Array.from(numbers) } as const)
          : stacked(batches.map((batch) => batch.get(from)!));
      feeds.set(all, stack);
    }
    for (const state of loop.states) {
      feeds.set(state.into, { dtype: "float32", shape: state.of.shape, data: joined(arraysOf(state)) });
    }
    const results = await session.run(feeds);
    const line = (name: string) => results.get(loop.seen[seen.indexOf(name)]!)!.data as Float32Array;
    const [losses, norms] = [line(step.loss), line(updating.norm)];
    const terms = [...step.terms].map(([name, value]) => [name, line(value)] as const);
    const steps = batches.map(
      (_, at): BundledStep => ({
        loss: losses[at]!,
        gradientNorm: norms[at]!,
        terms: new Map(terms.map(([name, values]) => [name, values[at]!])),
      }),
    );
    const take = () => {
      for (const state of loop.states) spread(results.get(state.out)!.data as Float32Array, arraysOf(state));
      optimizer.steps += count;
    };
    return { steps, take };
  };
  return {
    unreached: step.unreached,
    async runAll(batches, rates) {
      const { steps, take } = await run(batches, rates);
      const wrong = steps.findIndex((one) => !Number.isFinite(one.loss) || !Number.isFinite(one.gradientNorm));
      if (wrong < 0) take();
      else if (wrong > 0) (await run(batches.slice(0, wrong), rates.slice(0, wrong))).take();
      return wrong < 0 ? steps : steps.slice(0, wrong + 1);
    },
    close: () => session.close(),
  };
}

/** Tensors of one form, one after another along a new first axis. */
function stacked(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  const { dtype, shape } = first!;
  const size = elementCount(shape);
  const data = new (first!.data.constructor as new (length: number) => Float32Array)(tensors.length * size);
  for (const [at, tensor] of tensors.entries()) data.set(tensor.data as Float32Array, at * size);
  return { dtype, shape: [tensors.length, ...shape], data: data as TensorData };
}

function joined(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  spreadOver(arrays, (array, from) => all.set(array, from));
  return all;
}

function spread(all: Float32Array, arrays: readonly Float32Array[]): void {
  spreadOver(arrays, (array, from) => array.set(all.subarray(from, from + array.length)));
}

function spreadOver(arrays: readonly Float32Array[], what: (array: Float32Array, from: number) => void): void {
  let from = 0;
  for (const array of arrays) {
    what(array, from);
    from += array.length;
  }
}
