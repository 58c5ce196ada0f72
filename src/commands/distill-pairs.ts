import type { Batch } from "../data/batch.js";
import type { OutputPair } from "../distill/objective.js";
import { describeOutputs } from "../distill/outputs.js";
import type { Session, ValueInfo } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import { formatShape, type Tensor } from "../tensor/tensor.js";

/** A model that takes part, and what it is called. */
interface Side {
  readonly name: string;
  readonly session: Session;
}

/** Refuses a student that takes or gives something else than the teacher. Throws a UserError that names both. */
export function refuseOthers(teacher: Side, student: Side): void {
  compare("take", teacher, teacher.session.inputs, student, student.session.inputs);
  compare("give", teacher, teacher.session.outputs, student, student.session.outputs);
}

function compare(
  verb: "take" | "give",
  teacher: Side,
  theirs: readonly ValueInfo[],
  student: Side,
  ours: readonly ValueInfo[],
): void {
  const noun = verb === "take" ? "input" : "output";
  for (const one of theirs) {
    const other = ours.find(({ name }) => name === one.name);
    if (other && other.dtype === one.dtype && other.shape.length === one.shape.length) continue;
    const found = other
      ? `which is ${words(other)} in ${student.name}`
      : `but ${student.name} has ${ours.map(words).join(", ") || `no ${noun}s`}`;
    throw new UserError(`teacher and student must ${verb} the same: ${teacher.name} has ${words(one)}, ${found}`);
  }
  const extra = ours.find(({ name }) => !theirs.some((one) => one.name === name));
  if (!extra || verb === "give") return;
  throw new UserError(
    `teacher and student must take the same: ${student.name} has ${words(extra)}, but ${teacher.name} has ${theirs.map(words).join(", ")}`,
  );
}

const words = ({ name, dtype, shape }: ValueInfo): string =>
  `"${name}" ${dtype} [${shape.map((size) => size ?? "?").join(", ")}]`;

/** Shapes of outputs in one run. */
const shapesOf = (outputs: ReadonlyMap<string, Tensor>) =>
  new Map(
    [...outputs].flatMap(([name, { dtype, shape }]) => (dtype.startsWith("float") ? [[name, shape] as const] : [])),
  );

/** What is compared of both models, and how many classes labels can name. */
export interface OutputPairs {
  readonly pairs: readonly OutputPair[];
  /** Classes of the first output that has some; undefined where none has. */
  readonly classes: number | undefined;
}

/** Pairs the outputs by name. `student.model` is its training copy, whose values the loss looks at. */
export async function pairOutputs(
  teacher: Side & { readonly model: ModelProto },
  student: Side & { readonly model: ModelProto },
  sample: Batch,
  labelled: boolean,
): Promise<OutputPairs> {
  const [theirs, ours] = [await teacher.session.run(sample), await student.session.run(sample)];
  for (const [name, { shape }] of theirs) {
    const own = ours.get(name)!.shape;
    if (own.length === shape.length && own.every((size, at) => size === shape[at])) continue;
    throw new UserError(
      `teacher and student must give the same: output "${name}" of ${teacher.name} is ${formatShape(shape)}, that of ${student.name} ${formatShape(own)} for the same sample`,
    );
  }
  const described = describeOutputs(teacher.model, shapesOf(theirs), labelled);
  const own = new Map(describeOutputs(student.model, shapesOf(ours), labelled).map((one) => [one.name, one]));
  const pairs = described.flatMap(({ name, value, kind, axis }): OutputPair[] => {
    const mine = own.get(name);
    if (!mine) return [];
    // a Softmax on one side alone: probabilities have logits of their own only there
    const same = mine.kind === kind;
    return [
      {
        name,
        kind: same ? kind : "values",
        student: same ? mine.value : name,
        teacher: same ? value : name,
        axis,
      },
    ];
  });
  if (pairs.length === 0) {
    throw new UserError(`${teacher.name}: gives no floats that a student could learn from`);
  }
  const first = pairs.find(({ kind }) => kind === "classes");
  return { pairs, classes: first && theirs.get(first.name)!.shape[first.axis] };
}
