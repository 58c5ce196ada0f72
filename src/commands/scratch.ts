import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";
import type { ExternalPlace, ReadExternal } from "../formats/onnx.js";
import { absolute, reason } from "./files.js";

/**
 * A temporary file for bytes that would fill memory: new weights wait there until the model is written. A tensor whose
 * bytes lie there says so as external data does (`setExternal`); writers put the bytes where they belong.
 */
export interface Scratch {
  /** Puts bytes away; they need not be kept in memory any more. */
  put(bytes: Uint8Array): ExternalPlace;
  /** Reads what lies in here, and all else from the model it was opened for. */
  readonly readExternal: ReadExternal;
  /** Removes the file; nothing can be read from it any more. */
  close(): void;
}

/** No file can have this name, so no model file's own external data is taken for it. */
const location = "\0scratch";

/** Opens a scratch file beside `path`, where the result will need the space anyway; Ctrl-C removes it. */
export function openScratch(host: Host, path: string, readExternal: ReadExternal): Scratch {
  const home = dirname(absolute(host, path));
  const file = join(home, `.deepseek-${process.pid}-${process.hrtime.bigint()}.scratch`);
  let descriptor: number;
  try {
    descriptor = openSync(file, "wx+");
  } catch (error) {
    throw new UserError(`${path}: cannot write into ${home}: ${reason(error)}`);
  }
  let size = 0;
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    forget();
    closeSync(descriptor);
    rmSync(file, { force: true });
  };
  const forget = host.onInterrupt(close);
  return {
    put(bytes) {
      const offset = size;
      try {
        for (let at = 0; at < bytes.length; ) {
          at += writeSync(descriptor, bytes, at, bytes.length - at, offset + at);
        }
      } catch (error) {
        throw new UserError(`${path}: cannot write a temporary file into ${home}: ${reason(error)}`);
      }
      size += bytes.length;
      return { location, offset, length: bytes.length };
    },
    readExternal(place, length) {
      if (place.location !== location) return readExternal(place, length);
      if (place.offset + length > size) throw new Error(`the scratch file has ${size} bytes`);
      const part = new Uint8Array(length);
      for (let at = 0; at < length; ) at += readSync(descriptor, part, at, length - at, place.offset + at);
      return part;
    },
    close,
  };
}
