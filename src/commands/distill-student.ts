import type { Host, Options } from "../cli.js";
import type { Batch } from "../data/batch.js";
import type { ModelOutput } from "../distill/outputs.js";
import { applyStudent, layersOf, planStudent, type StudentPlan } from "../distill/student.js";
import { openSession, type Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import { encodeModel, type ModelProto, type ReadExternal } from "../formats/onnx.js";
import { checkGraphs } from "../graph/check.js";
import { cloneModel } from "../graph/clone.js";
import { formatNumberOf } from "../render/quantities.js";
import type { SourceFile, StudentSource } from "../render/training-result.js";
import { refuseQuantized } from "./compress-refusals.js";
import { absolute } from "./files.js";
import { type ModelFile, readModelFile } from "./model-files.js";
import { fileOf } from "./training-describe.js";
import type { Link } from "./training-job.js";

/** The model that learns, before it has. */
export interface Student {
  /** What it is called in errors. */
  readonly name: string;
  readonly model: ModelProto;
  readonly readExternal: ReadExternal;
  readonly externalFiles: readonly string[];
  readonly source: StudentSource;
  /** Whether it gives nearly the teacher's answers already: one of lower ranks does. */
  readonly isNear: boolean;
  readonly file: SourceFile | null;
  /** Runs it as it is. */
  open(threads: number): Promise<Session>;
}

/** Refuses a quantized teacher that a student is to be made of; one may well teach a student of its own. */
export function refuseQuantizedTeacher(options: Options, { path, model }: ModelFile): void {
  if (options["student"] !== undefined) return;
  const remedy = "a student made of it could not learn: name the float teacher, or a float student with --student";
  refuseQuantized(path, model, remedy);
}

/**
 * Reads the student, or makes it from the teacher, which is normalised, as the options say; `samples` are a few of those
 * to learn from.
 */
export async function openStudent(
  host: Host,
  options: Options,
  teacher: ModelFile,
  outputs: readonly ModelOutput[],
  samples: readonly Batch[],
  link: Link,
): Promise<Student> {
  const path = options["student"] as string | undefined;
  if (path !== undefined) return studentFile(host, path);
  const { model } = teacher;
  const width = options["studentWidth"] as number | undefined;
  if (width !== undefined) return narrowStudent(options, teacher, width, samples[0]!);
  const layers = options["studentLayers"] as number | readonly number[] | undefined;
  const plan =
    typeof layers === "object"
      ? await namedLayers(layers, teacher, outputs, samples[0]!)
      : await planStudent({
          ...{ model, readExternal: teacher.readExternal, name: teacher.path, outputs, samples },
          target:
            layers === undefined
              ? { kind: "parameters", share: options["studentParams"] as number }
              : { kind: "layers", keep: layers },
          progress: (words, done, total) => {
            if (done === 1) link.say(`making the student: ${words} (${total} trials)`);
          },
        });
  const student = applyStudent(model, plan);
  const kept = plan.layers.filter((layer) => layer.kept).length;
  const words =
    plan.method === "layers"
      ? `${kept} of ${plan.layers.length} layers of ${teacher.path}`
      : `${teacher.path} with ${formatNumberOf(plan.ranks.length, "product")} of lower rank`;
  return madeStudent(student, teacher, plan.method === "rank", {
    words,
    layers: plan.layers.map(({ name, parameters, kept: own, why }) => ({ name, parameters, kept: own, why })),
  });
}

/** A student of all layers of the teacher, each with the same share of its channels: those of the largest weights. */
async function narrowStudent(options: Options, teacher: ModelFile, width: number, sample: Batch): Promise<Student> {
  const { openSubject } = await import("./prune-subject.js");
  const { narrowed } = await import("./prune-narrow.js");
  const subject = await openSubject({ ...teacher, model: cloneModel(teacher.model) }, options, [sample]);
  const { model, words } = narrowed(subject, width);
  return madeStudent(model, teacher, false, { words: `${teacher.path} with ${words}`, layers: [] });
}

/** A student of just these layers of the teacher, by number. */
async function namedLayers(
  numbers: readonly number[],
  { model, readExternal, path }: ModelFile,
  outputs: readonly ModelOutput[],
  sample: Batch,
): Promise<Pick<StudentPlan, "method" | "layers" | "dropped" | "ranks">> {
  const found = await layersOf(
    model,
    readExternal,
    sample,
    outputs.map(({ value }) => value),
  );
  const kept = new Set(numbers);
  const wrong = [...kept].find((index) => found.layers[index] === undefined);
  if (wrong !== undefined || kept.size === found.layers.length) {
    throw new UserError(
      `--student-layers ${numbers.join(",")}: ${path} has ${found.layers.length} layers that could be left out; name some by numbers from 0 to ${found.layers.length - 1}, and not all`,
    );
  }
  return {
    method: "layers",
    ranks: [],
    dropped: found.layers.filter(({ index }) => !kept.has(index)),
    layers: found.layers.map(({ index, end, parameters }) => ({
      ...{ index, name: end, parameters, kept: kept.has(index), why: "as named" },
    })),
  };
}

async function studentFile(host: Host, path: string): Promise<Student> {
  const source = readModelFile(host, path);
  checkGraphs(source.model, path);
  refuseQuantized(path, source.model, "a student learns in floats: give the model that it was made of");
  return {
    name: path,
    model: source.model,
    readExternal: source.readExternal,
    externalFiles: source.externalFiles,
    source: { words: path, layers: [] },
    isNear: false,
    file: await fileOf(source),
    open: (threads) => openSession(absolute(host, path), { threads }),
  };
}

/** A student that is no file yet. */
function madeStudent(
  model: ModelProto,
  { path, readExternal, externalFiles }: ModelFile,
  isNear: boolean,
  source: StudentSource,
): Student {
  return {
    name: `the student from ${path}`,
    model,
    readExternal,
    externalFiles,
    source,
    isNear,
    file: null,
    open: (threads) => openSession(encodeModel(model, readExternal), { threads }),
  };
}
