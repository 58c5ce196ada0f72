// Fashion-MNIST through the command: a student of a quarter of the weights, made from the teacher and taught by it, and the
// same graph from random weights on labels alone, as many steps.
import { writeFileSync } from "node:fs";
import { encodeNpy } from "../../../../src/formats/npy.js";
import { compress } from "../command.js";
import { readFashion, side } from "../fashion.js";
import { fashionAccuracy } from "../judge.js";
import { writeRandom } from "../random-weights.js";
import type { Goal, Row } from "../result.js";
import { fashionTeacherFile } from "./fashion.js";
import { beside, kept, type Task, type Trained } from "./task.js";

const id = "fashion-made";
const measure = "top-1";

export const fashionMade: Task = {
  id,
  title: "Fashion-MNIST: a student made from the teacher",
  async run(settings) {
    const found = readFashion();
    if (!found) return undefined;
    const { train, test } = found;
    const judge = fashionAccuracy(test);
    const teacher = await fashionTeacherFile(train, settings);
    const [data, labels] = [beside(id, "train.npy"), beside(id, "labels.txt")];
    writeFileSync(data, encodeNpy({ dtype: "float32", shape: [train.count, 1, side, side], data: train.images }));
    writeFileSync(labels, `${Array.from(train.labels, String).join("\n")}\n`);
    const samples = ["--data", data, "--rows", "--labels", labels, "--threads", `${settings.threads}`];
    const distil = ["--distill", "--teacher", teacher.file, ...samples];
    const steps = settings.quick ? 20 : 7496;
    const course = ["--steps", `${steps}`, "--batch", "64", "--rate", "1e-3", "--weight-decay", "0"];
    const made = ["--student-params", "25%"];
    const rows: Row[] = [];
    const add = async (what: string, { file, weights, bytes, seconds }: Trained, seed?: number) => {
      const value = await judge(file);
      rows.push({ task: id, what, measure, value, weights, bytes, steps, seconds, ...(seed ? { seed } : {}) });
      console.log(`  ${what}: ${value.toFixed(2)} %, ${weights} weights`);
      return value;
    };
    const best = await add("teacher", teacher);
    const start = await kept(id, "start", settings, async (file) =>
      compress([...distil, ...made, "--steps", "1", "--batch", "1", "--rate", "0", "-o", file]),
    );
    await add("student as it is made", start);
    const results: (readonly [alone: number, distilled: number])[] = [];
    for (const seed of settings.seeds) {
      const seeded = [...course, "--seed", `${seed}`];
      const distilled = await kept(id, `distilled-${seed}`, settings, async (file) =>
        compress([...distil, ...made, ...seeded, "--temperature", "2", "-o", file]),
      );
      const random = beside(id, `random-${seed}.onnx`);
      writeRandom(start.file, random, seed);
      const alone = await kept(id, `alone-${seed}`, settings, async (file) =>
        compress([...distil, "--student", random, "--loss", "hard=1", ...seeded, "-o", file]),
      );
      const reached = await add("student, distilled", distilled, seed);
      results.push([await add("same graph from random weights, labels alone", alone, seed), reached]);
    }
    const mean = (at: 0 | 1) => results.reduce((sum, pair) => sum + pair[at], 0) / results.length;
    const [alone, distilled, size] = [mean(0), mean(1), start.weights / teacher.weights];
    const goal = (text: string, value: string, met: boolean): Goal => ({ task: id, goal: text, measured: value, met });
    const goals = [
      goal("teacher at least 91 %", `${best.toFixed(2)} %`, best >= 91),
      goal("student at most 25 % of its weights", `${(100 * size).toFixed(1)} %`, size <= 0.25),
      goal("distilled within 1 point of the teacher", (best - distilled).toFixed(2), best - distilled <= 1),
      goal("at least 1 point above labels alone", (distilled - alone).toFixed(2), distilled - alone >= 1),
    ];
    return { rows, goals };
  },
};
