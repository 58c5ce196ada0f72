import type { Batch } from "../data/batch.js";
import type { Tensor } from "../tensor/tensor.js";
import type { TrainingGraph } from "./graph.js";
import type { CompiledStep } from "./step.js";

/** Sessions kept open; each holds the memory of its activations. */
const mostOpen = 4;

/** Training steps by the shapes of batches. */
export interface StepSource {
  /** The step for batches like this one; compiled the first time. */
  stepFor(batch: Batch): Promise<CompiledStep>;
  /** Parameters that no step so far reaches; undefined where there was none. */
  unreached(): readonly string[] | undefined;
  close(): Promise<void>;
}

/** The shapes of a batch in words. */
export function shapesOf(batch: Batch): string {
  return [...batch].map(([name, { dtype, shape }]) => `${name}:${dtype}:${shape.join("x")}`).join(" ");
}

/** Steps over the same parameters, one for each set of shapes; those used last stay open. */
export function createSteps(
  bind: (batch: Batch) => Promise<TrainingGraph>,
  compile: (graph: TrainingGraph, batch: Batch) => Promise<CompiledStep>,
): StepSource {
  const open = new Map<string, { readonly step: CompiledStep; readonly fixed: Batch }>();
  let unreached: ReadonlySet<string> | undefined;
  return {
    async stepFor(batch) {
      const key = shapesOf(batch);
      let entry = open.get(key);
      if (entry && ![...entry.fixed].every(([name, tensor]) => sameElements(batch.get(name)!, tensor))) {
        open.delete(key);
        await entry.step.close();
        entry = undefined;
      }
      if (!entry) {
        if (open.size >= mostOpen) {
          const [oldest, old] = open.entries().next().value!;
          open.delete(oldest);
          await old.step.close();
        }
        const graph = await bind(batch);
        const step = await compile(graph, batch);
        entry = { step, fixed: graph.fixed ?? new Map() };
        const { unreached: missed } = step;
        unreached = new Set(missed.filter((name) => unreached?.has(name) ?? true));
      }
      // the last in the map is the one used last
      open.delete(key);
      open.set(key, entry);
      return entry.step;
    },
    unreached: () => unreached && [...unreached],
    async close() {
      for (const { step } of open.values()) await step.close();
      open.clear();
    },
  };
}

function sameElements(a: Tensor, b: Tensor): boolean {
  const [one, other] = [a.data as Float32Array, b.data as Float32Array];
  return one.length === other.length && one.every((value, at) => value === other[at]);
}
