import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { inspectCommand } from "../../src/commands/inspect.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { runCommand } from "../host.js";
import { floats, makeModel } from "../onnx-model.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "inspect-"));
  const model = makeModel({
    inputs: [["x", "float32", ["n", 64]]],
    outputs: [["y", "float32", ["n", 64]]],
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
    initializers: [floats("w", [64, 64])],
  });
  writeFileSync(join(folder, "model.onnx"), encodeModel(model));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("inspect says whether a model is quantized, by which scheme, and how much of it", async () => {
  const quantized = async (path: string) => {
    const { stdout } = await runCommand(inspectCommand, [path], folder);
    return /quantized +(.*\n(?: {13}\S.*\n)*)/.exec(stdout)?.[1];
  };
  expect(await quantized("model.onnx")).toBe("no\n");
  for (const scheme of ["qdq", "unpack", "nbits", "dynamic"]) {
    const made = await runCommand(
      compressCommand,
      ["--int8", "model.onnx", "--scheme", scheme, "--no-verify", "-o", `${scheme}.onnx`],
      folder,
    );
    expect(made.code).toBe(0);
    expect(await quantized(`${scheme}.onnx`)).toMatch(
      new RegExp(`^9\\d\\.\\d % of the stored bytes are integers of 8 bits or fewer\\n +${scheme}: `),
    );
  }
});
