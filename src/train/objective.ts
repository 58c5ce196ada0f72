import type { GraphBuilder, Value } from "../graph/builder.js";
import type { Parameter, TrainingGraph } from "./graph.js";

/** What an objective is written with. */
export interface ObjectiveContext {
  readonly b: GraphBuilder;
  readonly graph: TrainingGraph;
  /** What each batch brings beside the model's inputs (labels, outputs of a teacher, masks), by name. */
  readonly extras: ReadonlyMap<string, Value>;
  /** The objective's own parameters. */
  readonly parameters: ReadonlyMap<string, Value>;
}

/** What training minimises. Written anew for each set of shapes. */
export interface Objective {
  /** Parameters of its own, which train along and are not part of the model (projections). */
  readonly parameters: readonly Parameter[];
  /** The values of the model it looks at beside the outputs. */
  readonly watches: readonly string[];
  /**
   * Writes the loss, a scalar, and the scalars it consists of, by what they are called in logs. The loss of a batch is a
   * mean over `weight`, a scalar that says how much counts in it (valid positions, or rows): steps that accumulate several
   * batches weigh each by it. Without it every row of the batch counts 1.
   */
  build(context: ObjectiveContext): {
    readonly loss: Value;
    readonly terms: ReadonlyMap<string, Value>;
    readonly weight?: Value;
  };
}
