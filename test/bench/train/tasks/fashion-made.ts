// Fashion-MNIST through the command: students of less than a quarter of the weights, made from the teacher and taught by it,
// and the same graphs from random weights on labels alone, as many steps at the best of some rates. All learn the same 55,000
// pictures; 5,000 others choose the best step and the rate.
import { dirname } from "node:path";
import { compress } from "../command.js";
import { readFashion, someOf } from "../fashion.js";
import { teaching, writeRandomStart, writeStart } from "../fashion-files.js";
import { fashionAccuracy } from "../judge.js";
import type { Goal, Row } from "../result.js";
import { fashionTeacherFile } from "./fashion.js";
import { beside, kept, type Task, type Trained } from "./task.js";

const id = "fashion-made";
const measure = "top-1";
const learned = 55_000;
const batch = 64;

/** A student, for how long it learns, and rates. */
interface Course {
  readonly name: string;
  readonly making: readonly string[];
  readonly epochs: number;
  /** Of the taught one, chosen before with another teacher. */
  readonly rate: string;
  /** Of the one on labels alone, which has the best of them. */
  readonly rates: readonly string[];
}

const narrow = { name: "width", making: ["--student-width", "48%"], rate: "2e-3" } as const;
const courses: readonly Course[] = [
  { ...narrow, epochs: 1, rates: ["4e-3", "8e-3"] },
  { ...narrow, epochs: 3, rates: ["4e-3", "8e-3"] },
  { ...narrow, epochs: 8, rates: ["2e-3", "4e-3"] },
  { name: "rank", making: ["--student-params", "25%"], epochs: 3, rate: "1e-3", rates: ["2e-3", "4e-3"] },
];

export const fashionMade: Task = {
  id,
  title: "Fashion-MNIST: students made from the teacher",
  async run(settings) {
    const found = readFashion();
    if (!found) return undefined;
    const { train, test } = found;
    const judge = fashionAccuracy(test);
    const heldOut = someOf(train, learned, train.count - learned);
    const others = fashionAccuracy(heldOut);
    const teacher = await fashionTeacherFile(train, settings);
    const training = someOf(train, 0, learned);
    const options = teaching(dirname(beside(id, "training")), teacher.file, { training, heldOut }, settings.threads);
    const rows: Row[] = [];
    const goals: Goal[] = [];
    const goal = (text: string, measured: string, met: boolean) => goals.push({ task: id, goal: text, measured, met });
    const add = async (what: string, { file, weights, bytes, seconds }: Trained, steps?: number, seed?: number) => {
      const value = await judge(file);
      const row = { task: id, what, measure, value, weights, bytes, seconds };
      rows.push({ ...row, ...(steps ? { steps } : {}), ...(seed ? { seed } : {}) });
      console.log(`  ${what}: ${value.toFixed(2)} %, ${weights} weights`);
      return value;
    };
    const best = await add("teacher", teacher);
    goal("teacher at least 91 %", `${best.toFixed(2)} %`, best >= 91);
    for (const { name, making, epochs, rate, rates } of courses) {
      const course = `${name}, ${epochs} epochs`;
      const steps = settings.quick ? 20 : Math.floor((epochs * learned) / batch);
      const start = await kept(id, `${name}-start`, settings, async (file) => writeStart(options, making, file));
      if (epochs === 3) await add(`${name}, as it is made`, start);
      const results: (readonly [alone: number, taught: number])[] = [];
      for (const seed of settings.seeds) {
        const shared = ["--steps", `${steps}`, "--batch", `${batch}`, "--weight-decay", "0.01", "--seed", `${seed}`];
        const taught = await kept(id, `${name}-${epochs}-taught-${seed}`, settings, async (file) =>
          compress([...options, ...making, "--loss", "soft=0.5,hard=0.5", ...shared, "--rate", rate, "-o", file]),
        );
        const random = beside(id, `${name}-random-${seed}.onnx`);
        writeRandomStart(options, making, random, seed);
        const alone: { readonly trained: Trained; readonly value: number }[] = [];
        for (const one of rates) {
          const trained = await kept(id, `${name}-${epochs}-alone-${one}-${seed}`, settings, async (file) =>
            compress([...options, "--student", random, "--loss", "hard=1", ...shared, "--rate", one, "-o", file]),
          );
          alone.push({ trained, value: await others(trained.file) });
        }
        const better = alone.reduce((a, b) => (b.value > a.value ? b : a)).trained;
        const reached = await add(`${course}, taught`, taught, steps, seed);
        results.push([await add(`${course}, random weights, labels alone`, better, steps, seed), reached]);
      }
      const mean = (at: 0 | 1) => results.reduce((sum, pair) => sum + pair[at], 0) / results.length;
      const [alone, taught, size] = [mean(0), mean(1), start.weights / teacher.weights];
      goal(`${course}: at most 25 % of the teacher's weights`, `${(100 * size).toFixed(1)} %`, size <= 0.25);
      goal(`${course}: taught, within 1 point of the teacher`, (best - taught).toFixed(2), best - taught <= 1);
      goal(`${course}: at least 1 point above labels alone`, (taught - alone).toFixed(2), taught - alone >= 1);
    }
    return { rows, goals };
  },
};
