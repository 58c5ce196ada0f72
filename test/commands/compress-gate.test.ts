import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { CompressResult } from "../../src/render/compress-result.js";
import { convolutions, writeSamples } from "../compress-models.js";
import { runCommand } from "../host.js";
import { floats, makeModel } from "../onnx-model.js";

/**
 * Three layers, of which the second has a huge weight in every column: it takes the scale, and all others become zeros.
 * Samples never touch it, since the value it is multiplied by is a 0.
 */
function withOutliers() {
  const weights = floats("bad", [64, 64]);
  const data = new Float32Array(weights.rawData.slice().buffer);
  for (let at = 0; at < 64; at++) data[at] = 1e4;
  weights.rawData = new Uint8Array(data.buffer);
  return makeModel({
    inputs: [["x", "float32", ["n", 64]]],
    outputs: [["y", "float32", ["n", 64]]],
    nodes: [
      makeNode("MatMul", "first", ["x", "good"], ["h"]),
      makeNode("Mul", "mask", ["h", "keep"], ["m"]),
      makeNode("MatMul", "second", ["m", "bad"], ["r"]),
      makeNode("MatMul", "third", ["r", "last_w"], ["y"]),
    ],
    initializers: [
      floats("good", [64, 64]),
      floats("keep", [64], [0, ...Array(63).fill(1)]),
      weights,
      floats("last_w", [64, 64]),
    ],
  });
}

/** Two products that nearly cancel out, so that what is left is finer than float16; a third that does not mind. */
function withCancellation() {
  const first = floats("a", [64, 64]);
  const values = new Float32Array(first.rawData.slice().buffer);
  const near = values.map((value, at) => value + 1e-3 * Math.sin(at * 1.7));
  return makeModel({
    inputs: [["x", "float32", ["n", 64]]],
    outputs: [["y", "float32", ["n", 64]]],
    nodes: [
      makeNode("MatMul", "one", ["x", "a"], ["p"]),
      makeNode("MatMul", "two", ["x", "b"], ["q"]),
      makeNode("Sub", "sub", ["q", "p"], ["r"]),
      makeNode("Mul", "mul", ["r", "large"], ["s"]),
      makeNode("MatMul", "three", ["x", "other"], ["t"]),
      makeNode("Add", "add", ["s", "t"], ["y"]),
    ],
    initializers: [first, floats("b", [64, 64], [...near]), floats("large", [1], [1e3]), floats("other", [64, 64])],
  });
}

/** A GRU with a score of its own and a state that callers hand back. */
function withState() {
  return makeModel({
    inputs: [
      ["x", "float32", [5, 1, 32]],
      ["h0", "float32", [1, 1, 64]],
    ],
    outputs: [
      ["score", "float32", [1, 1, 1]],
      ["hn", "float32", [1, 1, 64]],
    ],
    nodes: [
      makeNode("GRU", "gru", ["x", "w", "r", "", "", "h0"], ["", "hn"], { hidden_size: 64 }),
      makeNode("MatMul", "head", ["hn", "v"], ["score"]),
    ],
    initializers: [floats("w", [1, 192, 32]), floats("r", [1, 192, 64]), floats("v", [64, 1])],
  });
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-gate-"));
  writeFileSync(join(folder, "outliers.onnx"), encodeModel(withOutliers()));
  writeFileSync(join(folder, "cancel.onnx"), encodeModel(withCancellation()));
  writeFileSync(join(folder, "state.onnx"), encodeModel(withState()));
  writeFileSync(join(folder, "conv.onnx"), encodeModel(convolutions()));
  writeSamples(join(folder, "rows"), "x", [16, 64], 6);
  writeSamples(join(folder, "other"), "x", [8, 64], 6);
  writeSamples(join(folder, "images"), "x", [1, 8, 16, 16], 4);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compress = (...argv: string[]) =>
  runCommand(compressCommand, ["--int8", ...argv, "--speed-seconds", "0"], folder);

test("the units of a state are no classes", async () => {
  const { code, stdout } = await compress("state.onnx", "-o", "small-state.onnx", "--json");
  expect(code).toBe(0);
  const { verification }: CompressResult = JSON.parse(stdout);
  expect(verification).toMatchObject({ checked: true, drop: { kind: "noise" } });
});

describe("--max-drop", () => {
  test("takes back the weight that costs the most, and only that, until the held-out samples keep the limit", async () => {
    const reports = ["--report", "gate.json", "--report", "gate.html"];
    // smoothing would mend the weight before the gate sees it
    const argv = ["outliers.onnx", "--data", "rows", "--max-drop", "5%", "--smooth", "off", "-o", "kept.onnx"];
    const { code, stdout, stderr } = await compress(...argv, ...reports);
    expect([code, stderr]).toEqual([0, ""]);
    const result: CompressResult = JSON.parse(readFileSync(join(folder, "gate.json"), "utf8"));
    const { gate, verification, tensors } = result;
    if (!gate || !verification.checked) throw new Error("no gate");
    expect(gate.trials[0]!.drop).toBeGreaterThan(0.05);
    expect([gate.reached, gate.floats]).toEqual([true, ["main:bad"]]);
    expect(gate.ranking[0]).toMatchObject({ key: "main:bad", how: "measured" });
    expect(verification.drop.value).toBeLessThanOrEqual(0.05);
    const schemes = Object.fromEntries(tensors.map(({ name, scheme }) => [name, scheme]));
    expect(schemes).toMatchObject({ good: "unpack", bad: "half", last_w: "unpack" });
    expect(stdout).toMatch(/% by rule, the limit is 5\.00 %: after \d+ trials 1 decision taken back/);
    expect(readFileSync(join(folder, "gate.html"), "utf8")).toMatch(/limit 5\.00 %/);
  });

  test("with --calibration keeps what each weight costs, for other limits on the same samples", async () => {
    const cache = join(folder, "cache.json");
    const run = async (data: string, limit: string, ...more: readonly string[]) => {
      const argv = ["outliers.onnx", "--data", data, "--max-drop", limit, "--smooth", "off", "-o", "cached.onnx"];
      const { code, stdout, stderr } = await compress(
        ...[...argv, "--calibration", "cache.json", "--force", "--json", ...more],
      );
      const { gate }: CompressResult = JSON.parse(stdout);
      const noises = new Map(gate!.ranking.map(({ key, noise }) => [key, noise]));
      return { code, stderr, noises };
    };
    const measured = await run("rows", "5%");
    const saved = JSON.parse(readFileSync(cache, "utf8"));
    expect(new Map(saved.noises[0].alone)).toEqual(measured.noises);
    // other numbers show where they come from; one that is not there is measured
    const [one, ...others] = saved.noises[0].alone as [string, number][];
    const changed = others.map(([key], at) => [key, 0.001 * (at + 1)] as const);
    writeFileSync(cache, JSON.stringify({ ...saved, noises: [{ ...saved.noises[0], alone: changed }] }));
    const again = await run("rows", "4%");
    expect([again.code, again.noises]).toEqual([0, new Map([...changed, one!])]);
    expect(new Map(JSON.parse(readFileSync(cache, "utf8")).noises[0].alone)).toEqual(again.noises);
    // of other samples or settings nothing is known; both are kept, beside the statistics
    expect((await run("other", "5%")).noises).not.toEqual(again.noises);
    expect((await run("rows", "5%", "--ort-min", "1.20")).noises).not.toEqual(again.noises);
    const all = JSON.parse(readFileSync(cache, "utf8"));
    expect([all.noises.length, all.values]).toEqual([3, saved.values]);
    // a file that may not be changed is no reason to fail
    writeFileSync(cache, JSON.stringify({ ...saved, noises: [] }));
    chmodSync(cache, 0o444);
    const kept = await run("rows", "5%");
    expect([kept.code, kept.noises]).toEqual([0, measured.noises]);
    expect(kept.stderr).toMatch(/cache\.json: is read-only.*; what each weight costs is measured again the next time/);
    expect(JSON.parse(readFileSync(cache, "utf8")).noises).toEqual([]);
  });

  test("is kept without it where smoothing mends the weight", async () => {
    const argv = ["outliers.onnx", "--data", "rows", "--max-drop", "5%", "-o", "smooth.onnx"];
    const { code, stdout } = await compress(...argv, "--json");
    const { gate, tensors, accuracy }: CompressResult = JSON.parse(stdout);
    expect([code, gate, accuracy.smoothings.length > 0]).toEqual([0, null, true]);
    expect(tensors.find(({ name }) => name === "bad")!.form).toMatchObject({ bits: 8 });
  });

  test("leaves weights float32 where float16 is too coarse as well", async () => {
    const options = ["--data", "rows", "--max-drop", "5%", "--smooth", "off", "-o", "fine.onnx", "--json"];
    const { code, stdout } = await compress("cancel.onnx", ...options);
    const { gate, tensors }: CompressResult = JSON.parse(stdout);
    expect([code, gate?.reached, gate?.mildest]).toEqual([0, true, "float"]);
    const schemes = Object.fromEntries(tensors.map(({ name, scheme }) => [name, scheme]));
    expect(schemes).toMatchObject({ a: null, b: null, other: "unpack" });
  });

  test("that cannot be kept fails with exit 1, says how near it came, and writes nothing", async () => {
    const before = readdirSync(folder).sort();
    // outputs without classes: the loss is the noise, which is never 0
    const argv = ["conv.onnx", "--data", "images", "--max-drop", "0"];
    const { code, stdout, stderr } = await compress(...argv);
    expect(code).toBe(1);
    expect(stderr).toMatch(/the loss stays at .* or above, --max-drop allows .*: nothing was written/);
    expect(stdout).toMatch(/not written: conv\.int8\.onnx/);
    expect(readdirSync(folder).sort()).toEqual(before);
  });

  test("under static quantization lets activations go first", async () => {
    const argv = ["conv.onnx", "--static", "--everywhere", "--data", "images", "--max-drop", "0.01%", "-o", "s.onnx"];
    const { code, stdout } = await compress(...argv, "--json");
    expect(code).toBe(0);
    const { noiseLimit, verification, gate }: CompressResult = JSON.parse(stdout);
    if (!verification.checked) throw new Error("not checked");
    expect(noiseLimit).not.toBeNull();
    expect(verification.drop.value).toBeLessThanOrEqual(0.0001);
    expect(gate === null || gate.reached).toBe(true);
  });

  test("is a share", async () => {
    for (const share of ["2", "101%", "little", "-1%"]) {
      const { code, stderr } = await compress("conv.onnx", "--max-drop", share);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/must be a share from 0 to 1|argument/)]);
    }
  });
});
