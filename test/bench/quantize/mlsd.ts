// M-LSD line segment detection: agreement of its segments with those of the fp32 model on photographs, and SQNR.
import { join } from "node:path";
import sharp from "sharp";
import type { Batch } from "../../../src/data/batch.js";
import type { Run } from "../../../src/evaluate/agreement.js";
import { packageFolder, photos } from "./fetch.js";
import { floats, type Harness, type Prepared, type Sampling, valuesOf, xorshift } from "./harness.js";

const judgedAPhoto = 10;
const shownAPhoto = 8;
const defaultSeed = 9;
/** What counts as a segment, and what counts as one that the other model must also see. */
const faint = 0.1;
const clear = 0.2;
/** On a grid of 128, as in the sAP10 measure of wireframe parsing: the squared distances of both ends, summed. */
const maxDistance = 10;

export const mlsdLarge = harness("mlsd-large", "large", 512);
export const mlsdTiny = harness("mlsd-tiny", "tiny", 512);
export const mlsdLarge320 = harness("mlsd-large-320", "large", 320);
export const mlsdTiny320 = harness("mlsd-tiny-320", "tiny", 320);

function harness(id: string, kind: "large" | "tiny", size: number): Harness {
  return {
    id,
    title: `M-LSD ${kind} ${size}x${size}`,
    measures: [
      { name: "F1 of segments against fp32", better: "higher" },
      { name: "recall of fp32's segments", better: "higher" },
    ],
    model() {
      const folder = packageFolder("jp.keijiro.mlsd", "1.0.0");
      return folder && join(folder, "ONNX", `mlsd_${size}x${size}_${kind}.onnx`);
    },
    scoresOf: ([theirs, seen, ours, right]) => [(100 * (seen! + right!)) / (theirs! + ours!), (100 * seen!) / theirs!],
    prepare: (run, sampling) => prepare(size, run, sampling),
  };
}

async function prepare(
  size: number,
  run: Run,
  { count = 2 * judgedAPhoto, seed = defaultSeed }: Sampling,
): Promise<Prepared | undefined> {
  const files = photos();
  if (!files) return undefined;
  const random = xorshift(seed);
  const judged: Batch[] = [];
  const shown: Batch[] = [];
  for (const file of files) {
    for (let at = 0; at < count / files.length; at++) judged.push(await cut(file, size, random, false));
    for (let at = 0; at < shownAPhoto; at++) shown.push(await cut(file, size, random, true));
  }
  const expected: (readonly Segment[])[] = [];
  for (const batch of judged) expected.push(segments(await run(batch), size));
  return {
    calibration: shown,
    heldOut: judged.slice(count / 2 - 2, count / 2 + 2),
    baseline: expected.map((truth) => {
      const { length } = truth.filter(isClear);
      return [length, length, length, length];
    }),
    async judge(model) {
      const rows = [];
      for (const [at, batch] of judged.entries()) {
        const found = segments(await model(batch), size);
        const truth = expected[at]!;
        const theirs = truth.filter(isClear);
        const ours = found.filter(isClear);
        const seen = theirs.filter((one) => found.some((other) => near(one, other, size)));
        const right = ours.filter((one) => truth.some((other) => near(one, other, size)));
        rows.push([theirs.length, seen.length, ours.length, right.length]);
      }
      return rows;
    },
  };
}

function isClear({ score }: Segment): boolean {
  return score >= clear;
}

interface Segment {
  readonly score: number;
  /** x, y of both ends, in cells of the output map. */
  readonly ends: readonly [number, number, number, number];
}

/** Cells whose score is the highest among their neighbours; the offsets lead from there to both ends. */
function segments(outputs: Awaited<ReturnType<Run>>, size: number): readonly Segment[] {
  const scores = valuesOf(outputs, "scores");
  const offsets = valuesOf(outputs, "offsets");
  const side = size / 2;
  const found: Segment[] = [];
  for (let at = 0; at < scores.length; at++) {
    const score = scores[at]!;
    if (!(score >= faint)) continue;
    const x = at % side;
    const y = Math.floor(at / side);
    let highest = true;
    for (let v = Math.max(0, y - 1); v <= Math.min(side - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(side - 1, x + 1); u++) {
        if (scores[v * side + u]! > score) highest = false;
      }
    }
    if (!highest) continue;
    const [a, b, c, d] = offsets.subarray(4 * at, 4 * at + 4) as unknown as [number, number, number, number];
    found.push({ score, ends: [x + a, y + b, x + c, y + d] });
  }
  return found;
}

function near(a: Segment, b: Segment, size: number): boolean {
  const scale = 128 / (size / 2);
  const squares = (order: readonly number[]) =>
    order.reduce((sum, at, own) => sum + (scale * (a.ends[own]! - b.ends[at]!)) ** 2, 0);
  return Math.min(squares([0, 1, 2, 3]), squares([2, 3, 0, 1])) <= maxDistance;
}

/** A square piece of the photo, by chance; RGB of 0 to 255 and a channel of ones. */
async function cut(file: string, size: number, random: () => number, mirrored: boolean): Promise<Batch> {
  const { width, height } = await sharp(file).metadata();
  const side = Math.floor(Math.min(width, height) * (0.5 + 0.5 * random()));
  const place = {
    left: Math.floor((width - side) * random()),
    top: Math.floor((height - side) * random()),
    width: side,
    height: side,
  };
  const pixels = await sharp(file).extract(place).flop(mirrored).resize(size, size).removeAlpha().raw().toBuffer();
  const data = Float32Array.from({ length: 4 * size * size }, (_, at) =>
    at % 4 === 3 ? 1 : pixels[3 * Math.floor(at / 4) + (at % 4)]!,
  );
  return floats("input_image_with_alpha:0", [1, size, size, 4], data);
}
