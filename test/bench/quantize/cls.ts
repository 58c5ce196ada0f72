// PP-OCR text direction: which of rendered lines are upside down.
import { dirname, join } from "node:path";
import { createCanvas } from "@napi-rs/canvas";
import type { Batch } from "../../../src/data/batch.js";
import { ocrRecognition } from "../../ocr-lines.js";
import { floats, type Harness, xorshift } from "./harness.js";
import { drawLine, noisyPixels, textLines } from "./lines.js";

const height = 48;
const width = 192;
const judged = 800;
const shown = 64;
const defaultSeed = 5;

export const cls: Harness = {
  id: "cls",
  title: "OCR angle classifier (PP-OCR mobile v2.0)",
  measures: [{ name: "accuracy", better: "higher" }],
  model: () => join(dirname(ocrRecognition), "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
  scoresOf: ([right, crops]) => [(100 * right!) / crops!],
  async prepare(_, { count = judged, seed = defaultSeed }) {
    const texts = textLines(count + shown, 4999 * Math.abs(seed - defaultSeed));
    if (!texts) return undefined;
    const random = xorshift(seed);
    const samples = texts.flatMap((text, index) => {
      // short ones too, padded with grey as PaddleOCR does
      const line = drawLine(text.slice(0, 4 + Math.floor(16 * random())).trim(), index, random);
      return [false, true].map((turned) => ({ turned, batch: input(line, turned, random) }));
    });
    return {
      calibration: samples.slice(2 * count).map(({ batch }) => batch),
      heldOut: samples.slice(0, 16).map(({ batch }) => batch),
      async judge(run) {
        const rows = [];
        for (let at = 0; at < 2 * count; at += 2) {
          let right = 0;
          for (const { turned, batch } of samples.slice(at, at + 2)) {
            const [upright, upsideDown] = [...(await run(batch)).values()][0]!.data as Float32Array;
            if (upsideDown! > upright! === turned) right++;
          }
          rows.push([right, 2]);
        }
        return rows;
      },
    };
  },
};

/** Scaled to the height, squeezed to the width where too long, zeros to its right where too short. */
function input(line: ReturnType<typeof drawLine>, turned: boolean, random: () => number): Batch {
  const used = Math.min(width, line.canvas.width);
  const context = createCanvas(used, height).getContext("2d");
  if (turned) {
    context.translate(used, height);
    context.rotate(Math.PI);
  }
  context.drawImage(line.canvas, 0, 0, used, height);
  const pixels = noisyPixels(context, random, 12);
  const data = new Float32Array(3 * height * width);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < used; x++) {
        data[(channel * height + y) * width + x] = pixels[y * used + x]! / 127.5 - 1;
      }
    }
  }
  return floats("x", [1, 3, height, width], data);
}
