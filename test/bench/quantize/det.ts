// PP-OCRv4 text detection: boxes of text lines on rendered pages, whose places are known.
import { dirname, join } from "node:path";
import { createCanvas } from "@napi-rs/canvas";
import type { Batch } from "../../../src/data/batch.js";
import { ocrRecognition } from "../../ocr-lines.js";
import { type Box, overlap, textBoxes } from "./boxes.js";
import { floats, type Harness, xorshift } from "./harness.js";
import { fontOf, grey, noisyPixels, textLines } from "./lines.js";

const size = 640;
const judged = 60;
const shown = 16;
const linesAPage = 10;
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
  model: () => join(dirname(ocrRecognition), "ch_PP-OCRv4_det_infer.onnx"),
  async prepare() {
    const texts = textLines((judged + shown) * linesAPage);
    if (!texts) return undefined;
    const random = xorshift(11);
    const pages = Array.from({ length: judged + shown }, (_, page) =>
      render(texts.slice(page * linesAPage, (page + 1) * linesAPage), page, random),
    );
    return {
      calibration: pages.slice(judged).map(({ batch }) => batch),
      heldOut: pages.slice(0, 4).map(({ batch }) => batch),
      async score(run) {
        let matched = 0;
        let found = 0;
        let truths = 0;
        let overlaps = 0;
        for (const { batch, boxes } of pages.slice(0, judged)) {
          const map = [...(await run(batch)).values()][0]!;
          const seen = textBoxes(map.data as Float32Array, size, size);
          found += seen.length;
          truths += boxes.length;
          // lines lie far apart, so that no box is the best of two of them
          for (const box of boxes) {
            const best = Math.max(0, ...seen.map((other) => overlap(box, other)));
            overlaps += best;
            if (best >= 0.5) matched++;
          }
        }
        return [(100 * 2 * matched) / (found + truths), (100 * overlaps) / truths];
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
