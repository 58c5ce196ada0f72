import type { Batch, DeclaredInput } from "../data/batch.js";
import { elementCount, type Tensor, type TensorData } from "../tensor/tensor.js";

/** Samples looked at to find out what has the length of a sequence. */
const looks = 64;

/**
 * How samples are padded: sequences up to the next of the lengths 64, 128, 256, 384 ..., with zeros, so that few sessions
 * are needed. Only where the model has a mask that tells padding from sequence (an input called *mask* with a dynamic
 * axis beside the batch's), and the samples differ in length. Whatever a sample brings beside the inputs (labels, a
 * teacher's outputs) is padded along the axes whose size is the sequence's in every sample; losses have to leave out
 * what the mask does.
 */
export async function paddingOf(
  inputs: readonly DeclaredInput[],
  batchAxes: ReadonlyMap<string, number>,
  count: number,
  read: (at: number) => Promise<Batch>,
): Promise<(sample: Batch) => Batch> {
  const mask = inputs.find(
    ({ name, shape }) => /mask/i.test(name) && shape.some((axis, at) => isLength(axis, at, name, batchAxes)),
  );
  if (!mask) return (sample) => sample;
  const maskAxis = mask.shape.findIndex((axis, at) => isLength(axis, at, mask.name, batchAxes));
  const lengthOf = (sample: Batch) => sample.get(mask.name)!.shape[maskAxis]!;
  const called = mask.shape[maskAxis]!;
  const fixed = new Set(
    inputs.flatMap(({ name, shape }) =>
      shape.flatMap((axis, at) => (typeof axis === "number" ? [`${name}.${at}`] : [])),
    ),
  );
  const samples: Batch[] = [];
  for (let at = 0; at < Math.min(count, looks); at++) samples.push(await read(at));
  if (new Set(samples.map(lengthOf)).size < 2) return (sample) => sample;
  const declared = new Map(inputs.map((input) => [input.name, input]));
  const axesOf = new Map<string, readonly number[]>();
  for (const [name, { shape }] of samples[0]!) {
    const axes = shape.flatMap((_, at) => {
      if (fixed.has(`${name}.${at}`) || batchAxes.get(name) === at) return [];
      // named axes say themselves what they are
      const axis = declared.get(name)?.shape[at];
      if (typeof axis === "string" && typeof called === "string") return axis === called ? [at] : [];
      return samples.every((sample) => sample.get(name)?.shape[at] === lengthOf(sample)) ? [at] : [];
    });
    if (axes.length > 0) axesOf.set(name, axes);
  }
  return (sample) => {
    const length = lengthOf(sample);
    const wanted = bucketLength(length);
    if (wanted === length) return sample;
    return new Map(
      [...sample].map(([name, tensor]): [string, Tensor] => {
        const axes = axesOf.get(name)?.filter((axis) => tensor.shape[axis] === length);
        return [name, (axes ?? []).reduce((padded, axis) => padAxis(padded, axis, wanted), tensor)];
      }),
    );
  };
}

/** The length a sequence is padded to. */
function bucketLength(length: number): number {
  if (length <= 64) return 64;
  return Math.ceil(length / 128) * 128;
}

function isLength(
  axis: number | string | null,
  at: number,
  name: string,
  batchAxes: ReadonlyMap<string, number>,
): boolean {
  return typeof axis !== "number" && batchAxes.get(name) !== at && at > 0;
}

/** Zeros (or empty text) behind an axis. */
function padAxis({ dtype, shape, data }: Tensor, axis: number, size: number): Tensor {
  const before = shape[axis]!;
  const outer = elementCount(shape.slice(0, axis));
  const inner = elementCount(shape.slice(axis + 1));
  const padded = shape.map((one, at) => (at === axis ? size : one));
  const total = outer * size * inner;
  if (Array.isArray(data)) {
    const text = new Array<string>(total).fill("");
    for (let row = 0; row < outer; row++) {
      for (let at = 0; at < before * inner; at++) text[row * size * inner + at] = data[row * before * inner + at]!;
    }
    return { dtype, shape: padded, data: text };
  }
  const source = data as Float32Array;
  const result = new (source.constructor as new (length: number) => Float32Array)(total);
  for (let row = 0; row < outer; row++) {
    result.set(source.subarray(row * before * inner, (row + 1) * before * inner), row * size * inner);
  }
  return { dtype, shape: padded, data: result as TensorData };
}
