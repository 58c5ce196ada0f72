import type { Options } from "../cli.js";
import type { Batch } from "../data/batch.js";
import { isLayerTerm, type LossMix } from "../distill/mix.js";
import type { LayerPair } from "../distill/objective.js";
import { openSession } from "../engine/session.js";
import { UserError } from "../errors.js";
import { encodeModel, type ModelProto, type ReadExternal } from "../formats/onnx.js";
import { exposeValues } from "../graph/expose.js";
import type { Tensor } from "../tensor/tensor.js";
import type { TrainableModel } from "../train/prepare.js";
import type { ModelFile } from "./model-files.js";

/** The layer pairs of losses that look inside: those of --pairs, else those that are found. */
export async function layersOf(
  options: Options,
  mix: LossMix,
  teacher: ModelFile,
  student: TrainableModel,
  sample: Batch,
): Promise<readonly LayerPair[]> {
  const named = (options["pairs"] as readonly string[] | undefined)?.map(pairOf);
  if (![...mix.keys()].some(isLayerTerm)) {
    if (named) throw new UserError("--pairs: is for losses of layers, such as --loss soft=1,hidden=1");
    return [];
  }
  if (!named) return [];
  const theirs = await valuesOf(
    teacher.model,
    named.map((one) => one.teacher),
    teacher.readExternal,
    sample,
    teacher.path,
  );
  const ours = await valuesOf(
    student.copy,
    named.map((one) => one.student),
    student.readExternal,
    sample,
    "the student",
  );
  return named.map((one) => ({
    ...one,
    role: "hidden" as const,
    studentShape: ours.get(one.student)!.shape,
    teacherShape: theirs.get(one.teacher)!.shape,
  }));
}

function pairOf(text: string): { readonly student: string; readonly teacher: string } {
  const [student = "", teacher = "", ...more] = text.split("=");
  if (student === "" || teacher === "" || more.length > 0) {
    throw new UserError(`--pairs ${text}: must be <student's value>=<teacher's value>`);
  }
  return { student, teacher };
}

async function valuesOf(
  model: ModelProto,
  names: readonly string[],
  readExternal: ReadExternal,
  sample: Batch,
  where: string,
): Promise<ReadonlyMap<string, Tensor>> {
  const made = new Set(model.graph!.node.flatMap(({ output }) => output));
  const missing = names.find((name) => !made.has(name));
  if (missing !== undefined) throw new UserError(`--pairs: ${where} computes no value "${missing}"`);
  const session = await openSession(encodeModel(exposeValues(model, names), readExternal));
  try {
    return await session.run(sample);
  } finally {
    await session.close();
  }
}
