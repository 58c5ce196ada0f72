import { FormatError } from "../errors.js";
import { type DType, elementCount, type Tensor, typedArrays } from "../tensor/tensor.js";

/** Element types by the names the format has for them; those left out here cannot be computed with. */
const dtypes: Readonly<Record<string, keyof typeof typedArrays>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U64: "uint64",
  U32: "uint32",
  U16: "uint16",
  U8: "uint8",
  BOOL: "bool",
};
const names = new Map(Object.entries(dtypes).map(([name, dtype]) => [dtype as DType, name]));

/** A file of named tensors and a few words about them. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The format's own limit. */
const longestHeader = 100_000_000;

/**
 * Reads a .safetensors file (https://github.com/huggingface/safetensors#format): 8 bytes of header length, a JSON header,
 * the tensors without gaps, little-endian. Tensors are views of `bytes` where they lie on a multiple of their element
 * size, copies elsewhere. Everything the header says is checked before anything is allocated; throws a FormatError that
 * names the file (`where`) and tensor.
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): Safetensors {
  const refuse = (problem: string): never => {
    throw new FormatError(`${where}: ${problem}`);
  };
  if (bytes.length < 8) refuse("is not a .safetensors file: it has less than 8 bytes");
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(Math.min(longestHeader, bytes.length - 8))) {
    refuse(`is cut off or not a .safetensors file: its header would have ${length} bytes`);
  }
  const start = 8 + Number(length);
  const header = headerOf(bytes.subarray(8, start), refuse);
  const metadata = new Map<string, string>();
  const entries: { readonly name: string; readonly info: Entry }[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== "__metadata__") {
      entries.push({ name, info: entryOf(value, (problem) => refuse(`tensor "${name}" ${problem}`)) });
      continue;
    }
    if (!isObject(value)) return refuse("its __metadata__ is no object");
    for (const [key, text] of Object.entries(value)) {
      metadata.set(key, typeof text === "string" ? text : refuse(`its __metadata__ "${key}" is no text`));
    }
  }
  let end = 0;
  for (const { name, info } of [...entries].sort((a, b) => a.info.begin - b.info.begin || a.info.end - b.info.end)) {
    if (info.begin !== end) refuse(`tensor "${name}" starts at byte ${info.begin} of the data, not ${end}`);
    end = info.end;
  }
  if (end !== bytes.length - start) {
    refuse(`holds ${bytes.length - start} bytes of tensors, its header tells of ${end}`);
  }
  const tensors = entries.map(({ name, info }): [string, Tensor] => [name, tensorAt(bytes, start, info)]);
  return { tensors: new Map(tensors), metadata };
}

interface Entry {
  readonly dtype: keyof typeof typedArrays;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function headerOf(bytes: Uint8Array, refuse: (problem: string) => never): Readonly<Record<string, unknown>> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    refuse("its header is no JSON");
  }
  return isObject(header) ? header : refuse("its header is no JSON object");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function entryOf(value: unknown, refuse: (problem: string) => never): Entry {
  if (!isObject(value)) return refuse("is no object");
  const { dtype: called, shape, data_offsets: offsets } = value;
  const dtype = typeof called === "string" && Object.hasOwn(dtypes, called) ? dtypes[called]! : undefined;
  if (!dtype) return refuse(`has elements of type ${JSON.stringify(called)}, which cannot be read here`);
  if (!Array.isArray(shape) || !shape.every(isSize)) return refuse("has no shape of whole numbers");
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) return refuse("has no data_offsets");
  const [begin, end] = offsets as [number, number];
  const bytes = elementCount(shape) * typedArrays[dtype].BYTES_PER_ELEMENT;
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes) {
    return refuse(`takes ${end - begin} bytes, its shape ${bytes}`);
  }
  return { dtype, shape, begin, end };
}

function tensorAt(bytes: Uint8Array, start: number, { dtype, shape, begin, end }: Entry): Tensor {
  const array = typedArrays[dtype];
  const at = bytes.byteOffset + start + begin;
  const length = (end - begin) / array.BYTES_PER_ELEMENT;
  if (at % array.BYTES_PER_ELEMENT === 0) {
    return { dtype, shape, data: new array(bytes.buffer as ArrayBuffer, at, length) };
  }
  const copy = bytes.slice(start + begin, start + end);
  return { dtype, shape, data: new array(copy.buffer as ArrayBuffer, 0, length) };
}

/** Writes a .safetensors file; the data start on a multiple of 8 bytes, and wider elements come first. */
export function encodeSafetensors({ tensors, metadata }: Safetensors): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].map(([name, tensor]) => {
    const called = names.get(tensor.dtype);
    if (!called || name === "__metadata__") throw new TypeError(`tensor "${name}" cannot be stored`);
    const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
    const width = typedArrays[tensor.dtype as keyof typeof typedArrays].BYTES_PER_ELEMENT;
    return { name, called, shape: tensor.shape, width, data: new Uint8Array(buffer, byteOffset, byteLength) };
  });
  sorted.sort((a, b) => b.width - a.width);
  let end = 0;
  // as a list: an object would put names that look like numbers first
  const parts = sorted.map(({ name, called, shape, data }) => {
    const begin = end;
    end += data.length;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: called, shape, data_offsets: [begin, end] })}`;
  });
  if (metadata.size > 0) parts.unshift(`"__metadata__":${JSON.stringify(Object.fromEntries(metadata))}`);
  const header = new TextEncoder().encode(`{${parts.join(",")}}`);
  const start = 8 + ((header.length + 7) & ~7);
  const bytes = new Uint8Array(start + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.fill(0x20, 8, start);
  bytes.set(header, 8);
  let at = start;
  for (const { data } of sorted) {
    bytes.set(data, at);
    at += data.length;
  }
  return bytes;
}
