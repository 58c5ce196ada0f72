import { FormatError } from "../errors.js";
import { type DType, elementCount, formatShape, type Tensor, typedArrays } from "../tensor/tensor.js";

/** numpy's `descr` of each dtype; also the key under which a header is looked up. */
const descriptors: Partial<Record<DType, string>> = {
  float32: "<f4",
  float64: "<f8",
  float16: "<f2",
  int8: "|i1",
  uint8: "|u1",
  bool: "|b1",
  int16: "<i2",
  uint16: "<u2",
  int32: "<i4",
  uint32: "<u4",
  int64: "<i8",
  uint64: "<u8",
};

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * Decodes one .npy array (format versions 1 to 3, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
 * little-endian, row-major, numbers or bool. `where` names it in errors. Throws a FormatError when the file is no .npy,
 * lies about its size, or holds what a tensor cannot.
 */
export function decodeNpy(bytes: Uint8Array, where: string): Tensor {
  const refuse = (problem: string): never => {
    throw new FormatError(`${where}: ${problem}`);
  };
  if (bytes.length < 10 || magic.some((byte, at) => bytes[at] !== byte)) refuse("is not a .npy array");
  const version = bytes[6]!;
  if (version < 1 || version > 3) refuse(`.npy version ${version} is not known (1 to 3 are)`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) refuse("the .npy header is cut off");
  const end = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (end > bytes.length) refuse("the .npy header is cut off");
  const header = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(bytes.subarray(start, end));
  const descriptor =
    /['"]descr['"]\s*:\s*['"]([^'"]*)['"]/.exec(header)?.[1] ??
    refuse("holds no plain numbers (structured dtype); save each field as its own array");
  const order =
    /['"]fortran_order['"]\s*:\s*(True|False)/.exec(header)?.[1] ?? refuse("the .npy header has no fortran_order");
  const sizes = /['"]shape['"]\s*:\s*\(([^)]*)\)/.exec(header)?.[1] ?? refuse("the .npy header has no shape");
  // Python 2 wrote long integers as 3L
  const parts = sizes.split(",").map((part) => part.trim().replace(/L$/, ""));
  if (parts.at(-1) === "") parts.pop();
  const shape = parts.map((part) =>
    /^\d+$/.test(part) ? Number(part) : refuse(`the .npy shape (${sizes}) is not one`),
  );
  const kind = /^([<>|=])([a-zA-Z])(\d*)$/.exec(descriptor) ?? refuse(`dtype ${descriptor} is not known`);
  const [, byteOrder, letter, width] = kind as unknown as [string, string, string, string];
  if (letter === "O") refuse("holds Python objects; save it with a numeric dtype");
  const dtype = (Object.keys(descriptors) as (keyof typeof typedArrays)[]).find((name) =>
    descriptors[name]!.endsWith(letter + width),
  );
  if (!dtype) return refuse(`dtype ${descriptor} cannot be fed to a model; save it as a number or bool`);
  if (byteOrder === ">" && width !== "1") refuse("is big-endian; save array.astype(array.dtype.newbyteorder('<'))");
  if (order === "True" && shape.length > 1) refuse("is in Fortran order; save numpy.ascontiguousarray(array)");
  const expected = elementCount(shape) * Number(width);
  if (expected !== bytes.length - end) {
    refuse(`shape ${formatShape(shape)} of ${descriptor} takes ${expected} bytes, but ${bytes.length - end} are there`);
  }
  // copied, because an array must start at a multiple of its element size
  return { dtype, shape, data: new typedArrays[dtype](bytes.slice(end).buffer) };
}

/** Encodes a tensor as .npy, byte for byte as numpy.save does. Throws a FormatError for bfloat16 and strings. */
export function encodeNpy(tensor: Tensor): Uint8Array {
  const descriptor = descriptors[tensor.dtype];
  if (!descriptor) throw new FormatError(`numpy has no dtype for a ${tensor.dtype} tensor`);
  const { shape } = tensor;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${descriptor}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // magic, version and length take 10 bytes; numpy pads so that the data starts at a multiple of 64
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const data = tensor.data as Uint8Array;
  const body = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(10 + length + body.length);
  bytes.set([...magic, 1, 0, length & 255, length >> 8]);
  bytes.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  bytes.set(body, 10 + length);
  return bytes;
}
