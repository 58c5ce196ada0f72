import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync, writeFileSync, writeSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { Host } from "../cli.js";
import { FormatError, UserError } from "../errors.js";
import {
  decodeModel,
  type ExternalPlace,
  encodeModel,
  graphsOf,
  type ModelProto,
  type ReadExternal,
  setExternal,
  type TensorProto,
  tensorInfo,
  tensorsOf,
} from "../formats/onnx.js";
import { absolute, readInput, reason } from "./files.js";

/** A model as it was found on disk. */
export interface ModelFile {
  readonly path: string;
  readonly model: ModelProto;
  /** Bytes of the .onnx file and of the external data its tensors use. */
  readonly bytes: number;
  readonly sha256: string;
  /** Names of the external data files, relative to the model's folder. */
  readonly externalFiles: readonly string[];
  readonly readExternal: ReadExternal;
}

/** Reads and checks an ONNX model; external data is checked for presence and size, and read only when asked for. */
export function readModelFile(host: Host, path: string): ModelFile {
  const content = readInput(host, path, "model");
  if (content.length === 0) throw new FormatError(`${path}: is empty, not an ONNX model`);
  const model = decodeModel(content, path);
  const folder = dirname(absolute(host, path));
  const files = new Map<string, number>();
  let externalBytes = 0;
  for (const tensor of allTensors(model)) {
    const { external, bytes } = tensorInfo(tensor);
    if (!external) continue;
    const size = files.get(external.location) ?? externalSize(folder, external, tensor, path);
    files.set(external.location, size);
    if (external.offset + bytes > size) {
      throw new FormatError(
        `${path}: tensor ${tensor.name} needs bytes ${external.offset} to ${external.offset + bytes} of ${external.location}, which has ${size}; the file is cut off or not the right one`,
      );
    }
    externalBytes += bytes;
  }
  return {
    path,
    model,
    bytes: content.length + externalBytes,
    sha256: createHash("sha256").update(content).digest("hex"),
    externalFiles: [...files.keys()],
    readExternal: (place, length) => readPart(join(folder, place.location), place.offset, length),
  };
}

function* allTensors(model: ModelProto): Generator<TensorProto> {
  for (const graph of graphsOf(model.graph!)) yield* tensorsOf(graph);
}

function externalSize(folder: string, { location }: ExternalPlace, tensor: TensorProto, path: string): number {
  const way = relative(folder, resolve(folder, location));
  if (isAbsolute(location) || way === ".." || way.startsWith("../") || way.startsWith("..\\")) {
    throw new FormatError(`${path}: tensor ${tensor.name} points outside the model's folder (${location}); refused`);
  }
  try {
    return statSync(join(folder, location)).size;
  } catch (error) {
    throw new UserError(`${path}: its external data file ${location} cannot be read: ${reason(error)}`);
  }
}

function readPart(file: string, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const part = new Uint8Array(length);
  const descriptor = openSync(file, "r");
  try {
    for (let at = 0; at < length; ) {
      const count = readSync(descriptor, part, at, length - at, offset + at);
      if (count === 0) throw new FormatError(`${file}: ends before byte ${offset + length}`);
      at += count;
    }
  } finally {
    closeSync(descriptor);
  }
  return part;
}

/** Tensors below this stay in the model file. */
const minExternalBytes = 1024;

/** Offsets of external tensors are multiples of this, so that a runtime can map them (ONNX ExternalData.md). */
const externalAlignment = 4096;

/**
 * Writes a model to `path`. With `dataName`, all larger tensors go to a data file of that name beside it, wherever
 * they were before; `readExternal` gives those that lie in the source's data files. Returns the bytes written.
 */
export function writeModelFile(
  path: string,
  model: ModelProto,
  dataName: string | null,
  readExternal: ReadExternal,
): number {
  let dataBytes = 0;
  if (dataName) {
    const descriptor = openSync(join(dirname(path), dataName), "wx");
    try {
      for (const tensor of allTensors(model)) {
        const { external, bytes } = tensorInfo(tensor);
        if (!external && tensor.rawData.length < minExternalBytes) continue;
        const content = external ? readExternal(external, bytes) : tensor.rawData;
        const offset = Math.ceil(dataBytes / externalAlignment) * externalAlignment;
        for (let at = 0; at < content.length; ) {
          at += writeSync(descriptor, content, at, content.length - at, offset + at);
        }
        dataBytes = offset + content.length;
        setExternal(tensor, dataName, offset, content.length);
      }
    } finally {
      closeSync(descriptor);
    }
  }
  const content = encodeModel(model);
  writeFileSync(path, content, { flag: "wx", flush: true });
  return content.length + dataBytes;
}
