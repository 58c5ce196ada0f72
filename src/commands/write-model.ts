import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UserError } from "../errors.js";
import {
  type ExternalPlace,
  graphsOf,
  type ModelProto,
  type ReadExternal,
  setExternal,
  type TensorProto,
  tensorInfo,
  tensorsOf,
} from "../formats/onnx.js";
import { encodePieces, type Piece, type Storage } from "../formats/onnx-pieces.js";
import { shallowCopy } from "../graph/clone.js";
import { reason } from "./files.js";

/** What was written. */
export interface WrittenModel {
  /** Bytes of the model file and its data file. */
  readonly bytes: number;
  /** Names of the files, in the order in which they may be published: the model last. */
  readonly files: readonly string[];
}

/** A file being written from its start; what is skipped reads as zeros. */
interface FileWriter {
  write(bytes: Uint8Array, position: number): void;
  /** Makes sure that all of it is on the disk. */
  close(): void;
}

/** How a model is written. */
export interface WriteSettings {
  /** What errors call the file, which may have a temporary name: default the name it is written under. */
  readonly label?: string;
  readonly open?: ((path: string) => FileWriter) | undefined;
  /** The most bytes of the model file itself. */
  readonly maxBytes?: number;
  /** Told of each file that can be read, though it may not be on the disk yet. */
  readonly whenWritten?: ((path: string) => void) | undefined;
}

/** Tensors below this stay in the model file. */
const minExternalBytes = 1024;

/** Offsets of external tensors are multiples of this, so that a runtime can map them (ONNX ExternalData.md). */
const pageBytes = 4096;

/** Those of large tensors are multiples of this, which Windows needs; onnxruntime saves so too (model_saving_options.h). */
const granuleBytes = 65_536;
const minGranuleBytes = 1 << 20;

/** Protobuf, and with it every runtime, reads no single file of 2 GiB. */
const maxFileBytes = 2 ** 31 - 1;

/** How much of a tensor that lies elsewhere is in memory at once. */
const chunkBytes = 1 << 23;

/**
 * Writes a model to `path`. With `dataName`, all larger tensors go to a data file of that name beside it, wherever they
 * were before; with null, all go into the one file, unless it would have 2 GiB: then a data file `<name>.data` is made
 * all the same. `readExternal` gives the bytes of tensors that say they lie elsewhere; they pass through memory in
 * small parts. The model is not changed. Throws a UserError where the disk is full or fails.
 */
export function writeModelFile(
  path: string,
  model: ModelProto,
  dataName: string | null,
  readExternal: ReadExternal,
  settings: WriteSettings = {},
): WrittenModel {
  const { label = basename(path), maxBytes = maxFileBytes } = settings;
  const { data, size, pieces } = arrange(model, dataName);
  if (size > maxBytes) {
    if (!data) return writeModelFile(path, model, `${basename(path)}.data`, readExternal, settings);
    throw new UserError(`${label}: needs ${size} bytes besides its large tensors; a file has at most ${maxBytes}`);
  }
  const files: string[] = [];
  if (data) {
    writeFile(join(dirname(path), data.name), data.parts, readExternal, settings.label ?? data.name, settings);
    files.push(data.name);
  }
  const placed: { readonly piece: Piece; readonly position: number }[] = [];
  let position = 0;
  for (const piece of pieces) {
    placed.push({ piece, position });
    position += piece.length;
  }
  writeFile(path, placed, readExternal, label, settings);
  return { bytes: size + (data?.size ?? 0), files: [...files, basename(path)] };
}

/** Bytes of the files that {@link writeModelFile} would write. */
export function modelBytes(model: ModelProto, dataName: string | null): number {
  const { data, size } = arrange(model, dataName);
  return size + (data?.size ?? 0);
}

function arrange(model: ModelProto, dataName: string | null) {
  const data = dataName === null ? undefined : layOut(model, dataName);
  return { data, ...encodePieces(model, (tensor) => data?.storages.get(tensor) ?? inline(tensor)) };
}

interface Part {
  readonly piece: Piece;
  readonly position: number;
}

/** Which tensors go to a data file, and where in it. */
interface DataFile {
  readonly name: string;
  readonly size: number;
  readonly parts: readonly Part[];
  readonly storages: ReadonlyMap<TensorProto, Storage>;
}

function layOut(model: ModelProto, name: string): DataFile {
  const stored = [...graphsOf(model.graph!)].flatMap((graph) =>
    [...tensorsOf(graph)].flatMap((tensor) => {
      const { external, bytes } = tensorInfo(tensor);
      // sizes and axes must be in the model file, wherever they were: runtimes look at them while they load it
      return (external ? bytes : tensor.rawData.length) < minExternalBytes ? [] : [{ tensor, external, bytes }];
    }),
  );
  const parts: Part[] = [];
  const storages = new Map<TensorProto, Storage>();
  // tensors that lie in one place share one again
  const shared = new Map<string, number>();
  let size = 0;
  const place = ({ tensor, external, bytes }: (typeof stored)[number], alignment: number) => {
    const key = external && [external.location, external.offset, bytes].join("\0");
    let position = key === undefined ? undefined : shared.get(key);
    if (position === undefined) {
      position = Math.ceil(size / alignment) * alignment;
      parts.push({ piece: external ? { place: external, length: bytes } : tensor.rawData, position });
      size = position + bytes;
      if (key !== undefined) shared.set(key, position);
    }
    const copy = shallowCopy(tensor);
    setExternal(copy, name, position, bytes);
    storages.set(tensor, { kind: "external", tensor: copy });
  };
  // the large ones first: after one another they leave few gaps, as their sizes are mostly round
  for (const each of stored) if (each.bytes >= minGranuleBytes) place(each, granuleBytes);
  for (const each of stored) if (each.bytes < minGranuleBytes) place(each, pageBytes);
  return { name, size, parts, storages };
}

function inline(tensor: TensorProto): Storage {
  const { external, bytes } = tensorInfo(tensor);
  return external && { kind: "inline", from: external, length: bytes };
}

function writeFile(
  path: string,
  parts: readonly Part[],
  readExternal: ReadExternal,
  label: string,
  { open = openFileWriter, whenWritten }: WriteSettings,
): void {
  const writing = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw new UserError(`${label}: cannot write: ${reason(error)}; nothing was kept`);
    }
  };
  const writer = writing(() => open(path));
  try {
    for (const { piece, position } of parts) {
      if (piece instanceof Uint8Array) writing(() => writer.write(piece, position));
      else {
        for (let at = 0; at < piece.length; at += chunkBytes) {
          const length = Math.min(chunkBytes, piece.length - at);
          const chunk = readExternal(partOf(piece.place, at, length), length);
          writing(() => writer.write(chunk, position + at));
        }
      }
    }
    whenWritten?.(path);
  } finally {
    writing(() => writer.close());
  }
}

function partOf({ location, offset }: ExternalPlace, at: number, length: number): ExternalPlace {
  return { location, offset: offset + at, length };
}

function openFileWriter(path: string): FileWriter {
  const descriptor = openSync(path, "wx");
  return {
    write(bytes, position) {
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(descriptor, bytes, at, bytes.length - at, position + at);
      }
    },
    close() {
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    },
  };
}
