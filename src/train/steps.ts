import type { Batch } from "../data/batch.js";
import type { Parameter, TrainingGraph } from "./graph.js";
import type { Objective } from "./objective.js";
import { type CompiledStep, compileStep, type StepSettings } from "./step.js";

/** Sessions kept open; each holds the memory of its activations. */
const mostOpen = 4;

/** Training steps by the shapes of batches. */
export interface StepSource {
  /** The step for batches like this one; compiled the first time. */
  stepFor(batch: Batch): Promise<CompiledStep>;
  /** Parameters that no step so far reaches. */
  unreached(): readonly string[];
  close(): Promise<void>;
}

/** Steps over the same parameters, one for each set of shapes; those used last stay open. */
export function createSteps(
  bind: (batch: Batch) => Promise<TrainingGraph>,
  objective: Objective,
  parameters: readonly Parameter[],
  settings: StepSettings,
): StepSource {
  const open = new Map<string, CompiledStep>();
  let unreached: ReadonlySet<string> | undefined;
  return {
    async stepFor(batch) {
      const key = [...batch].map(([name, { dtype, shape }]) => `${name}:${dtype}:${shape.join("x")}`).join(" ");
      let step = open.get(key);
      if (!step) {
        if (open.size >= mostOpen) {
          const [oldest, old] = open.entries().next().value!;
          open.delete(oldest);
          await old.close();
        }
        step = await compileStep(await bind(batch), objective, parameters, batch, settings);
        const { unreached: missed } = step;
        unreached = new Set(missed.filter((name) => unreached?.has(name) ?? true));
      }
      // the last in the map is the one used last
      open.delete(key);
      open.set(key, step);
      return step;
    },
    unreached: () => [...(unreached ?? [])],
    async close() {
      for (const step of open.values()) await step.close();
      open.clear();
    },
  };
}
