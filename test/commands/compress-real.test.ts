import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { inspectCommand } from "../../src/commands/inspect.js";
import { openSession } from "../../src/engine/session.js";
import type { CompressResult } from "../../src/render/compress-result.js";
import { runCommand } from "../host.js";
import { characterErrorRate, ocrLines, ocrRecognition, readOcrLines, readText } from "../ocr-lines.js";

describe("a real model at default settings: PP-OCRv4 recognition, all weights in Constant nodes, opset 9", () => {
  let folder: string;
  let result: CompressResult;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "compress-real-"));
    const argv = ["--int8", ocrRecognition, "-o", "ocr.onnx", "--data", ocrLines, "--json", "--report", "ocr.html"];
    const { code, stdout } = await runCommand(compressCommand, [...argv, "--speed-seconds", "1"], folder);
    expect(code).toBe(0);
    result = JSON.parse(stdout);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("the file is at most 0.26 of its size, and all but 2 % of its float bytes are 8-bit", () => {
    const { output, opset, tensors } = result;
    expect(output.bytes).toBe(readFileSync(join(folder, "ocr.onnx")).length);
    expect(output.files.map(({ name, bytes }) => [name, bytes])).toEqual([["ocr.onnx", output.bytes]]);
    expect(output.ratio).toBeLessThanOrEqual(0.26);
    expect(output.float32Ratio).toBe(output.ratio);
    expect(opset).toMatchObject({ from: 9, to: 13 });
    const integers = tensors.filter(({ form }) => form !== null);
    const share = (list: typeof integers) => list.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(share(integers) / share([...tensors])).toBeGreaterThan(0.98);
    expect(integers.every(({ sqnrDb }) => sqnrDb! > 28)).toBe(true);
    // what was left says why
    expect(tensors.every(({ action, reason }) => action === "quantize" || reason !== "")).toBe(true);
  });

  test("it still reads the lines: at least 98 % of the held-out time steps give the same character", () => {
    if (!result.verification.checked) throw new Error("not checked");
    const { synthetic, agreement, split, drop } = result.verification;
    expect([synthetic, agreement.samples]).toEqual([false, 3]);
    expect(split).toMatch(/3 of 6 samples for calibration, 3 held out/);
    const { agree, total } = agreement.total.topOne!;
    expect(agree / total).toBeGreaterThanOrEqual(0.98);
    expect(drop.value).toBeCloseTo(1 - agree / total, 12);
  });

  test("read as text, it makes at most one character in a hundred more wrong", async () => {
    const errorRate = async (path: string) => {
      const session = await openSession(path);
      const pairs: { expected: string; found: string }[] = [];
      for (const { batch, text } of readOcrLines()) {
        const outputs = await session.run(batch);
        pairs.push({ expected: text, found: readText([...outputs.values()][0]!) });
      }
      await session.close();
      return characterErrorRate(pairs);
    };
    const [before, after] = [await errorRate(ocrRecognition), await errorRate(join(folder, "ocr.onnx"))];
    expect(after - before).toBeLessThan(0.01);
  });

  test("the result can be inspected: opset 13, weights stored as 8-bit integers, and it is not compressed twice", async () => {
    const { code, stdout } = await runCommand(inspectCommand, ["ocr.onnx", "--json"], folder);
    expect(code).toBe(0);
    const summary = JSON.parse(stdout);
    expect(summary.opsets).toEqual([{ domain: "ai.onnx", version: 13 }]);
    const integers = result.tensors.filter(({ form }) => form !== null).length;
    expect(summary.types[0]).toMatchObject({ type: "int8", tensors: integers });
    const again = await runCommand(compressCommand, ["--int8", "ocr.onnx", "-o", "twice.onnx"], folder);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/ocr\.onnx: is quantized already/)]);
  });

  test("what was decided, on what, and how fast, is said", () => {
    expect(result.decisions.join("\n")).toMatch(
      /^32 tensors of Conv, 6\.\d+ MB -> 1\.\d+ MB: integers that become floats/m,
    );
    expect(result.seed).toBe(1);
    expect(Object.keys(result.versions)).toEqual(["deepseek-compat", "onnxruntime", "node"]);
    expect(result.output.files[0]!.sha256).toMatch(/^[0-9a-f]{64}$/);
    if (!result.verification.checked) throw new Error("not checked");
    expect(result.verification.speed!.ratio).toBeGreaterThan(0);
    expect(result.verification.runtime!.words.join("\n")).toMatch(/of 32 weights of Conv/);
    expect(result.calibration).toMatchObject({ samples: 3, ranges: null });
    expect(result.calibration!.widest.length).toBeGreaterThan(0);
  });

  test("the page holds every tensor and loads nothing", () => {
    const page = readFileSync(join(folder, "ocr.html"), "utf8");
    for (const { name } of result.tensors) expect(page).toContain(name);
    expect(page).not.toMatch(/(src|href)=|url\(|@import|<link/);
    expect(page).toContain("default-src 'none'");
  });
});
