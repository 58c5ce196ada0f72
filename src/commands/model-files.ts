import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { Host } from "../cli.js";
import { FormatError, UserError } from "../errors.js";
import {
  decodeModel,
  type ExternalPlace,
  everyTensor,
  type ModelProto,
  type ReadExternal,
  type TensorProto,
  tensorInfo,
} from "../formats/onnx.js";
import { inModelFile, skeletonOf } from "../formats/onnx-skeleton.js";
import { type Hasher, openHasher } from "./file-hash.js";
import { absolute, fileSize, readInput, reason } from "./files.js";

/** A model as it was found on disk. */
export interface ModelFile {
  readonly path: string;
  readonly model: ModelProto;
  /** Bytes of the .onnx file and of the external data its tensors use. */
  readonly bytes: number;
  /** Bytes of the .onnx file alone. */
  readonly fileBytes: number;
  /** Hash of the .onnx file, hexadecimal. Throws a UserError where the file has changed since it was read. */
  sha256(): Promise<string>;
  /** Names of the external data files, relative to the model's folder. */
  readonly externalFiles: readonly string[];
  readonly readExternal: ReadExternal;
}

/** Larger files are not read whole, unless told otherwise. */
const defaultMaxWhole = 1 << 26;

/** How a model file is read. */
export interface ReadSettings {
  /** Larger files are not read whole: their weights stay in the file until they are asked for. */
  readonly maxWholeBytes?: number;
  /** Hashes such files; it may have started. */
  readonly hasher?: Hasher;
}

/**
 * Reads and checks an ONNX model. Weights in external data, and those of a large file, are checked for presence and
 * size, and read only when asked for; a file that changes in between is an error then.
 */
export function readModelFile(
  host: Host,
  path: string,
  { maxWholeBytes = defaultMaxWhole, hasher }: ReadSettings = {},
): ModelFile {
  const isLarge = fileSize(host, path, "model") > maxWholeBytes;
  const content = isLarge ? readLazily(host, path, hasher) : readWhole(host, path);
  const { model } = content;
  const folder = dirname(absolute(host, path));
  const sizes = new Map<string, number>();
  const readers = new Map<string, ReadInto>([[inModelFile, content.readAt]]);
  let externalBytes = 0;
  for (const tensor of everyTensor(model)) {
    const { external, bytes } = tensorInfo(tensor);
    if (!external) continue;
    const { location } = external;
    if (location === inModelFile && content.lazy) {
      if (external.offset + bytes <= content.size) continue;
      throw new FormatError(`${path}: tensor ${tensor.name} lies beyond the end of the file`);
    }
    const size = sizes.get(location) ?? externalSize(folder, external, tensor, path);
    if (!sizes.has(location)) readers.set(location, fileReader(join(folder, location), `${path}: ${location}`).readAt);
    sizes.set(location, size);
    if (external.offset + bytes > size) {
      throw new FormatError(
        `${path}: tensor ${tensor.name} needs bytes ${external.offset} to ${external.offset + bytes} of ${location}, which has ${size}; the file is cut off or not the right one`,
      );
    }
    externalBytes += bytes;
  }
  return {
    path,
    model,
    bytes: content.size + externalBytes,
    fileBytes: content.size,
    sha256: content.sha256,
    externalFiles: [...sizes.keys()],
    readExternal({ location, offset }, length, into) {
      const read = readers.get(location);
      if (!read) throw new Error(`no tensor of ${path} lies in ${JSON.stringify(location)}`);
      return read(offset, length, into);
    },
  };
}

interface Content {
  readonly model: ModelProto;
  readonly size: number;
  sha256(): Promise<string>;
  readonly readAt: ReadInto;
  /** Whether tensors may lie in the file itself. */
  readonly lazy: boolean;
}

function readWhole(host: Host, path: string): Content {
  const content = readInput(host, path, "model");
  if (content.length === 0) throw new FormatError(`${path}: is empty, not an ONNX model`);
  return {
    model: decodeModel(content, path),
    size: content.length,
    sha256: async () => createHash("sha256").update(content).digest("hex"),
    readAt: (offset, length) => content.slice(offset, offset + length),
    lazy: false,
  };
}

function readLazily(host: Host, path: string, hasher: Hasher | undefined): Content {
  const size = fileSize(host, path, "model");
  const { readAt, checkState } = fileReader(absolute(host, path), path);
  const model = decodeModel(skeletonOf(readAt, size, path), path);
  return {
    model,
    size,
    async sha256() {
      const used = hasher ?? openHasher();
      try {
        const { state, sha256 } = await used.hashOf(absolute(host, path), path);
        checkState(state);
        return sha256;
      } finally {
        if (used !== hasher) used.close();
      }
    },
    readAt,
    lazy: true,
  };
}

/** Reads `length` bytes of a file from `offset`, into `into` where it is given. */
type ReadInto = (offset: number, length: number, into?: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

/** Reads parts of a file; `label` names it in errors. Throws a UserError once it is not the file it was any more. */
function fileReader(file: string, label: string): { readonly readAt: ReadInto; checkState(now: string): void } {
  let first: string | undefined;
  const checkState = (now: string) => {
    first ??= now;
    if (now !== first) throw new UserError(`${label}: was changed by something else while it was read; run again`);
  };
  const readAt: ReadInto = (offset, length, into) => {
    const part = into ?? new Uint8Array(length);
    let descriptor: number;
    try {
      descriptor = openSync(file, "r");
    } catch (error) {
      throw new UserError(`${label}: cannot be read: ${reason(error)}`);
    }
    try {
      const { ino, size, mtimeMs } = fstatSync(descriptor);
      checkState(`${ino} ${size} ${mtimeMs}`);
      for (let at = 0; at < length; ) {
        const count = readSync(descriptor, part, at, length - at, offset + at);
        if (count === 0) throw new FormatError(`${label}: ends before byte ${offset + length}`);
        at += count;
      }
    } finally {
      closeSync(descriptor);
    }
    return part;
  };
  return { readAt, checkState };
}

function externalSize(folder: string, { location }: ExternalPlace, tensor: TensorProto, path: string): number {
  const way = relative(folder, resolve(folder, location));
  if (isAbsolute(location) || way === ".." || way.startsWith("../") || way.startsWith("..\\")) {
    throw new FormatError(`${path}: tensor ${tensor.name} points outside the model's folder (${location}); refused`);
  }
  if (location.includes("\0"))
    throw new FormatError(`${path}: tensor ${tensor.name} lies in a file no system can have`);
  try {
    return statSync(join(folder, location)).size;
  } catch (error) {
    throw new UserError(`${path}: its external data file ${location} cannot be read: ${reason(error)}`);
  }
}
