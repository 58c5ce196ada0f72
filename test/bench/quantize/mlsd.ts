// M-LSD line segment detection: agreement of its segments with those of the fp32 model on photographs, and SQNR.
import { join } from "node:path";
import sharp from "sharp";
import type { Batch } from "../../../src/data/batch.js";
import type { Run } from "../../../src/evaluate/agreement.js";
import { packageFolder, photos } from "./fetch.js";
import { floats, type Harness, type Prepared, type Sampling, xorshift } from "./harness.js";
import { countMatches, type Segment, segmentsOf, sideOf } from "./metrics/mlsd.js";

type Outputs = Parameters<typeof segmentsOf>[0];

const judgedAPhoto = 10;
const shownAPhoto = 8;
const defaultSeed = 9;
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
  for (const batch of judged) expected.push(segmentsOf((await run(batch)) as Outputs));
  const labels: string[] = [];
  for (const batch of shown) labels.push(JSON.stringify(segmentsOf((await run(batch)) as Outputs)));
  return {
    calibration: shown,
    labels,
    heldOut: judged.slice(count / 2 - 2, count / 2 + 2),
    baseline: expected.map((truth) => countMatches(truth, truth, size / 2)),
    async judge(model) {
      const rows = [];
      for (const [at, batch] of judged.entries()) {
        const outputs = await model(batch);
        rows.push(countMatches(expected[at]!, segmentsOf(outputs as Outputs), sideOf(outputs as Outputs)));
      }
      return rows;
    },
  };
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
