// Lines to train OCR recognition on: rendered like those of the benchmark of compressed models, in the same fonts, but of
// other texts and with other noise, without labels, and on canvases of few widths, so that few shapes occur.
import type { Batch } from "../../../src/data/batch.js";
import { floats, xorshift } from "../quantize/harness.js";
import { drawLine, noisyPixels, textLines, trainingTexts } from "../quantize/lines.js";

/** Canvas widths, rising; the few lines that need more are left out. */
const widths = [384, 512, 640] as const;

/** About `count` unlabelled lines, each a batch of one; undefined where the corpus or a font is missing. */
export function trainingLines(count: number, seed = 7): readonly Batch[] | undefined {
  const texts = textLines(count, 0, trainingTexts);
  if (!texts) return undefined;
  const random = xorshift(seed);
  return texts.flatMap((text, index) => {
    const context = drawLine(text, index, random, widths);
    const { width } = context.canvas;
    const grey = noisyPixels(context, random);
    if (!widths.some((one) => one === width)) return [];
    const data = new Float32Array(3 * grey.length);
    for (let at = 0; at < data.length; at++) data[at] = grey[at % grey.length]! / 127.5 - 1;
    return [floats("x", [1, 3, 48, width], data)];
  });
}
