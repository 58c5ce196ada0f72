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
  /** Puts bytes away, which must not change any more; the same bytes in memory are put away once. */
  put(bytes: Uint8Array): ExternalPlace;
  /** Reads what lies in here, and all else from the model it was opened for. */
  readonly readExternal: ReadExternal;
  /** Removes the file; nothing can be read from it any more. */
  close(): void;
}

/** No file can have this name, so no model file's own external data is taken for it. */
const location = "\0scratch";

/**
 * A scratch file beside `path`, where the result will need the space anyway. It is made when the first bytes are put
 * there; Ctrl-C removes it.
 */
export function openScratch(host: Host, path: string, readExternal: ReadExternal): Scratch {
  const home = dirname(absolute(host, path));
  const file = join(home, `.deepseek-${process.pid}-${process.hrtime.bigint()}.scratch`);
  let descriptor: number | undefined;
  let size = 0;
  const places = new WeakMap<ArrayBufferLike, { readonly at: number; readonly place: ExternalPlace }>();
  let forget = () => {};
  const close = () => {
    if (descriptor === undefined) return;
    forget();
    closeSync(descriptor);
    descriptor = undefined;
    rmSync(file, { force: true });
  };
  const open = (): number => {
    descriptor = openSync(file, "wx+");
    forget = host.onInterrupt(close);
    return descriptor;
  };
  return {
    put(bytes) {
      // candidates of one model share what was quantized once
      const known = places.get(bytes.buffer);
      if (known?.at === bytes.byteOffset && known.place.length === bytes.length) return known.place;
      const offset = size;
      try {
        const target = descriptor ?? open();
        for (let at = 0; at < bytes.length; ) {
          at += writeSync(target, bytes, at, bytes.length - at, offset + at);
        }
      } catch (error) {
        throw new UserError(`${path}: cannot write a temporary file into ${home}: ${reason(error)}`);
      }
      size += bytes.length;
      const place = { location, offset, length: bytes.length };
      places.set(bytes.buffer, { at: bytes.byteOffset, place });
      return place;
    },
    readExternal(place, length, into) {
      if (place.location !== location) return readExternal(place, length, into);
      if (descriptor === undefined || place.offset + length > size) throw new Error(`no such bytes were put away`);
      const part = into ?? new Uint8Array(length);
      for (let at = 0; at < length; ) at += readSync(descriptor, part, at, length - at, place.offset + at);
      return part;
    },
    close,
  };
}
