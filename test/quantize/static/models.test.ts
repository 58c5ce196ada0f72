import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../../src/data/batch.js";
import { openSession } from "../../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto } from "../../../src/formats/onnx.js";
import { normalise } from "../../../src/graph/normalise/index.js";
import { raiseOpset } from "../../../src/graph/opset.js";
import { fusedCounts } from "../../../src/quantize/static/runtime.js";
import { elementCount } from "../../../src/tensor/tensor.js";
import { characterErrorRate, ocrRecognition, readOcrLines, readText } from "../../ocr-lines.js";
import { noExternal, observe, quantized, runOptimized } from "./observe.js";

const assets = join(ocrRecognition, "..");
const lines = readOcrLines();

function modelOf(file: string): ModelProto {
  const model = decodeModel(new Uint8Array(readFileSync(join(assets, file))), file);
  normalise(model, noExternal);
  raiseOpset(model, file);
  return model;
}

/** Pixels of a rendered line, in a shape they may not fill or not fit in. */
function picture(shape: readonly number[]): Batch {
  const { data } = lines[0]!.batch.get("x")!;
  const pixels = Float32Array.from({ length: elementCount(shape) }, (_, at) => Number(data[at % data.length]));
  return new Map([["x", { dtype: "float32", shape, data: pixels }]]);
}

describe("real models", () => {
  test.each([
    { file: "ch_PP-OCRv4_det_infer.onnx", batch: picture([1, 3, 64, 96]), convolutions: 64 },
    { file: "ch_ppocr_mobile_v2.0_cls_infer.onnx", batch: picture([1, 3, 48, 192]), convolutions: 53 },
    { file: "ch_PP-OCRv4_rec_infer.onnx", batch: lines[0]!.batch, convolutions: 38 },
  ])("$file: every node that is planned so runs in 8 bits", async ({ file, batch, convolutions }) => {
    const model = modelOf(file);
    const result = await quantized(model, await observe(model, [batch]));
    const { optimized } = await runOptimized(result.model, batch);
    const counts = fusedCounts(optimized, result.plan);
    expect(counts.find(({ opType }) => opType === "Conv")).toMatchObject({ planned: convolutions });
    for (const { opType, planned, fused } of counts) expect([opType, fused]).toEqual([opType, planned]);
  });

  test("recognition reads as well as with floats where what harms most stays in floats", async () => {
    const model = modelOf("ch_PP-OCRv4_rec_infer.onnx");
    const batches = lines.map(({ batch }) => batch);
    const observed = await observe(model, batches.slice(0, 2));
    const early = model.graph!.node.slice(0, 12).map(({ output }) => [output[0]!, "early"] as const);
    const result = await quantized(model, observed, { placement: "cheapest" }, { kept: new Map(early) });
    const read = async (which: ModelProto) => {
      const session = await openSession(encodeModel(which));
      const pairs: { expected: string; found: string }[] = [];
      for (const { batch, text } of lines) {
        const [output] = [...(await session.run(batch)).values()];
        pairs.push({ expected: text, found: readText(output!) });
      }
      await session.close();
      return pairs;
    };
    expect(characterErrorRate(await read(result.model))).toBeLessThan(characterErrorRate(await read(model)) + 0.02);
    expect(result.plan.nodes.get(model.graph!.node[0]!.output[0]!)).toMatchObject({ runs: "float", reason: "early" });
  });
});
