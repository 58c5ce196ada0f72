// The OCR angle classifier trained for few bits, judged by which lines are upside down.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressCommand } from "../../../src/commands/compress.js";
import { openSession } from "../../../src/engine/session.js";
import type { Run } from "../../../src/evaluate/agreement.js";
import { encodeNpy } from "../../../src/formats/npy.js";
import { runCommand } from "../../host.js";
import { cls } from "../quantize/cls.js";
import { sumOf } from "../quantize/harness.js";

const options = JSON.parse(process.argv[2]!) as readonly string[];
const none: Run = async () => new Map();
const folder = mkdtempSync(join(tmpdir(), "qat-cls-"));
mkdirSync(join(folder, "data"));
const model = cls.model() as string;
// lines of another seed: those that calibrate there train here
let at = 0;
for (const seed of [11, 12, 13, 14, 15]) {
  const { calibration } = (await cls.prepare(none, { count: 16, seed }))!;
  for (const batch of calibration)
    writeFileSync(
      join(folder, "data", `${String(at++).padStart(4, "0")}.npy`),
      encodeNpy(batch.values().next().value!),
    );
}
const out = join(folder, "out.onnx");
const started = performance.now();
const args = [
  model,
  "--data",
  join(folder, "data"),
  "--threads",
  "1",
  "--max-drop",
  "99%",
  "--speed-seconds",
  "0",
  "--json",
];
const { stdout, stderr, code } = await runCommand(compressCommand, [...args, ...options, "-o", out], folder);
if (code === 2) throw new Error(stderr);
const seconds = (performance.now() - started) / 1000;
const parsed = JSON.parse(stdout);
const judged = (await cls.prepare(none, { count: Number(process.env["JUDGED"] ?? 400) }))!;
const accuracy = async (file: string) => {
  const session = await openSession(file);
  const [found] = cls.scoresOf(sumOf(await judged.judge(session.run)));
  await session.close();
  return found;
};
const result = {
  options,
  samples: at,
  seconds,
  float: await accuracy(model),
  accuracy: await accuracy(out),
  notes: parsed.notes,
  training: parsed.training && { ...parsed.training, curve: undefined },
  scores: parsed.scores,
  kept: parsed.kept,
};
rmSync(folder, { recursive: true });
console.log(JSON.stringify(result));
