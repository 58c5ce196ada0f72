import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { encodeNpz } from "../../src/formats/npz.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { CompressResult } from "../../src/render/compress-result.js";
import { runCommand } from "../host.js";
import { floats, makeModel } from "../onnx-model.js";

/** A normalisation two of whose channels come out thirty times as large, and weights that make up for it. */
function outliers() {
  const isLarge = (channel: number) => channel === 3 || channel === 20;
  const gains = Array.from({ length: 32 }, (_, at) => (isLarge(at) ? 30 : 1));
  const weights = Array.from(
    { length: 32 * 48 },
    (_, at) => Math.sin(at * at + at) / (isLarge(Math.floor(at / 48)) ? 10 : 1),
  );
  return makeModel({
    opset: 17,
    inputs: [["x", "float32", [8, 32]]],
    outputs: [["y", "float32", [8, 24]]],
    nodes: [
      makeNode("LayerNormalization", "n", ["x", "g", "b"], ["n"], { axis: -1 }),
      makeNode("Gemm", "f", ["n", "w", "c"], ["f"]),
      makeNode("Relu", "r", ["f"], ["r"]),
      makeNode("Gemm", "h", ["r", "v"], ["y"]),
    ],
    initializers: [
      floats("g", [32], gains),
      floats("b", [32]),
      floats("w", [32, 48], weights),
      floats("c", [48]),
      floats("v", [48, 24]),
    ],
  });
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-accuracy-"));
  writeFileSync(join(folder, "model.onnx"), encodeModel(outliers()));
  mkdirSync(join(folder, "data"));
  for (let sample = 0; sample < 12; sample++) {
    const data = Float32Array.from({ length: 256 }, (_, at) => Math.sin((at + 3) * (at + sample * 1.7)));
    const batch = new Map([["x", { dtype: "float32", shape: [8, 32], data } as const]]);
    writeFileSync(join(folder, "data", `${sample}.npz`), encodeNpz(batch));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

async function compress(...options: readonly string[]): Promise<CompressResult> {
  const argv = ["model.onnx", "--data", "data", "--max-drop", "99%", "--force", "--json", ...options];
  const { code, stdout, stderr } = await runCommand(compressCommand, argv, folder);
  expect({ code, stderr: stderr.replace(/^(warning: .*\n)*/, "") }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as CompressResult;
}

function sqnr({ verification }: CompressResult): number {
  if (!verification.checked) throw new Error(verification.reason);
  return verification.agreement.total.sqnrDb;
}

describe("accuracy tools", () => {
  test.each([["--dynamic"], ["--static", "--everywhere"]])("smoothing by itself with %s", async (...scheme) => {
    const off = await compress("--int8", ...scheme, "--smooth", "off");
    const auto = await compress("--int8", ...scheme);
    expect(off.accuracy.smoothings).toEqual([]);
    expect(auto.accuracy.smoothings).toMatchObject([{ value: "n", maker: "LayerNormalization", readers: ["f"] }]);
    expect(auto.choices).toContainEqual(expect.objectContaining({ what: "smoothing", chosen: "on" }));
    expect(sqnr(auto)).toBeGreaterThan(sqnr(off) + 3);
  });

  test("AdaRound of the worst weights", async () => {
    const nearest = await compress("--int4", "--smooth", "off");
    const rounded = await compress("--int4", "--smooth", "off", "--adaround", "5");
    expect(rounded.accuracy.rounded.map(({ name, finished }) => [name, finished]).sort()).toEqual([
      ["v", true],
      ["w", true],
    ]);
    expect(sqnr(rounded)).toBeGreaterThan(sqnr(nearest) + 1);
    expect((await compress("--int4", "--adaround", "1")).accuracy.rounded).toHaveLength(1);
  });

  test("equalising leaves what the model computes as it was", async () => {
    const { accuracy, verification } = await compress(
      "--int8",
      "--equalise",
      "--smooth",
      "off",
      "--min-elements",
      "9999",
    );
    expect(accuracy.equalised).toMatchObject([{ value: "f" }]);
    expect(verification.checked && verification.agreement.total.sqnrDb).toBeGreaterThan(60);
  });

  test("the report says in words what was done", async () => {
    const argv = ["model.onnx", "--int4", "--data", "data", "--force", "--max-drop", "99%"];
    const options = ["--smooth", "on", "--equalise", "--adaround", "2"];
    const { stdout } = await runCommand(compressCommand, [...argv, ...options], folder);
    expect(stdout).toMatch(/1 activation smoothed against the weights that read them.*most for n \(alpha/);
    expect(stdout).toMatch(/1 pair of weights equalised, channels scaled by up to \d/);
    expect(stdout).toMatch(/2 weights rounded for the outputs' sake.*dB less noise/);
  });
});
