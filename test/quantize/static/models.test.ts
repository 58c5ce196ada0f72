import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { sqnrDb } from "../../../src/evaluate/metrics.js";
import { decodeModel } from "../../../src/formats/onnx.js";
import { liftConstants } from "../../../src/graph/normalise/constants.js";
import { raiseOpset } from "../../../src/graph/opset.js";
import { ocrRecognition, readOcrLines } from "../../ocr-lines.js";
import { observe, quantized, runOptimized } from "./observe.js";

const assets = join(ocrRecognition, "..");

function modelOf(file: string) {
  const model = decodeModel(new Uint8Array(readFileSync(join(assets, file))), file);
  liftConstants(model);
  raiseOpset(model, file);
  return model;
}

const [line] = readOcrLines();

describe("real models", () => {
  test.each([
    { file: "ch_PP-OCRv4_det_infer.onnx", shape: [1, 3, 64, 96], least: 0 },
    { file: "ch_PP-OCRv4_rec_infer.onnx", shape: line!.batch.get("x")!.shape, least: 0 },
    { file: "ch_ppocr_mobile_v2.0_cls_infer.onnx", shape: [1, 3, 48, 192], least: 0 },
  ])("$file: every planned node runs in 8 bits", async ({ file, shape, least }) => {
    const model = modelOf(file);
    const { data } = line!.batch.get("x")!;
    const count = shape.reduce((product, size) => product * size, 1);
    const filled = Float32Array.from({ length: count }, (_, at) => Number(data[at % data.length]));
    const batch = new Map([["x", { dtype: "float32" as const, shape, data: filled }]]);
    const result = await quantized(model, await observe(model, [batch]), { placement: "cheapest" });
    const reference = await runOptimized(model, batch);
    const found = await runOptimized(result.model, batch);
    const planned = [...result.plan.nodes.values()].filter(({ runs }) => runs === "int8");
    const convs = planned.filter(({ opType }) => opType === "Conv").length;
    expect(convs).toBeGreaterThan(30);
    expect(found.operators.filter((operator) => operator === "QLinearConv")).toHaveLength(convs);
    const [expected, got] = [reference, found].map(({ outputs }) => [...outputs.values()][0]!.data as Float32Array);
    expect(sqnrDb(expected!, got!)).toBeGreaterThan(least);
  });
});
