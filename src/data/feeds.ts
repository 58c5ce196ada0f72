import { UserError } from "../errors.js";
import { formatShape, type Tensor, type TensorData } from "../tensor/tensor.js";
import type { Batch, DeclaredInput } from "./batch.js";

/** Sizes of dynamic axes, by the name the model has for the axis, or by `<input>.<axis>` for one of its axes. */
export type AxisSizes = ReadonlyMap<string, number>;

/** What exporters and people call the axis of samples. */
const batchName = /^(n|b|bs|batch([-_. ]?(size|dim|axis))?)$/i;

/**
 * The batch axis of each input that has one: the axes that are called as the first dynamic leading axis is, or as the first
 * axis that is called a batch (models that take sequences step by step have it second). Empty where there is none.
 */
export function batchAxes(inputs: readonly DeclaredInput[]): ReadonlyMap<string, number> {
  const named = inputs.flatMap(({ shape }) => shape).find((axis) => typeof axis === "string" && batchName.test(axis));
  const leading = named ?? inputs.find(({ shape }) => shape.length > 0 && typeof shape[0] !== "number")?.shape[0];
  if (leading === undefined) return new Map();
  const axes = inputs.map(({ name, shape }): [string, number] => [
    name,
    // axes without a name are dynamic each on its own: only leading ones are taken for the batch
    leading === null ? (shape.length > 0 && shape[0] === null ? 0 : -1) : shape.indexOf(leading),
  ]);
  return new Map(axes.filter(([, axis]) => axis >= 0));
}

/**
 * The batch axes along which samples can be joined to be trained on. Empty also where some input of floats has none or has
 * it elsewhere (recurrent states, of layers first): its outputs would not line up, and every sample has states of its own.
 */
export function joiningAxes(inputs: readonly DeclaredInput[]): ReadonlyMap<string, number> {
  const axes = batchAxes(inputs);
  const own = inputs.filter(({ dtype, shape }) => dtype.startsWith("float") && shape.length > 0);
  const known = [...axes.values()];
  const isJoined = own.every(({ name }) => axes.has(name)) && known.every((axis) => axis === known[0]);
  return isJoined ? axes : new Map();
}

/** The inputs with these axes fixed. Throws a UserError for an axis that the model does not have or that is fixed. */
export function withSizes(inputs: readonly DeclaredInput[], sizes: AxisSizes): readonly DeclaredInput[] {
  const unused = new Set(sizes.keys());
  const fixed = inputs.map((input) => ({
    ...input,
    shape: input.shape.map((axis, at) => {
      const keys = [`${input.name}.${at}`, ...(typeof axis === "string" ? [axis] : [])];
      const key = keys.find((one) => sizes.has(one));
      if (key === undefined) return axis;
      unused.delete(key);
      if (typeof axis !== "number") return sizes.get(key)!;
      throw new UserError(`--axis ${key}: axis ${at} of input "${input.name}" is fixed at ${axis}`);
    }),
  }));
  const [missing] = unused;
  if (missing === undefined) return fixed;
  const names = inputs.flatMap(({ name, shape }) =>
    shape.flatMap((axis, at) => (typeof axis === "number" ? [] : [axis ?? `${name}.${at}`])),
  );
  const known = [...new Set(names)].join(", ") || "none";
  throw new UserError(`--axis ${missing}: the model has no such dynamic axis; it has ${known}`);
}

/**
 * Several samples as one, joined along the batch axes; inputs without one are the first sample's. Throws a UserError
 * where their other axes differ; `names` says what the samples are called.
 */
export function joinSamples(
  samples: readonly Batch[],
  axes: ReadonlyMap<string, number>,
  names: readonly string[],
): Batch {
  const first = samples[0]!;
  return new Map(
    [...first].map(([input, tensor]): [string, Tensor] => {
      const axis = axes.get(input);
      if (axis === undefined || samples.length === 1) return [input, tensor];
      const parts = samples.map((sample, at) => {
        const part = sample.get(input)!;
        const same =
          part.shape.length === tensor.shape.length &&
          part.shape.every((size, place) => place === axis || size === tensor.shape[place]);
        if (same) return part;
        throw new UserError(
          `--batch: ${names[0]} and ${names[at]} cannot be joined: input "${input}" is ${formatShape(tensor.shape)} in one and ${formatShape(part.shape)} in the other; bring the samples to one size`,
        );
      });
      return [input, concatenate(parts, axis)];
    }),
  );
}

/** Tensors of one dtype joined along an axis, all other axes equal. */
function concatenate(parts: readonly Tensor[], axis: number): Tensor {
  const { dtype, shape, data } = parts[0]!;
  const total = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const outer = shape.slice(0, axis).reduce((product, size) => product * size, 1);
  const joined = shape.map((size, at) => (at === axis ? total : size));
  const pieces: { readonly part: TensorData; readonly from: number; readonly to: number }[] = [];
  for (let at = 0; at < outer; at++) {
    for (const part of parts) {
      const length = part.data.length / outer;
      pieces.push({ part: part.data, from: at * length, to: (at + 1) * length });
    }
  }
  if (Array.isArray(data)) {
    return { dtype, shape: joined, data: pieces.flatMap(({ part, from, to }) => (part as string[]).slice(from, to)) };
  }
  const length = pieces.reduce((sum, { from, to }) => sum + to - from, 0);
  const result = new (data.constructor as new (length: number) => Float32Array)(length);
  let place = 0;
  for (const { part, from, to } of pieces) {
    const whole = to - from === part.length;
    result.set(whole ? (part as Float32Array) : (part as Float32Array).subarray(from, to), place);
    place += to - from;
  }
  return { dtype, shape: joined, data: result };
}
