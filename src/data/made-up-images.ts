import { elementCount } from "../tensor/tensor.js";
import type { DeclaredInput } from "./batch.js";
import { normal } from "./random.js";

/** Sides of the blocks of noise that are added up: natural images have as much going on at every scale. */
const blocks = [64, 32, 16, 8, 4, 2, 1];

/** Height and width where the model leaves them open, or may take smaller ones than it says. */
const side = 128;

/**
 * Shapes of images for the one float32 input of a model: with small sides, and with those it declares, where these are other
 * ones. Empty where the model takes anything else than a batch of images of 1, 3 or 4 channels, which come first or last.
 */
export function imageShapes(inputs: readonly DeclaredInput[]): readonly (readonly number[])[] {
  const [input, ...others] = inputs;
  if (!input || others.length > 0 || input.dtype !== "float32" || input.shape.length !== 4) return [];
  const channels = [1, 3].find((axis) => [1, 3, 4].includes(input.shape[axis] as number));
  if (channels === undefined) return [];
  const sized = (largest: number) =>
    input.shape.map((size, axis) => {
      if (axis === channels) return size as number;
      if (axis === 0) return typeof size === "number" ? size : 1;
      return typeof size === "number" ? Math.min(size, largest) : side;
    });
  const [small, declared] = [sized(side), sized(Number.POSITIVE_INFINITY)];
  return String(small) === String(declared) ? [small] : [small, declared];
}

/**
 * Noise of mean 0 and deviation 1 whose neighbours are alike, as those of natural images are: normal numbers constant on
 * blocks of 64 to 1 pixels, added up. The batch's images and channels are independent of each other.
 */
export function noiseImage(shape: readonly number[], seed: number): Float32Array<ArrayBuffer> {
  const next = normal(seed);
  const image = new Float32Array(elementCount(shape));
  const isSide = shape.map((size, axis) => axis > 0 && size > 4);
  const place = shape.map(() => 0);
  for (const block of blocks) {
    const coarse = shape.map((size, axis) => (isSide[axis] ? Math.ceil(size / block) : size));
    const values = Float32Array.from({ length: elementCount(coarse) }, () => next() / Math.sqrt(blocks.length));
    place.fill(0);
    for (let at = 0; at < image.length; at++) {
      let from = 0;
      for (let axis = 0; axis < shape.length; axis++) {
        from = from * coarse[axis]! + (isSide[axis] ? Math.floor(place[axis]! / block) : place[axis]!);
      }
      image[at]! += values[from]!;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        place[axis]!++;
        if (place[axis]! < shape[axis]!) break;
        place[axis] = 0;
      }
    }
  }
  return image;
}
