// PP-OCRv4 text recognition: character error rate on rendered lines.
import { characterErrorRate, ocrRecognition, readText } from "../../ocr-lines.js";
import { floats, type Harness, xorshift } from "./harness.js";
import { drawLine, noisyPixels, textLines } from "./lines.js";

const judged = 240;
const shown = 64;
const defaultSeed = 42;

export const rec: Harness = {
  id: "rec",
  title: "OCR recognition (PP-OCRv4)",
  measures: [
    { name: "CER", better: "lower" },
    { name: "exact lines", better: "higher" },
  ],
  expected: [1.42, 80],
  model: () => ocrRecognition,
  scoresOf: ([errors, characters, exact, lines]) => [(100 * errors!) / characters!, (100 * exact!) / lines!],
  async prepare(_, { count = judged, seed = defaultSeed }) {
    // the lines calibration sees come after the first that are judged, from the same random numbers
    const texts = textLines(Math.max(judged, count) + shown, 4999 * Math.abs(seed - defaultSeed));
    if (!texts) return undefined;
    const random = xorshift(seed);
    const lines = texts.map((text, index) => {
      const context = drawLine(text, index, random);
      return { text, grey: noisyPixels(context, random), width: context.canvas.width };
    });
    const batchOf = ({ grey, width }: (typeof lines)[number]) => {
      const data = new Float32Array(3 * grey.length);
      for (let at = 0; at < data.length; at++) data[at] = grey[at % grey.length]! / 127.5 - 1;
      return floats("x", [1, 3, 48, width], data);
    };
    const [calibration, tested] = [lines.slice(judged, judged + shown), lines.toSpliced(judged, shown).slice(0, count)];
    return {
      calibration: calibration.map(batchOf),
      labels: calibration.map(({ text }) => text),
      heldOut: tested.slice(0, 16).map(batchOf),
      async judge(run) {
        const rows = [];
        for (const line of tested) {
          const outputs = await run(batchOf(line));
          const rate = characterErrorRate([{ expected: line.text, found: readText([...outputs.values()][0]!) }]);
          const characters = [...line.text.replace(/\s/g, "")].length;
          rows.push([Math.round(rate * characters), characters, rate === 0 ? 1 : 0, 1]);
        }
        return rows;
      },
    };
  },
};
