import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { TensorProtoSchema } from "onnx-buf";
import { compressCommand } from "../../src/commands/compress.js";
import { normal, uniform } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { compareOutputs, listed } from "../../src/evaluate/agreement.js";
import { encodeModel, makeTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { CompressResult } from "../../src/render/compress-result.js";
import { linear, lookUp } from "../compress-models.js";
import { runCommand } from "../host.js";
import { floats, makeModel } from "../onnx-model.js";

/** Three convolutions with many inputs each: x [n, 3, h, w] -> y [n, 8, h, w]. */
const network = (sizes: readonly (number | string)[]) => {
  const kernel = { pads: [1, 1, 1, 1], kernel_shape: [3, 3] };
  return makeModel({
    opset: 13,
    inputs: [["x", "float32", ["n", 3, ...sizes]]],
    outputs: [["y", "float32", ["n", 8, ...sizes]]],
    nodes: [
      makeNode("Conv", "one", ["x", "a", "ab"], ["h"], kernel),
      makeNode("Relu", "r", ["h"], ["hr"]),
      makeNode("Conv", "two", ["hr", "b", "bb"], ["i"], kernel),
      makeNode("Relu", "s", ["i"], ["ir"]),
      makeNode("Conv", "three", ["ir", "c", "cb"], ["y"], kernel),
    ],
    initializers: [
      weight("a", 48, 3),
      // what a normalisation leaves behind: channels that are on, more or less, whatever comes
      bias("ab", 48),
      weight("b", 48, 48),
      bias("bb", 48),
      weight("c", 8, 48),
      bias("cb", 8),
    ],
  });
};

/** As normal as trained ones: what comes out is about as large as what comes in. */
const weight = (name: string, outputs: number, inputs: number) => {
  const next = normal(outputs + inputs);
  const values = Array.from({ length: outputs * inputs * 9 }, () => next() * Math.sqrt(1 / (9 * inputs)));
  return floats(name, [outputs, inputs, 3, 3], values);
};
const bias = (name: string, count: number) =>
  floats(
    name,
    [count],
    Array.from({ length: count }, (_, at) => 0.3 + (at % 5) / 5),
  );

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-made-up-"));
  writeFileSync(join(folder, "open.onnx"), encodeModel(network(["h", "w"])));
  writeFileSync(join(folder, "fixed.onnx"), encodeModel(network([24, 24])));
  writeFileSync(join(folder, "linear.onnx"), encodeModel(linear()));
  writeFileSync(join(folder, "look-up.onnx"), encodeModel(lookUp()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function compress(...argv: string[]): Promise<CompressResult> {
  const all = [...argv, "-o", "out.onnx", "--force", "--json", "--speed-seconds", "0"];
  const { code, stdout, stderr } = await runCommand(compressCommand, all, folder);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** Signal over noise of the last result on pictures: gratings of any contrast, brought to mean 0 and deviation 1. */
async function likeness(model: string): Promise<number> {
  const next = uniform(8);
  const batches = Array.from({ length: 3 }, () => {
    const [across, down, phase] = [next(), next(), 6 * next()];
    const data = Float32Array.from({ length: 3 * 24 * 24 }, (_, at) => {
      const [x, y] = [at % 24, Math.floor(at / 24) % 24];
      return 1.4 * Math.sin(across * x + down * y + phase * (1 + Math.floor(at / 576)));
    });
    return new Map([["x", { dtype: "float32", shape: [1, 3, 24, 24], data } as const]]);
  });
  const [original, found] = [await openSession(join(folder, model)), await openSession(join(folder, "out.onnx"))];
  const { total } = await compareOutputs(original.run, found.run, listed(batches));
  await original.close();
  await found.close();
  return total.sqnrDb;
}

describe("without samples, biases are corrected on made-up images", () => {
  test.each([
    ["sizes left open, not verified", "open.onnx", ["--no-verify"]],
    ["sizes left open, so that nothing can be verified", "open.onnx", []],
    ["fixed sizes, verified on random numbers", "fixed.onnx", ["--shape", "x=1x3x24x24"]],
  ])("%s: pictures it never saw come out nearer to the original's", async (_, model, options) => {
    const corrected = await compress("--int8", model, "--no-balance", ...options);
    expect([corrected.correctedBiases, corrected.correctedOn]).toEqual([3, "made-up images"]);
    const after = await likeness(model);
    const kept = await compress("--int8", model, "--no-balance", "--no-bias-correction", ...options);
    expect([kept.correctedBiases, kept.correctedOn]).toEqual([0, null]);
    expect(after).toBeGreaterThan((await likeness(model)) + 2);
  });

  test("models that take anything else are left as they are", async () => {
    for (const model of ["linear.onnx", "look-up.onnx"]) {
      const { correctedBiases, correctedOn } = await compress("--int8", model, "--no-verify");
      expect([correctedBiases, correctedOn]).toEqual([0, null]);
    }
  });

  test("made-up ones are not asked where there are samples", async () => {
    const next = uniform(1);
    const lines = Array.from({ length: 4 }, () =>
      JSON.stringify({ x: [Array.from({ length: 64 }, () => next() + 1)] }),
    );
    writeFileSync(join(folder, "rows.jsonl"), lines.join("\n"));
    const { correctedOn } = await compress("--int8", "linear.onnx", "--data", "rows.jsonl", "--max-drop", "50%");
    expect(correctedOn).toBe("samples");
  });
});

test("test data whose outputs are not the model's are told of, those that fit are not", async () => {
  const pb = (shape: readonly number[], data: Float32Array) =>
    toBinary(TensorProtoSchema, makeTensor("", { dtype: "float32", shape, data: Float32Array.from(data) }));
  const session = await openSession(join(folder, "linear.onnx"));
  for (const [set, factor] of [
    ["right", 1],
    ["wrong", -1],
  ] as const) {
    for (const at of [0, 1]) {
      const x = Float32Array.from({ length: 64 }, (_, place) => Math.sin(place + at));
      const y = [...(await session.run(new Map([["x", { dtype: "float32", shape: [1, 64], data: x }]]))).values()][0]!;
      const inside = join(folder, set, `test_data_set_${at}`);
      mkdirSync(inside, { recursive: true });
      writeFileSync(join(inside, "input_0.pb"), pb([1, 64], x));
      writeFileSync(
        join(inside, "output_0.pb"),
        pb(
          [1, 64],
          (y.data as Float32Array).map((value) => factor * value),
        ),
      );
    }
    const argv = ["--int8", "linear.onnx", "-o", "out.onnx", "--force", "--speed-seconds", "0", "--data", set];
    const { code, stderr } = await runCommand(compressCommand, [...argv, "--max-drop", "90%"], folder);
    expect(code).toBe(0);
    const told = /test_data_set_0: states other outputs than the model gives: output "y" .*test data of this model/;
    if (factor < 0) expect(stderr).toMatch(told);
    else expect(stderr).not.toMatch(/states other outputs/);
  }
  await session.close();
});
