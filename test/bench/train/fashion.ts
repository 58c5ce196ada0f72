// Fashion-MNIST (Zalando, MIT): 60,000 + 10,000 pictures of 28 x 28 grey pixels, 10 classes of equal size.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { fashionFolder } from "./fetch.js";

/** Pictures and their classes. */
export interface Pictures {
  readonly count: number;
  /** [count, 1, 28, 28], from -1 to 1. */
  readonly images: Float32Array;
  /** 0 to 9. */
  readonly labels: Uint8Array;
}

export const side = 28;

/** The two sets of the data set; undefined where it cannot be had. */
export function readFashion(): { readonly train: Pictures; readonly test: Pictures } | undefined {
  const folder = fashionFolder();
  if (!folder) return undefined;
  return { train: pictures(folder, "train"), test: pictures(folder, "t10k") };
}

function pictures(folder: string, set: string): Pictures {
  const pixels = idx(join(folder, `${set}-images-idx3-ubyte.gz`), 3);
  const labels = idx(join(folder, `${set}-labels-idx1-ubyte.gz`), 1);
  return { count: labels.length, images: Float32Array.from(pixels, (value) => value / 127.5 - 1), labels };
}

/** The bytes behind the head of an IDX file: two zeros, 8 for bytes, the number of axes, their sizes as big-endian. */
function idx(path: string, axes: number): Uint8Array {
  const bytes = gunzipSync(readFileSync(path));
  if (bytes.readUInt32BE(0) !== 0x800 + axes) throw new Error(`${path}: not an IDX file of bytes with ${axes} axes`);
  return bytes.subarray(4 + 4 * axes);
}

/** The first `count` pictures of a set from picture `start` on; elements are shared. */
export function someOf(set: Pictures, start: number, count: number): Pictures {
  const size = side * side;
  return {
    count,
    images: set.images.subarray(start * size, (start + count) * size),
    labels: set.labels.subarray(start, start + count),
  };
}

/** Two sets as one. */
export function together(a: Pictures, b: Pictures): Pictures {
  const images = new Float32Array(a.images.length + b.images.length);
  images.set(a.images);
  images.set(b.images, a.images.length);
  const labels = new Uint8Array(a.count + b.count);
  labels.set(a.labels);
  labels.set(b.labels, a.count);
  return { count: a.count + b.count, images, labels };
}

/** Mirror images, left to right. */
export function mirrored({ count, images, labels }: Pictures): Pictures {
  const turned = new Float32Array(images.length);
  for (let at = 0; at < images.length; at++) {
    const column = at % side;
    turned[at - column + (side - 1 - column)] = images[at]!;
  }
  return { count, images: turned, labels };
}
