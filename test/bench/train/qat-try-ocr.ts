// OCR recognition trained for few bits, judged on the 240 lines: `tsx test/bench/train/qat-try-ocr.ts '["--int4", ...]'`.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressCommand } from "../../../src/commands/compress.js";
import { encodeNpy } from "../../../src/formats/npy.js";
import { runCommand } from "../../host.js";
import { ocrRecognition } from "../../ocr-lines.js";
import { ocrErrors } from "./judge.js";
import { trainingLines } from "./ocr.js";

const options = JSON.parse(process.argv[2]!) as readonly string[];
const folder = mkdtempSync(join(tmpdir(), "qat-ocr-"));
const lines = join(folder, "lines");
mkdirSync(lines);
for (const [at, batch] of trainingLines(128)!.entries()) {
  writeFileSync(join(lines, `${String(at).padStart(4, "0")}.npy`), encodeNpy(batch.get("x")!));
}
const out = join(folder, "out.onnx");
const started = performance.now();
const args = [ocrRecognition, "--data", lines, "--threads", "1", "--max-drop", "99%", "--speed-seconds", "0", "--json"];
const qat = options.includes("--qat") ? ["--batch", "4", "--held-out", "10%"] : [];
const { stdout, stderr, code } = await runCommand(compressCommand, [...args, ...qat, ...options, "-o", out], folder);
if (code === 2) throw new Error(stderr);
const seconds = (performance.now() - started) / 1000;
const parsed = JSON.parse(stdout);
const cer = await ocrErrors(out);
rmSync(folder, { recursive: true });
console.log(
  JSON.stringify({
    options,
    seconds,
    cer,
    training: parsed.training && { ...parsed.training, curve: undefined },
    scores: parsed.scores,
    kept: parsed.kept,
  }),
);
