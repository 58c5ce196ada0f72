import type { DeclaredInput } from "../data/batch.js";
import { UserError } from "../errors.js";
import { formatShape } from "../tensor/tensor.js";
import type { OutputPair } from "./objective.js";
import type { ModelOutput } from "./outputs.js";

/** One of the two models, as its file and as it runs. */
export interface Side {
  /** What its file is called. */
  readonly name: string;
  readonly inputs: readonly DeclaredInput[];
  readonly outputs: readonly ModelOutput[];
}

/** A pair with the name of the teacher's output. */
export interface NamedPair extends OutputPair {
  readonly teacherName: string;
}

/**
 * Which output of the student learns from which of the teacher: by name, or in order where the names differ. Throws a
 * UserError that names both where they do not fit, or where the two take other inputs.
 */
export function pairOutputs(teacher: Side, student: Side): readonly NamedPair[] {
  checkInputs(teacher, student);
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
    return { name: output.name, teacherName: other.name, kind, axis, student: output.value, teacher: other.value };
  });
}

/** Refuses models that take other inputs, with a UserError that names both. */
export function checkInputs(teacher: Omit<Side, "outputs">, student: Omit<Side, "outputs">): void {
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
