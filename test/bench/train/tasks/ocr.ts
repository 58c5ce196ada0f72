// OCR recognition: a student of 70 % of the weights, made from the model, learns from the whole one on rendered lines
// without labels, through `deepseek compress --distill`.
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeNpy } from "../../../../src/formats/npy.js";
import { ocrRecognition } from "../../../ocr-lines.js";
import { compress } from "../command.js";
import { ocrErrors } from "../judge.js";
import { trainingLines } from "../ocr.js";
import type { Goal, Row } from "../result.js";
import { weightsOf } from "../weights.js";
import { beside, kept, type Task } from "./task.js";

const id = "ocr";

/** A folder of unlabelled lines; undefined where they cannot be rendered. */
export function linesFolder(lines = 1600): string | undefined {
  const folder = beside(id, `training-lines-${lines}`);
  const done = join(folder, ".complete");
  if (existsSync(done)) return folder;
  const rendered = trainingLines(lines);
  if (!rendered) return undefined;
  mkdirSync(folder, { recursive: true });
  for (const [at, batch] of rendered.entries()) {
    writeFileSync(join(folder, `${String(at).padStart(4, "0")}.npy`), encodeNpy(batch.get("x")!));
  }
  writeFileSync(done, "");
  return folder;
}

export const ocr: Task = {
  id,
  title: "OCR recognition: a student of fewer weights",
  async run(settings) {
    const data = linesFolder();
    if (!data) return undefined;
    const common = [ocrRecognition, "--distill", "--student-params", "70%", "--data", data];
    const steps = settings.quick ? 2 : 60;
    const measure = "CER";
    const of = weightsOf(ocrRecognition);
    const original = await ocrErrors(ocrRecognition);
    const rows: Row[] = [
      { task: id, what: "original", measure, value: original, weights: of, bytes: statSync(ocrRecognition).size },
    ];
    const after: number[] = [];
    let weights = 0;
    for (const seed of settings.seeds) {
      const kind = ["--threads", `${settings.threads}`, "--seed", `${seed}`, "--held-out", "2%", "--batch", "4"];
      // with a rate of 0 the file comes out as the student starts
      const start = await kept(id, `student-start-${seed}`, settings, async (file) =>
        compress([...common, ...kind, "-o", file, "--steps", "1", "--rate", "0"]),
      );
      // else all is as it is out of the box
      const student = await kept(id, `student-${seed}`, settings, async (file) =>
        compress([...common, ...kind, "-o", file, "--steps", `${steps}`]),
      );
      const before = await ocrErrors(start.file);
      after.push(await ocrErrors(student.file));
      weights = Math.max(weights, student.weights);
      const { bytes, seconds } = student;
      rows.push(
        { task: id, what: "student before", measure, value: before, weights: start.weights, bytes: start.bytes, seed },
        { task: id, what: "student after", measure, value: after.at(-1)!, weights, bytes, steps, seconds, seed },
      );
    }
    for (const { what, value } of rows) console.log(`  ${what}: ${value.toFixed(2)} % CER`);
    const fewer = 100 * (1 - weights / of);
    const goals: readonly Goal[] = [
      { task: id, goal: "30 % fewer weights", measured: `${fewer.toFixed(1)} %`, met: fewer >= 30 },
      {
        task: id,
        goal: "within 1.5 points CER of the original",
        measured: after.map((value) => (value - original).toFixed(2)).join(", "),
        met: after.every((value) => value - original <= 1.5),
      },
    ];
    return { rows, goals };
  },
};
