// PP-OCRv4 text recognition: character error rate on rendered lines.
import { characterErrorRate, ocrRecognition, readText } from "../../ocr-lines.js";
import { floats, type Harness, xorshift } from "./harness.js";
import { drawLine, noisyPixels, textLines } from "./lines.js";

const judged = 240;
const shown = 64;

export const rec: Harness = {
  id: "rec",
  title: "OCR recognition (PP-OCRv4)",
  measures: [
    { name: "CER", better: "lower" },
    { name: "exact lines", better: "higher" },
  ],
  expected: [1.42, 80],
  model: () => ocrRecognition,
  async prepare() {
    // the lines calibration sees come after those that are judged, from the same random numbers
    const texts = textLines(judged + shown);
    if (!texts) return undefined;
    const random = xorshift(42);
    const batches = texts.map((text, index) => {
      const context = drawLine(text, index, random);
      const grey = noisyPixels(context, random);
      const data = new Float32Array(3 * grey.length);
      for (let at = 0; at < data.length; at++) data[at] = grey[at % grey.length]! / 127.5 - 1;
      return floats("x", [1, 3, 48, context.canvas.width], data);
    });
    return {
      calibration: batches.slice(judged),
      labels: texts.slice(judged),
      heldOut: batches.slice(0, 16),
      async score(run) {
        const pairs = [];
        for (const [index, batch] of batches.slice(0, judged).entries()) {
          const outputs = await run(batch);
          pairs.push({ expected: texts[index]!, found: readText([...outputs.values()][0]!) });
        }
        const exact = pairs.filter((pair) => characterErrorRate([pair]) === 0).length;
        return [100 * characterErrorRate(pairs), (100 * exact) / pairs.length];
      },
    };
  },
};
