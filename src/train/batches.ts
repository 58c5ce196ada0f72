import type { Batch, DeclaredInput } from "../data/batch.js";
import { joiningAxes, joinSamples } from "../data/feeds.js";
import { uniform } from "../data/random.js";
import { UserError } from "../errors.js";
import { castTensor } from "../tensor/cast.js";
import { formatShape, type Tensor } from "../tensor/tensor.js";
import { paddingOf } from "./padding.js";
import { shapesOf } from "./steps.js";
import type { TrainingData } from "./task.js";

/** Where in the samples training is; all of it goes into a checkpoint. */
export interface Position {
  /** Samples taken from the endless row of shuffled epochs. */
  readonly taken: number;
  /** Those that wait for others of their shapes, in the order they were taken. */
  readonly waiting: readonly number[];
}

/** Batches without end. */
export interface BatchSource {
  /** Rows of each batch. */
  readonly rows: number;
  next(): Promise<Batch>;
  position(): Position;
}

/** A sample, and its shapes in words. */
interface Keyed {
  readonly sample: Batch;
  readonly key: string;
}

export interface BatchSettings {
  readonly batchSize: number;
  readonly seed: number;
  /** Bytes of samples that are kept once read; default 512 MiB. */
  readonly cacheBytes?: number;
}

/**
 * The samples in an order that is another one each epoch, the same for the same seed, joined into batches of `batchSize`
 * rows. A batch is full of samples of the same shapes; those that do not fill one wait for the next epoch, so that every
 * sample is used as often as any other and no session is needed for a batch that is short. Sequences are padded to
 * lengths of a few buckets. Where the model takes one row at a time, a batch is one sample.
 */
export async function createBatches(
  data: TrainingData,
  inputs: readonly DeclaredInput[],
  settings: BatchSettings,
  start: Position = { taken: 0, waiting: [] },
): Promise<BatchSource> {
  if (data.count === 0) throw new UserError(`${data.source}: there are no samples to train on`);
  const axes = joiningAxes(inputs);
  const rows = axes.size === 0 ? 1 : Math.min(settings.batchSize, data.count);
  const names = new Set(inputs.map(({ name }) => name));
  const readRaw = checkedReader(data, inputs);
  const pad = await paddingOf(inputs, axes, data.count, readRaw);
  const cache = new Map<number, Keyed>();
  let room = settings.cacheBytes ?? 512 * 2 ** 20;
  const read = async (at: number): Promise<Keyed> => {
    const sample = pad(await readRaw(at));
    const key = shapesOf(sample);
    const bytes = [...sample.values()].reduce((sum, { data }) => sum + ((data as Float32Array).byteLength ?? 0), 0);
    if (bytes <= room) {
      cache.set(at, { sample, key });
      room -= bytes;
    }
    return { sample, key };
  };

  const { count } = data;
  let { taken } = start;
  let epoch = -1;
  let order = new Uint32Array(0);
  const takeOne = (): number => {
    if (Math.floor(taken / count) !== epoch) {
      epoch = Math.floor(taken / count);
      order = shuffled(count, settings.seed, epoch);
    }
    taken += 1;
    return order[(taken - 1) % count]!;
  };
  const buckets = new Map<string, { readonly at: number; readonly sample: Batch }[]>();
  const put = async (at: number) => {
    const { sample, key } = cache.get(at) ?? (await read(at));
    const bucket = buckets.get(key) ?? [];
    buckets.set(key, bucket);
    bucket.push({ at, sample });
    if (bucket.length < rows) return undefined;
    buckets.delete(key);
    return bucket;
  };
  for (const at of start.waiting) await put(at);
  return {
    rows,
    async next() {
      let full = await put(takeOne());
      while (!full) full = await put(takeOne());
      const [first] = full;
      if (full.length === 1) return first!.sample;
      // what the model does not know of has its rows along the first axis
      const all = new Map(axes);
      for (const [name, { shape }] of first!.sample) if (!names.has(name) && shape.length > 0) all.set(name, 0);
      return joinSamples(
        full.map(({ sample }) => sample),
        all,
        full.map(({ at }) => data.nameOf(at)),
      );
    },
    position: () => ({ taken, waiting: [...buckets.values()].flatMap((bucket) => bucket.map(({ at }) => at)) }),
  };
}

/** Reads samples and refuses those that do not fit the model, or bring other things than the first one. */
function checkedReader(data: TrainingData, inputs: readonly DeclaredInput[]): (at: number) => Promise<Batch> {
  let known: ReadonlyMap<string, Tensor["dtype"]> | undefined;
  return async (at) => {
    const sample = new Map(await data.read(at));
    for (const { name, dtype, shape } of inputs) {
      const given = sample.get(name);
      if (!given) throw new UserError(`${data.nameOf(at)}: there is nothing for input "${name}" of the model`);
      // the copy of a model of halves computes in float32
      const tensor = isHalf(given.dtype) && dtype === "float32" ? (castTensor(given, dtype) ?? given) : given;
      sample.set(name, tensor);
      if (tensor.dtype !== dtype) {
        throw new UserError(`${data.nameOf(at)}: input "${name}" takes ${dtype}, found ${tensor.dtype}`);
      }
      const fits =
        shape.length === 0 ||
        (shape.length === tensor.shape.length &&
          shape.every((axis, i) => typeof axis !== "number" || axis === tensor.shape[i]));
      if (!fits) {
        throw new UserError(
          `${data.nameOf(at)}: input "${name}" takes shape ${formatShape(shape.map((axis) => (typeof axis === "number" ? axis : null)))}, found ${formatShape(tensor.shape)}`,
        );
      }
    }
    known ??= new Map([...sample].map(([name, { dtype }]) => [name, dtype]));
    for (const [name, dtype] of known) {
      if (sample.get(name)?.dtype === dtype) continue;
      throw new UserError(
        `${data.nameOf(at)}: "${name}" is missing or not ${dtype}, as it is in the first sample read`,
      );
    }
    return sample;
  };
}

function isHalf(dtype: Tensor["dtype"]): boolean {
  return dtype === "float16" || dtype === "bfloat16";
}

/** The numbers 0 to count - 1 in an order of their own for each seed and epoch. */
export function shuffled(count: number, seed: number, epoch: number): Uint32Array<ArrayBuffer> {
  const order = Uint32Array.from({ length: count }, (_, at) => at);
  // a first number of each epoch's own seed: neighbouring seeds must not give neighbouring rows of numbers
  const next = uniform(Math.floor(uniform(seed ^ Math.imul(epoch + 1, 0x9e3779b1))() * 2 ** 32));
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(next() * (at + 1));
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}
