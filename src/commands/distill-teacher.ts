import { lookAhead } from "../data/look-ahead.js";
import { teacherExtra } from "../distill/objective.js";
import { openSession } from "../engine/session.js";
import { encodeModel } from "../formats/onnx.js";
import { exposeValues } from "../graph/expose.js";
import type { Tensor } from "../tensor/tensor.js";
import type { TrainingData } from "../train/task.js";
import type { ModelFile } from "./model-files.js";
import type { Link } from "./training-job.js";
import type { LabelledSamples } from "./training-samples.js";

/** Samples the teacher runs at once. */
const rows = 64;

/**
 * Samples with what the teacher makes of them, as extras; it runs on each of them once. With `most` only so many samples
 * are taken, for a trial.
 */
export async function withTeacher(
  data: TrainingData,
  samples: LabelledSamples,
  teacher: ModelFile,
  values: readonly string[],
  threads: number,
  link: Link,
  most: number = samples.count,
): Promise<TrainingData> {
  const count = Math.min(most, samples.count);
  const outputs = new Set(teacher.model.graph!.output.map(({ name }) => name));
  const model = exposeValues(
    teacher.model,
    values.filter((name) => !outputs.has(name)),
  );
  const session = await openSession(encodeModel(model, teacher.readExternal), { threads });
  const found: ReadonlyMap<string, Tensor>[] = [];
  try {
    const run = lookAhead(session.run, session.inputs, samples, rows);
    for (let at = 0; at < count && !link.stopRequested(); at++) {
      const all = await run(await samples.read(at), at);
      found.push(new Map(values.map((name) => [teacherExtra(name), all.get(name)!])));
    }
  } finally {
    await session.close();
  }
  return { ...data, count, read: async (at) => new Map([...(await data.read(at)), ...found[at]!]) };
}
