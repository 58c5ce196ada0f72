import { createHash } from "node:crypto";
import type { Batch } from "../data/batch.js";
import { openSession, type Session } from "../engine/session.js";
import { type EmptyPlaces, emptiedRun } from "../evaluate/empty-places.js";
import { decodeNpz, encodeNpz } from "../formats/npz.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { castTensor } from "../tensor/cast.js";
import type { Tensor } from "../tensor/tensor.js";
import { valuesModel } from "./damage.js";
import { teacherExtra, topExtras } from "./objective.js";
import { classesForShare, topClasses } from "./top-classes.js";

/** Where outputs of the teacher are kept between runs; keys are hexadecimal. */
export interface OutputStore {
  read(key: string): Promise<Uint8Array | undefined>;
  write(key: string, bytes: Uint8Array): Promise<void>;
}

export interface TeacherSettings {
  readonly model: ModelProto;
  readonly readExternal: ReadExternal | undefined;
  /** Values that are handed on as they are. */
  readonly values: readonly string[];
  /** Logits of which the likeliest classes are enough; the classes are their last axis. */
  readonly topValues: readonly string[];
  /** The share of the probability that those hold, in the mean over the first sample's positions. */
  readonly topShare: number;
  /** At which shares are counted. */
  readonly temperature: number;
  readonly store?: OutputStore | undefined;
  readonly threads: number;
  /** Where outputs of the student are zeros whatever it learns: the teacher's count as zeros there. */
  readonly empty?: readonly EmptyPlaces[];
}

/** A model that gives what a student is to learn from. */
export interface Teacher {
  /** What the objective wants for a sample, by the names of its extras. */
  extrasOf(feeds: Batch): Promise<Batch>;
  close(): Promise<void>;
}

/**
 * A teacher that remembers: what it says of a sample is kept in the store under a key of the model, what is asked of it and
 * the sample itself, so that epochs and runs after the first need no inference. The model is loaded when it first has to run.
 */
export function createTeacher(settings: TeacherSettings): Teacher {
  const { values, topValues, store, temperature, empty = [] } = settings;
  const bytes = valuesModel(settings.model, [...new Set([...values, ...topValues])], settings.readExternal);
  const asked = JSON.stringify([values, topValues, settings.topShare, temperature, ...empty]);
  const identity = createHash("sha256").update(bytes).update(asked).digest();
  let session: Session | undefined;
  let kept: number | undefined;
  const run = async (feeds: Batch) => {
    session ??= await openSession(bytes, { threads: settings.threads });
    const known = new Set(session.inputs.map(({ name }) => name));
    return session.run(new Map([...feeds].filter(([name]) => known.has(name))));
  };
  const compute = async (feeds: Batch): Promise<Batch> => {
    const results = await emptiedRun(run, empty)(feeds, 0);
    const extras = new Map<string, Tensor>();
    for (const value of values) extras.set(teacherExtra(value), asFloat32(results.get(value)!));
    for (const value of topValues) {
      const logits = results.get(value)!;
      // as many for every sample: rows of a batch must fit each other
      kept ??= await firstKept(store, identity, () => classesForShare(logits, settings.topShare, temperature));
      const top = topClasses(logits, Math.min(kept, logits.shape.at(-1)!), temperature);
      const [classes, shares] = topExtras(value);
      extras.set(classes, top.classes);
      extras.set(shares, top.shares);
    }
    return extras;
  };
  return {
    async extrasOf(feeds) {
      if (!store) return compute(feeds);
      const key = keyOf(identity, feeds);
      const found = await store.read(key);
      const read = found && unpack(found);
      if (read) return read;
      const extras = await compute(feeds);
      await store.write(key, pack(extras));
      return extras;
    },
    async close() {
      await session?.close();
      session = undefined;
    },
  };
}

function asFloat32(tensor: Tensor): Tensor {
  return tensor.dtype === "float32" ? tensor : (castTensor(tensor, "float32") ?? tensor);
}

/** The number of classes kept, the same in every run that shares a store. */
async function firstKept(store: OutputStore | undefined, identity: Buffer, choose: () => number): Promise<number> {
  const key = identity.toString("hex");
  const found = Number(new TextDecoder().decode(await store?.read(key)));
  if (Number.isInteger(found) && found > 0) return found;
  const chosen = choose();
  await store?.write(key, new TextEncoder().encode(String(chosen)));
  return chosen;
}

function keyOf(identity: Buffer, feeds: Batch): string {
  const hash = createHash("sha256").update(identity);
  for (const [name, { dtype, shape, data }] of [...feeds].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, dtype, shape]));
    if (ArrayBuffer.isView(data)) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    else hash.update(JSON.stringify(data));
  }
  return hash.digest("hex");
}

/** Names stand apart from the arrays: names of values hold characters that files do not. */
function pack(extras: Batch): Uint8Array {
  const names = new TextEncoder().encode(JSON.stringify([...extras.keys()]));
  const arrays = [...extras.values()].map((tensor, at): [string, Tensor] => [`a${at}`, tensor]);
  return encodeNpz(new Map([["names", { dtype: "uint8", shape: [names.length], data: names }], ...arrays]));
}

/** Undefined for what was not written by `pack`: a damaged file is written anew. */
function unpack(bytes: Uint8Array): Batch | undefined {
  try {
    const arrays = decodeNpz(bytes);
    const names = JSON.parse(new TextDecoder().decode(arrays.get("names")?.data as Uint8Array)) as readonly string[];
    return new Map(names.map((name, at): [string, Tensor] => [name, arrays.get(`a${at}`)!]));
  } catch {
    return undefined;
  }
}
