import type { Label } from "../data/labels.js";
import { UserError } from "../errors.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { TrainingData } from "../train/task.js";
import type { ModelOutput } from "./outputs.js";

/** An output with classes that labels are for. */
type Classes = Pick<ModelOutput, "name" | "shape" | "axis">;

/**
 * The samples with their labels, as an extra of this name, for an output of classes. Throws a UserError that names the
 * sample whose label is no class of the model, before anything is trained.
 */
export function withLabels(
  samples: TrainingData,
  labels: readonly Label[],
  extra: string,
  output: Classes,
): TrainingData {
  const tensors = labels.map((label, at) => labelTensor(label, output, samples.nameOf(at)));
  return {
    count: samples.count,
    source: samples.source,
    nameOf: (at) => samples.nameOf(at),
    read: async (at) => new Map([...(await samples.read(at)), [extra, tensors[at]!]]),
  };
}

/**
 * The label of one sample as int64 of the output's positions (its shape without the axis of classes). Throws a UserError
 * for a text, another number of labels than positions, or a class the model does not have.
 */
function labelTensor(label: Label | undefined, { name, shape, axis }: Classes, sample: string): Tensor {
  const classes = typeof label === "number" ? [label] : label;
  if (classes === undefined || typeof classes === "string") {
    const what = label === undefined ? "no label" : `the text ${JSON.stringify(label)}`;
    throw new UserError(`--labels: ${sample} has ${what}; the loss hard wants class numbers`);
  }
  const positions = shape.filter((_, at) => at !== axis);
  const count = shape[axis]!;
  // positions of this sample: all but the first axis may differ from those of the sample the output was described by
  const rank = positions.length;
  const fitting =
    rank === 1 ? [classes.length] : rank === 2 ? [positions[0]!, classes.length / positions[0]!] : positions;
  if (elementCount(fitting) !== classes.length || (rank === 1 && classes.length !== positions[0])) {
    throw new UserError(
      `--labels: ${sample} has ${classes.length} labels, output "${name}" has ${elementCount(positions)} positions`,
    );
  }
  const wrong = classes.find((one) => !Number.isInteger(one) || one < 0 || one >= count);
  if (wrong !== undefined) {
    throw new UserError(`--labels: ${sample} has class ${wrong}; output "${name}" has classes 0 to ${count - 1}`);
  }
  return { dtype: "int64", shape: fitting, data: BigInt64Array.from(classes, (one) => BigInt(one)) };
}
