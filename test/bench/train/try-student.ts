// One student of the Fashion-MNIST teacher, trained by the built program and judged: how settings of the training tasks were
// chosen. Judged on 10,000 training pictures that nothing else looks at; on the test set only with --final.
//   tsx test/bench/train/try-student.ts [options] -- <options of deepseek compress that make and train the student>
// --to <file> where the result goes (JSON), --final, --random (the same graph of random weights instead of the teacher's),
// --own (a network of its own, of random weights), --seed 1, --mirrored (pictures also so), --save <file>.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { encodeNpy } from "../../../src/formats/npy.js";
import { encodeModel } from "../../../src/formats/onnx.js";
import { compress } from "./command.js";
import { mirrored, type Pictures, readFashion, side, someOf, together } from "./fashion.js";
import { fashionAccuracy } from "./judge.js";
import { listed } from "./keep.js";
import { fashionCnn, fashionStudent } from "./models/fashion.js";
import { writeRandom } from "./random-weights.js";
import { weightsOf } from "./weights.js";

const at = process.argv.indexOf("--");
const own = process.argv.slice(2, at);
const given = process.argv.slice(at + 1);
const seed = listed("--seed")?.[0] ?? "1";
const teacher = listed("--teacher-file")?.[0] ?? resolve("bench-work/train/files/fashion/teacher.onnx");
const { train, test } = readFashion()!;
const isFinal = own.includes("--final");
const learned = isFinal ? 55_000 : 45_000;
const judged = isFinal ? test : someOf(train, 50_000, 10_000);
const folder = mkdtempSync(join(tmpdir(), "try-student-"));
const write = (name: string, { count, images, labels }: Pictures) => {
  const [data, classes] = [join(folder, `${name}.npy`), join(folder, `${name}.txt`)];
  writeFileSync(data, encodeNpy({ dtype: "float32", shape: [count, 1, side, side], data: images }));
  writeFileSync(classes, `${Array.from(labels, String).join("\n")}\n`);
  return [data, classes] as const;
};
const plain = someOf(train, 0, learned);
const all = own.includes("--mirrored") ? together(plain, mirrored(plain)) : plain;
const [data, labels] = write("train", all);
const [chosen, chosenLabels] = write("chosen", someOf(train, learned, 5000));
const samples = ["--data", data, "--rows", "--labels", labels, "--threads", "1", "--speed-seconds", "0"];
const common = ["--distill", "--teacher", teacher, ...samples, "--seed", seed];
common.push("--held-out-data", chosen, "--held-out-labels", chosenLabels);
const start = join(folder, "start.onnx");
const made = ["--student-params", "--student-width", "--student-layers"];
const isMaking = (_: string, index: number) =>
  made.includes(given[index] ?? "") || made.includes(given[index - 1] ?? "");
let course = given;
if (own.includes("--own")) {
  writeFileSync(start, encodeModel(fashionCnn(fashionStudent, Number(seed))));
  course = ["--student", start, ...given];
} else if (own.includes("--random")) {
  const graph = join(folder, "graph.onnx");
  compress([...common, ...given.filter(isMaking), "--steps", "1", "--batch", "1", "--rate", "0", "-o", graph]);
  writeRandom(graph, start, Number(seed));
  course = ["--student", start, ...given.filter((one, index) => !isMaking(one, index))];
}
const output = listed("--save")?.[0] ?? join(folder, "student.onnx");
const report = join(folder, "report.json");
const seconds = compress([...common, ...course, "--report", report, "-o", output]);
const value = await fashionAccuracy(judged)(output);
const line = JSON.stringify({ own: own.join(" "), given: given.join(" "), value, weights: weightsOf(output), seconds });
const to = listed("--to")?.[0];
if (to) writeFileSync(to, `${line}\n`);
console.log(line);
rmSync(folder, { recursive: true });
