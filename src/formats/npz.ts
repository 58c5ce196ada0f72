import { unzipSync, zipSync } from "fflate";
import { FormatError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { decodeNpy, encodeNpy } from "./npy.js";

/** What an .npz may unpack to, in bytes. */
const maxUnpackedBytes = 2 ** 31;
const maxArrays = 4096;

/** Deflate makes at most 1032 bytes of one (https://zlib.net/zlib_tech.html). */
const maxRatio = 1032;

/**
 * Decodes an .npz (a zip of .npy arrays, as numpy.savez and savez_compressed write) into tensors by name. `where`
 * names the file in errors. Nothing is unpacked before the declared sizes are plausible. Throws a FormatError.
 */
export function decodeNpz(bytes: Uint8Array, where = "npz"): ReadonlyMap<string, Tensor> {
  const names = new Set<string>();
  let unpacked = 0;
  let files: Readonly<Record<string, Uint8Array>>;
  try {
    files = unzipSync(bytes, {
      filter({ name, size, originalSize }) {
        if (!name.endsWith(".npy")) throw new FormatError(`${where}: "${name}" in it is not a .npy array`);
        if (names.has(name)) throw new FormatError(`${where}: holds "${name}" twice`);
        names.add(name);
        if (names.size > maxArrays) throw new FormatError(`${where}: holds more than ${maxArrays} arrays`);
        if (size > bytes.length || originalSize > size * maxRatio) {
          throw new FormatError(
            `${where}: "${name}" declares ${originalSize} bytes, which cannot be in ${size} packed bytes`,
          );
        }
        unpacked += originalSize;
        if (unpacked > maxUnpackedBytes) throw new FormatError(`${where}: unpacks to more than 2 GiB`);
        return true;
      },
    });
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`${where}: is not a whole .npz (zip) file: ${reason}`);
  }
  if (names.size === 0) throw new FormatError(`${where}: holds no arrays`);
  return new Map(
    [...names].map((name) => {
      const array = name.slice(0, -".npy".length);
      return [array, decodeNpy(files[name]!, `${where}: array "${array}"`)];
    }),
  );
}

/** Encodes tensors as a deflated .npz that numpy.load reads; the same tensors always give the same bytes. */
export function encodeNpz(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  const entries = [...tensors].map(([name, tensor]) => [`${name}.npy`, encodeNpy(tensor)] as const);
  // the earliest date a zip can hold, in local time as the format has it
  return zipSync(Object.fromEntries(entries), { level: 9, mtime: new Date(1980, 0, 1) });
}
