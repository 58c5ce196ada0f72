// OCR recognition: 30 % of the parameters gone, and what recovery on unlabelled lines brings back.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ocrRecognition } from "../../ocr-lines.js";
import { ocrErrors } from "../train/judge.js";
import type { Goal, Row } from "../train/result.js";
import { linesFolder } from "../train/tasks/ocr.js";
import { weightsOf } from "../train/weights.js";
import { compress } from "./command.js";
import { work } from "./fetch.js";
import type { RecoverySettings, TaskFound } from "./tasks.js";

const removed = 0.3;
const task = "ocr";

/** Character error rates before and after; undefined where the lines cannot be rendered. */
export async function ocr(settings: RecoverySettings): Promise<TaskFound | undefined> {
  const data = linesFolder();
  if (!data) return undefined;
  const steps = settings.quick ? 2 : (settings.steps ?? 400);
  const rows: Row[] = [];
  const add = async (what: string, file: string, more: Partial<Row> = {}) => {
    const value = await ocrErrors(file);
    const bytes = readFileSync(file).length;
    rows.push({ task, what, measure: "CER", value, weights: weightsOf(file), bytes, ...more });
    console.log(`  ${what}: ${value.toFixed(2)} % CER`);
    return value;
  };
  const make = (name: string, args: readonly string[]) => {
    const file = join(work, "ocr", `${name}.onnx`);
    const prune = ["--prune", `${removed}`, "--by", "params", ...settings.more];
    const made = compress(ocrRecognition, file, [...prune, ...args], settings.asItIs);
    if (made.error !== undefined) throw new Error(`deepseek compress: ${made.error}`);
    return made;
  };
  const original = await add("original", ocrRecognition);
  await add("pruned", make("pruned", ["--data", data]).file);
  const after: number[] = [];
  for (const seed of settings.seeds) {
    const { file, cost } = make(`recovered-${seed}`, [
      ...["--distill", "--data", data, "--steps", `${steps}`, "--batch", "4", "--held-out", "2%"],
      ...["--seed", `${seed}`, "--threads", `${settings.threads}`],
      ...(settings.rate === undefined ? [] : ["--rate", `${settings.rate}`]),
    ]);
    after.push(await add("recovered", file, { steps, ...(cost ? { seconds: cost.wallSeconds } : {}), seed }));
  }
  const fewer = 100 * (1 - rows.at(-1)!.weights! / rows[0]!.weights!);
  const goals: readonly Goal[] = [
    { task, goal: "30 % fewer weights", measured: `${fewer.toFixed(1)} %`, met: fewer >= 29.5 },
    {
      task,
      goal: "within 1.5 points CER of the original",
      measured: after.map((value) => (value - original).toFixed(2)).join(", "),
      met: after.every((value) => value - original <= 1.5),
    },
  ];
  return { result: { rows, goals } };
}
