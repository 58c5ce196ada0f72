// Fashion-MNIST: a teacher from labels, a student a quarter of its size from labels alone, the same student from the
// teacher (pictures and mirror images without labels), as many steps.
import { writeFileSync } from "node:fs";
import { encodeModel } from "../../../../src/formats/onnx.js";
import { mirrored, type Pictures, readFashion, side, together } from "../fashion.js";
import { fashionAccuracy } from "../judge.js";
import { type Course, hardLoss, learn, logitsOf, type Samples, softLoss } from "../learn.js";
import { fashionCnn, fashionStudent, fashionTeacher } from "../models/fashion.js";
import type { Goal, Row } from "../result.js";
import { beside, kept, type Task, type TaskSettings, type Trained } from "./task.js";

const id = "fashion";
const measure = "top-1";
const epoch = 937;

/** Pictures as samples. */
function pictureSamples({ count, images, labels }: Pictures): Samples {
  const size = side * side;
  return {
    count,
    row: (at) =>
      new Map([
        ["x", { dtype: "float32", shape: [1, 1, side, side], data: images.subarray(at * size, (at + 1) * size) }],
      ]),
    label: (at) => labels[at]!,
  };
}

/** The teacher, trained from labels on pictures and their mirror images. */
export function fashionTeacherFile(train: Pictures, settings: TaskSettings): Promise<Trained> {
  return kept(id, "teacher", settings, async (file) => {
    const start = beside(id, "teacher-start.onnx");
    writeFileSync(start, encodeModel(fashionCnn(fashionTeacher, 1)));
    const course = { ...courseOf(settings, 8, 2e-3), seed: 1 };
    return (await learn(start, file, pictureSamples(together(train, mirrored(train))), hardLoss, course)).seconds;
  });
}

function courseOf({ quick, threads }: TaskSettings, epochs: number, rate: number): Omit<Course, "seed"> {
  return { steps: quick ? 100 : epochs * epoch, batchSize: 64, rate, threads };
}

export const fashion: Task = {
  id,
  title: "Fashion-MNIST: teacher and student",
  async run(settings) {
    const data = readFashion();
    if (!data) return undefined;
    const judge = fashionAccuracy(data.test);
    const teacher = await fashionTeacherFile(data.train, settings);
    const rows: Row[] = [];
    const add = async (what: string, trained: Trained, steps: number, seed?: number) => {
      const { weights, bytes, seconds, file } = trained;
      const value = await judge(file);
      rows.push({
        task: id,
        what,
        measure,
        value,
        weights,
        bytes,
        steps,
        seconds,
        ...(seed === undefined ? {} : { seed }),
      });
      console.log(`  ${what}: ${value.toFixed(2)} %, ${weights} weights`);
      return value;
    };
    const best = await add("teacher", teacher, courseOf(settings, 8, 2e-3).steps);
    const plain = pictureSamples(data.train);
    const both = pictureSamples(together(data.train, mirrored(data.train)));
    const logits = await logitsOf(teacher.file, both, 10);
    const taught: Samples = { ...both, logits: (at) => logits.subarray(10 * at, 10 * at + 10) };
    const pairs: (readonly [alone: number, distilled: number])[] = [];
    let size = 1;
    for (const seed of settings.seeds) {
      const start = beside(id, `student-start-${seed}.onnx`);
      writeFileSync(start, encodeModel(fashionCnn(fashionStudent, seed)));
      const course = { ...courseOf(settings, 20, 2e-3), seed };
      const student = (name: string, samples: Samples, loss: typeof hardLoss) =>
        kept(
          id,
          `${name}-${seed}`,
          settings,
          async (file) => (await learn(start, file, samples, loss, course)).seconds,
        );
      const distilled = await student("distilled", taught, softLoss(4));
      const reached = await add("student, distilled", distilled, course.steps, seed);
      const alone = await student("alone", plain, hardLoss);
      pairs.push([await add("student, labels alone", alone, course.steps, seed), reached]);
      size = distilled.weights / teacher.weights;
    }
    return { rows, goals: goalsOf(best, size, pairs) };
  },
};

function goalsOf(teacher: number, size: number, pairs: readonly (readonly [number, number])[]): readonly Goal[] {
  const mean = (at: 0 | 1) => pairs.reduce((sum, pair) => sum + pair[at], 0) / pairs.length;
  const [alone, distilled] = [mean(0), mean(1)];
  const goal = (text: string, value: string, met: boolean): Goal => ({ task: id, goal: text, measured: value, met });
  return [
    goal("teacher at least 91 %", `${teacher.toFixed(2)} %`, teacher >= 91),
    goal("student at most 25 % of its weights", `${(100 * size).toFixed(1)} %`, size <= 0.25),
    goal("distilled within 1 point of the teacher", `${(teacher - distilled).toFixed(2)}`, teacher - distilled <= 1),
    goal("distilled at least 1 point above labels alone", `${(distilled - alone).toFixed(2)}`, distilled - alone >= 1),
  ];
}
