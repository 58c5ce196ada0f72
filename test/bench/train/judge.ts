// How files are judged on data that training has not seen.
import type { Batch } from "../../../src/data/batch.js";
import { openSession } from "../../../src/engine/session.js";
import type { Run } from "../../../src/evaluate/agreement.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { sumOf } from "../quantize/harness.js";
import { rec } from "../quantize/rec.js";
import type { Pictures } from "./fashion.js";
import { longest, type Mail, paddedMails } from "./spam.js";

/** Per cent of a file's samples that it classifies rightly. */
type Judge = (file: string) => Promise<number>;

type Labelled = Iterable<{ readonly batch: Batch; readonly labels: ArrayLike<number> }>;

/** 1 for each sample that a file classifies rightly, 0 for others. */
async function rightOnes(file: string, batches: Labelled): Promise<Uint8Array> {
  const session = await openSession(file);
  const right: number[] = [];
  try {
    for (const { batch, labels } of batches) {
      const logits = (await session.run(batch)).get(session.outputs[0]!.name)!;
      const classes = logits.shape.at(-1)!;
      for (let row = 0; row < labels.length; row++) {
        right.push(largest(logits.data as Float32Array, row * classes, classes) === labels[row] ? 1 : 0);
      }
    }
  } finally {
    await session.close();
  }
  return Uint8Array.from(right);
}

async function accuracy(file: string, batches: Labelled): Promise<number> {
  return shareOf(await rightOnes(file, batches));
}

/** Ones, in per cent. */
export function shareOf(right: Uint8Array): number {
  return (100 * right.reduce((sum, one) => sum + one, 0)) / right.length;
}

function largest(values: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let at = 1; at < count; at++) if (values[start + at]! > values[start + best]!) best = at;
  return best;
}

/** Top-1 accuracy on pictures, in per cent. */
export const fashionAccuracy =
  (pictures: Pictures): Judge =>
  async (file) =>
    shareOf(await fashionRight(pictures)(file));

/** Which pictures a file classifies rightly. */
export const fashionRight =
  ({ count, images, labels }: Pictures) =>
  (file: string): Promise<Uint8Array> => {
    function* batches() {
      const rows = 250;
      for (let start = 0; start < count; start += rows) {
        const n = Math.min(rows, count - start);
        const data = images.subarray(start * 784, (start + n) * 784);
        const x: Tensor = { dtype: "float32", shape: [n, 1, 28, 28], data };
        yield { batch: new Map([["x", x]]), labels: labels.subarray(start, start + n) };
      }
    }
    return rightOnes(file, batches());
  };

/** Accuracy on mails, in per cent. */
export const spamAccuracy =
  (mails: readonly Mail[]): Judge =>
  (file) => {
    function* batches() {
      for (let start = 0; start < mails.length; start += 64) {
        const some = mails.slice(start, start + 64);
        yield { batch: mailBatch(some), labels: some.map(({ label }) => label) };
      }
    }
    return accuracy(file, batches());
  };

/** Mails as the inputs of a classifier. */
export function mailBatch(mails: readonly Mail[], length = longest): Batch {
  const { ids, mask } = paddedMails(mails, length);
  const shape = [mails.length, length];
  return new Map<string, Tensor>([
    ["input_ids", { dtype: "int64", shape, data: ids }],
    ["attention_mask", { dtype: "int64", shape, data: mask }],
  ]);
}

/** Character error rate on the 240 lines of the benchmark of compressed models, in per cent. */
export async function ocrErrors(file: string, count = 240): Promise<number> {
  const none: Run = async () => new Map();
  const prepared = await rec.prepare(none, { count });
  if (!prepared) throw new Error("no lines to judge by");
  const session = await openSession(file);
  try {
    return rec.scoresOf(sumOf(await prepared.judge(session.run)))[0]!;
  } finally {
    await session.close();
  }
}
