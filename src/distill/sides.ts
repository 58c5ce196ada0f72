import type { Batch, DeclaredInput } from "../data/batch.js";
import type { Label } from "../data/labels.js";
import type { Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import { formatShape } from "../tensor/tensor.js";
import type { OutputPair } from "./objective.js";
import { describeOutputs, floatShapes, type ModelOutput } from "./outputs.js";

/** One of the two models, as its file and as it runs. */
export interface Side {
  /** What its file is called. */
  readonly name: string;
  readonly inputs: readonly DeclaredInput[];
  readonly outputs: readonly ModelOutput[];
}

/** A pair with the name of the teacher's output, and the shape of both in one sample. */
export interface NamedPair extends OutputPair {
  readonly teacherName: string;
  readonly shape: readonly number[];
}

/**
 * A side by one run on the first sample; `model` is what its file holds, in the form that is looked at. Throws a UserError that names both
 * where it takes other inputs than the `other` side, whose sample it is.
 */
export async function sideOf(
  name: string,
  model: ModelProto,
  { inputs, run }: Pick<Session, "inputs" | "run">,
  sample: Batch,
  labels: readonly Label[] | undefined,
  other?: Side,
): Promise<Side> {
  if (other) checkInputs(other, { name, inputs });
  const fitting = new Map([...sample].filter(([input]) => inputs.some((one) => one.name === input)));
  return { name, inputs, outputs: describeOutputs(model, floatShapes(await run(fitting)), labels) };
}

/** The input that tells padding from sequence: [N, T], called a mask. */
export function maskInput(inputs: readonly DeclaredInput[], sample: Batch): string | undefined {
  return inputs.find(({ name }) => /mask/i.test(name) && sample.get(name)?.shape.length === 2)?.name;
}

/**
 * Which output of the student learns from which of the teacher: by name, or in order where the names differ. Throws a
 * UserError that names both where they do not fit.
 */
export function pairOutputs(teacher: Side, student: Side): readonly NamedPair[] {
  const both = `teacher ${teacher.name} and student ${student.name}`;
  const list = (outputs: readonly ModelOutput[]) =>
    outputs.map(({ name, shape }) => `"${name}" (${formatShape(shape)})`).join(", ") || "no number";
  const [theirs, ours] = [teacher.outputs, student.outputs];
  if (theirs.length !== ours.length || theirs.length === 0) {
    throw new UserError(`${both} have different outputs: the teacher gives ${list(theirs)}, the student ${list(ours)}`);
  }
  const byName = ours.every(({ name }) => theirs.some((one) => one.name === name));
  return ours.map((output, at): NamedPair => {
    const other = byName ? theirs.find(({ name }) => name === output.name)! : theirs[at]!;
    if (formatShape(output.shape) !== formatShape(other.shape)) {
      throw new UserError(
        `${both} have different outputs: on the same sample the teacher's "${other.name}" is ${formatShape(other.shape)}, the student's "${output.name}" ${formatShape(output.shape)}`,
      );
    }
    // a side that ends in a softmax says what the other's numbers are
    const [kind, axis] = output.kind === "classes" ? [output.kind, output.axis] : [other.kind, other.axis];
    return {
      ...{ name: output.name, teacherName: other.name, kind, axis, shape: output.shape },
      ...{ student: output.value, teacher: other.value },
      ...(output.labelled || other.labelled ? { labelled: true } : {}),
    };
  });
}

/** Refuses models that take other inputs, with a UserError that names both. */
function checkInputs(teacher: Omit<Side, "outputs">, student: Omit<Side, "outputs">): void {
  const words = ({ name, dtype, shape }: DeclaredInput) => `"${name}" (${dtype} ${formatShape(shape)})`;
  for (const [one, other] of [
    [teacher, student],
    [student, teacher],
  ] as const) {
    for (const input of one.inputs) {
      const same = other.inputs.find(({ name }) => name === input.name);
      // a scalar may also be of a rank the model leaves open
      const ranks = [input.shape.length, same?.shape.length];
      if (same?.dtype === input.dtype && (ranks[0] === ranks[1] || ranks.includes(0))) continue;
      throw new UserError(
        `teacher ${teacher.name} and student ${student.name} take different inputs: ${one.name} takes ${words(input)}, ${other.name} ${other.inputs.map(words).join(", ") || "nothing"}`,
      );
    }
  }
}
