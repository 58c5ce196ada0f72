import type { Batch } from "../data/batch.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import type { Parameter, TrainingGraph } from "./graph.js";

export interface PrepareSettings {
  /** What the model is called in errors. */
  readonly name: string;
  /** Initializers that stay as they are, by patterns over their names. */
  readonly frozen: readonly RegExp[];
  /** BatchNormalization with its stored statistics, or with those of the batch (which update the stored ones). */
  readonly batchNorm: "frozen" | "train";
}

/** A model whose weights can be trained: a copy in the form that gradients need, and its parameters. */
export interface TrainableModel {
  /** The copy: opset 21, float32, one flat graph. Parameters are still initializers in it, under their names. */
  readonly copy: ModelProto;
  /** The tensors that train, by name; data are updated in place. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** What was decomposed or fixed, in words. */
  readonly notes: readonly string[];
}

/** Makes the copy; `model` stays as it is. Throws a UserError that names what cannot be trained. */
export declare function prepareModel(
  model: ModelProto,
  readExternal: ReadExternal,
  settings: PrepareSettings,
): TrainableModel;

/** The graph for the shapes of these feeds, found by one dump run. */
export declare function bindShapes(model: TrainableModel, feeds: Batch): Promise<TrainingGraph>;
