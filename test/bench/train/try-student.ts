// One student of the Fashion-MNIST teacher, trained by the built program and judged: how settings of the training tasks are
// chosen. Judged on 10,000 training pictures, which a teacher of the first 45,000 has not seen either.
//   tsx test/bench/train/try-student.ts [options] -- --student-width 48% <options of deepseek compress>
// --teacher-file <file>, --seed 1, --random (the same graph of random weights), --mirrored (pictures also so), and --final: it
// learns 55,000 pictures and is judged on the test set; `heldOut` are the 5,000 between.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { compress } from "./command.js";
import { mirrored, readFashion, someOf, together } from "./fashion.js";
import { teaching, writeRandomStart } from "./fashion-files.js";
import { fashionAccuracy } from "./judge.js";
import { listed } from "./keep.js";
import { weightsOf } from "./weights.js";

const at = process.argv.indexOf("--");
const own = process.argv.slice(2, at);
const [made, given] = [process.argv.slice(at + 1, at + 3), process.argv.slice(at + 3)];
const seed = Number(listed("--seed")?.[0] ?? 1);
const teacher = listed("--teacher-file")?.[0] ?? resolve("bench-work/train/files/fashion/teacher.onnx");
const { train, test } = readFashion()!;
const isFinal = own.includes("--final");
const learned = isFinal ? 55_000 : 45_000;
const plain = someOf(train, 0, learned);
const training = own.includes("--mirrored") ? together(plain, mirrored(plain)) : plain;
const folder = mkdtempSync(join(tmpdir(), "try-student-"));
const options = teaching(folder, teacher, { training, heldOut: someOf(train, learned, 5000) }, 1);
const start = join(folder, "start.onnx");
if (own.includes("--random")) writeRandomStart(options, made, start, seed);
const student = own.includes("--random") ? ["--student", start] : made;
const [output, report] = [join(folder, "student.onnx"), join(folder, "report.json")];
const seconds = compress([...options, ...student, ...given, "--seed", `${seed}`, "--report", report, "-o", output]);
const { scores } = JSON.parse(readFileSync(report, "utf8")) as {
  readonly scores: readonly { readonly metric: number }[];
};
const row = {
  options: process.argv.slice(2).join(" "),
  value: await fashionAccuracy(isFinal ? test : someOf(train, 50_000, 10_000))(output),
  heldOut: 100 * scores.at(-1)!.metric,
  weights: weightsOf(output),
  seconds,
};
console.log(JSON.stringify(row));
rmSync(folder, { recursive: true });
