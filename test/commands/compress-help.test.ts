import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
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
  expect(first.match(/^ +(-\w, )?--[\w-]+/gm)!.map((name) => name.trim())).toEqual(
    "--int8,--int4,-o, --output,--dry-run,--force,--format,--json,--report,-h, --help".split(/,(?! )/),
  );
  expect(stdout).toMatch(/--threads <n> +threads to quantize with \(default: one for each\s+processor\)/);
});

test("4-bit weights get a file name of their own", async () => {
  const { stdout } = await runCommand(compressCommand, ["--int4", "model.onnx"], folder);
  expect(stdout).toMatch(/wrote model\.int4\.onnx/);
});
