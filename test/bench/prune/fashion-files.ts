// Fashion-MNIST as files: for the command, and for the peer.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeNpy } from "../../../src/formats/npy.js";
import { encodeNpz } from "../../../src/formats/npz.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { shuffled } from "../../../src/train/batches.js";
import { writeSamples } from "../quantize/samples.js";
import { type Pictures, side, someOf } from "../train/fashion.js";
import { work } from "./fetch.js";
import { type Course, weightsOf } from "./peer.js";

/** Pictures to recover on; those behind them are the held-out samples, which the command wants. */
const seen = 59_000;
export const folder = join(work, "fashion");

export interface FashionFiles {
  readonly teacher: string;
  /** Pictures to recover on. */
  readonly images: string;
  /** Of the teacher, made by whoever wants them. */
  readonly logits: string;
  readonly heldOut: string;
  /** Classes of both. */
  readonly labels: string;
  readonly heldOutLabels: string;
  readonly test: string;
  readonly weights: string;
  readonly samples: string;
}

/** Writes what is not there yet. */
export function writeFashion(
  teacher: string,
  { train, test }: { readonly train: Pictures; readonly test: Pictures },
): FashionFiles {
  mkdirSync(join(folder, "peer"), { recursive: true });
  const at = (name: string) => join(folder, name);
  const imagesOf = ({ count, images }: Pictures): Tensor => ({
    dtype: "float32",
    shape: [count, 1, side, side],
    data: images.slice(),
  });
  const once = (file: string, bytes: () => Uint8Array) => {
    if (!existsSync(file)) writeWhole(file, bytes());
    return file;
  };
  const classesOf = ({ count, labels: classes }: Pictures): Tensor => ({
    ...{ dtype: "int64", shape: [count] },
    data: BigInt64Array.from(classes, BigInt),
  });
  const [first, last] = [someOf(train, 0, seen), someOf(train, seen, train.count - seen)];
  const some = Array.from({ length: 4 }, (_, index) => new Map([["x", imagesOf(someOf(test, index, 1))]]));
  writeSamples(at("samples"), some);
  return {
    teacher,
    images: once(at("seen.npy"), () => encodeNpy(imagesOf(first))),
    heldOut: once(at("held-out.npy"), () => encodeNpy(imagesOf(last))),
    labels: once(at("seen-labels.npy"), () => encodeNpy(classesOf(first))),
    heldOutLabels: once(at("held-out-labels.npy"), () => encodeNpy(classesOf(last))),
    test: once(at("test.npz"), () =>
      encodeNpz(
        new Map([
          ["images", imagesOf(test)],
          ["labels", classesOf(test)],
        ]),
      ),
    ),
    weights: once(at("weights.npz"), () => weightsOf(teacher)),
    logits: at(`logits-${createHash("sha256").update(readFileSync(teacher)).digest("hex").slice(0, 8)}.npy`),
    samples: at("samples"),
  };
}

/** Writes which samples the product takes, in their order. */
export function writeOrder(file: string, { steps, batch }: Pick<Course, "steps" | "batch">, seed: number): string {
  const order = new Int32Array(steps * batch);
  for (let start = 0; start < order.length; start += seen) {
    const epoch = shuffled(seen, seed, start / seen);
    order.set(epoch.subarray(0, Math.min(seen, order.length - start)), start);
  }
  writeWhole(file, encodeNpy({ dtype: "int32", shape: [order.length], data: order }));
  return file;
}

/** Never half of a file, where several runs share the folder. */
function writeWhole(file: string, bytes: Uint8Array): void {
  writeFileSync(`${file}.${process.pid}`, bytes);
  renameSync(`${file}.${process.pid}`, file);
}
