import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { encodeNpz } from "../../src/formats/npz.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { runCommand } from "../host.js";
import { floats, makeModel } from "../onnx-model.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-help-"));
  const model = makeModel({
    inputs: [["x", "float32", [2, 64]]],
    outputs: [["y", "float32", [2, 64]]],
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
    initializers: [floats("w", [64, 64])],
  });
  writeFileSync(join(folder, "model.onnx"), encodeModel(model));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the help puts all but the first options under headings, and is the same on every machine", async () => {
  const { stdout } = await runCommand(compressCommand, ["--help"]);
  const first = stdout.slice(stdout.indexOf("Options:"), stdout.indexOf("Samples and accuracy:"));
  expect(first.match(/^ {2}(-\w, )?--[\w-]+/gm)!.map((name) => name.trim())).toEqual(
    "--int8,--int4,--qat,--prune,--distill,-o, --output,--recipe,--dry-run,--force,--format,--json,--report,-h, --help".split(
      /,(?! )/,
    ),
  );
  expect(stdout).toMatch(/--threads <n> +threads to quantize or train with \(default: one for each\s+processor\)/);
});

test("4-bit weights get a file name of their own", async () => {
  const { stdout } = await runCommand(compressCommand, ["--int4", "model.onnx"], folder);
  expect(stdout).toMatch(/wrote model\.int4\.onnx/);
});

test("a calibration that lacks what --static needs is refused instead of leaving activations in floats", async () => {
  const run = (...argv: string[]) =>
    runCommand(compressCommand, ["--int8", "model.onnx", "--data", "data", "--force", ...argv], folder);
  mkdirSync(join(folder, "data"));
  for (const at of [0, 1]) {
    const data = Float32Array.from({ length: 128 }, (_, index) => Math.sin(index * (at + 1)));
    const x = { dtype: "float32" as const, shape: [2, 64], data };
    writeFileSync(join(folder, `data/${at}.npz`), encodeNpz(new Map([["x", x]])));
  }
  const file = join(folder, "calibration.json");
  expect((await run("--static", "--everywhere", "--calibration", "calibration.json")).code).toBe(0);
  expect((await run("--static", "--everywhere", "--calibration", "calibration.json")).code).toBe(0);
  const { values, ...rest } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...rest, values: values.slice(1) }));
  const { code, stderr } = await run("--static", "--everywhere", "--calibration", "calibration.json");
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /--calibration calibration\.json: lacks 1 of the values that static quantization needs, \w+ first/,
  );
});

test("a --metric in TypeScript that cannot be parsed is refused with its line", async () => {
  writeFileSync(join(folder, "broken.ts"), "\nexport const metric = { score( };\n");
  const argv = ["--int8", "model.onnx", "--data", "data", "--metric", "broken.ts", "--force"];
  const { code, stderr } = await runCommand(compressCommand, argv, folder);
  expect(code).toBe(2);
  expect(stderr).toMatch(/broken\.ts: cannot load it: line 2: /);
});
