// PP-OCRv4 text detection: boxes of text lines on rendered pages, whose places are known.
import { dirname, join } from "node:path";
import { createCanvas } from "@napi-rs/canvas";
import type { Batch } from "../../../src/data/batch.js";
import { uniform } from "../../../src/data/random.js";
import { ocrRecognition } from "../../ocr-lines.js";
import { type Box, overlap, textBoxes } from "./boxes.js";
import { floats, type Harness } from "./harness.js";
import { fontOf, grey, noisyPixels, textLines } from "./lines.js";

const size = 640;
const judged = 300;
const shown = 16;
const linesAPage = 10;
const defaultSeed = 11;
/** Of ImageNet, in the order in which PaddleOCR feeds its channels. */
const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

export const det: Harness = {
  id: "det",
  title: "OCR detection (PP-OCRv4)",
  measures: [
    { name: "F1 of boxes", better: "higher" },
    { name: "mean IoU of boxes", better: "higher" },
  ],
  quickCount: 60,
  model: () => join(dirname(ocrRecognition), "ch_PP-OCRv4_det_infer.onnx"),
  scoresOf: ([matched, found, truths, overlaps]) => [
    (100 * 2 * matched!) / (found! + truths!),
    (100 * overlaps!) / truths!,
  ],
  async prepare(_, { count = judged, seed = defaultSeed }) {
    const texts = textLines((count + shown) * linesAPage, 4999 * Math.abs(seed - defaultSeed));
    if (!texts) return undefined;
    // pages are rendered when they are wanted: all of them are a gigabyte
    const page = (at: number) =>
      render(texts.slice(at * linesAPage, (at + 1) * linesAPage), at, uniform(seed * 100_003 + at));
    const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);
    return {
      calibration: numbers(0, shown).map((at) => page(at).batch),
      heldOut: numbers(shown, shown + 4).map((at) => page(at).batch),
      async judge(run) {
        const rows = [];
        for (const at of numbers(shown, shown + count)) {
          const { batch, boxes } = page(at);
          const map = [...(await run(batch)).values()][0]!;
          const seen = textBoxes(map.data as Float32Array, size, size);
          // lines lie far apart, so that no box is the best of two of them
          const best = boxes.map((box) => Math.max(0, ...seen.map((other) => overlap(box, other))));
          const matched = best.filter((share) => share >= 0.5).length;
          rows.push([matched, seen.length, boxes.length, best.reduce((sum, share) => sum + share, 0)]);
        }
        return rows;
      },
    };
  },
};

function render(texts: readonly string[], page: number, random: () => number): { batch: Batch; boxes: Box[] } {
  const context = createCanvas(size, size).getContext("2d");
  context.fillStyle = grey(180 + 75 * random());
  context.fillRect(0, 0, size, size);
  const boxes: Box[] = [];
  texts.forEach((text, index) => {
    context.font = fontOf(page + index, 14 + Math.floor(14 * random()));
    context.fillStyle = grey(30 + 110 * random());
    const { width, actualBoundingBoxAscent: ascent, actualBoundingBoxDescent: descent } = context.measureText(text);
    const left = 8 + random() * Math.max(0, size - 16 - width);
    const base = 44 + index * 60 + 12 * random();
    // what leaves the page cannot be found
    context.fillText(text, left, base);
    boxes.push({ left, top: base - ascent, right: Math.min(size, left + width), bottom: base + descent });
  });
  const pixels = noisyPixels(context, random, 40);
  const data = new Float32Array(3 * pixels.length);
  for (let at = 0; at < data.length; at++) {
    const channel = Math.floor(at / pixels.length);
    data[at] = (pixels[at % pixels.length]! / 255 - mean[channel]!) / deviation[channel]!;
  }
  return { batch: floats("x", [1, 3, size, size], data), boxes };
}
