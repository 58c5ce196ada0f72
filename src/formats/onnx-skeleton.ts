import type { DescMessage } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProtoSchema } from "onnx-buf";
import { FormatError } from "../errors.js";
import { header, varint } from "./onnx-pieces.js";

/** Reads `length` bytes of a file from `offset`; both lie within the file. */
export type ReadAt = (offset: number, length: number) => Uint8Array<ArrayBuffer>;

/**
 * The "location" of tensors whose bytes lie in the model file itself. No file can have this name. It only lives in
 * memory: writers put such bytes where they belong.
 */
export const inModelFile = "\0model";

/** Raw data of this size and more stays in the file. */
const minCutBytes = 1024;

/** Messages smaller than this are taken as they are. */
const minWalkBytes = 1024;

/** As deep as protobuf itself goes. */
const maxDepth = 100;

/**
 * The bytes of an ONNX file without its large raw data: each such tensor says instead that its bytes are external, at
 * their offset in {@link inModelFile}. Files may be larger than memory and than the 2 GiB that protobuf can decode.
 * Throws FormatError where the file is cut off or no protobuf; `name` is the file as the user knows it.
 */
export function skeletonOf(readAt: ReadAt, size: number, name: string): Uint8Array<ArrayBuffer> {
  const scan = scanner(readAt, size);
  const damaged = (what: string) => new FormatError(`${name}: is not an ONNX model, or is cut off (${what})`);

  const walk = (desc: DescMessage, start: number, end: number, depth: number): Chunks => {
    if (depth > maxDepth)
      throw new FormatError(`${name}: graphs in it are nested more than ${Math.floor(maxDepth / 3)} deep`);
    const nested = tensorFields(desc);
    const chunks = new Chunks();
    const tensor = desc === TensorProtoSchema ? new TensorFields() : undefined;
    let keptFrom = start;
    for (let at = start; at < end; ) {
      const field = scan.field(at, end);
      if (!field) throw damaged(`at byte ${at}`);
      const inner = nested.get(field.number);
      if (tensor?.takes(field, scan)) {
        chunks.push(readAt(keptFrom, at - keptFrom));
        keptFrom = field.end;
      } else if (inner && field.wireType === 2 && field.end - field.start >= minWalkBytes) {
        chunks.push(readAt(keptFrom, at - keptFrom));
        const inside = walk(inner, field.start, field.end, depth + 1);
        chunks.push(header(field.number, inside.size));
        chunks.append(inside);
        keptFrom = field.end;
      }
      at = field.end;
    }
    chunks.push(readAt(keptFrom, end - keptFrom));
    tensor?.finish(chunks, readAt);
    return chunks;
  };
  return walk(ModelProtoSchema, 0, size, 0).joined();
}

interface Field {
  readonly number: number;
  readonly wireType: number;
  /** Where the value starts (after its length) and ends. */
  readonly start: number;
  readonly end: number;
}

/** Reads fields of a message through a small window of the file. */
function scanner(readAt: ReadAt, size: number) {
  const windowBytes = 1 << 14;
  let window: Uint8Array = new Uint8Array(0);
  let from = 0;
  const byte = (at: number): number => {
    if (at < from || at >= from + window.length) {
      from = at;
      window = readAt(at, Math.min(windowBytes, size - at));
    }
    return window[at - from]!;
  };
  /** Value and end of a varint; undefined where it runs past `end` or is longer than a number holds. */
  const number = (at: number, end: number): readonly [value: number, next: number] | undefined => {
    let value = 0;
    for (let place = at, factor = 1; place < end && place < at + 10; place++, factor *= 128) {
      const part = byte(place);
      value += (part & 127) * factor;
      if (part < 128) return [value, place + 1];
    }
    return undefined;
  };
  return {
    number,
    field(at: number, end: number): Field | undefined {
      const tag = number(at, end);
      if (!tag) return undefined;
      const [wireType, fieldNumber] = [tag[0] % 8, Math.floor(tag[0] / 8)];
      const made = (start: number, length: number): Field | undefined =>
        fieldNumber > 0 && length <= end - start
          ? { number: fieldNumber, wireType, start, end: start + length }
          : undefined;
      if (wireType === 1) return made(tag[1], 8);
      if (wireType === 5) return made(tag[1], 4);
      const value = number(tag[1], end);
      if (!value) return undefined;
      if (wireType === 0) return made(tag[1], value[1] - tag[1]);
      return wireType === 2 ? made(value[1], value[0]) : undefined;
    },
  };
}

/** The fields of a message through which tensors can be reached. */
function tensorFields(desc: DescMessage): ReadonlyMap<number, DescMessage> {
  const known = fieldsOf.get(desc);
  if (known) return known;
  const fields = new Map(
    desc.fields.flatMap((field) =>
      field.message && reaches(field.message, new Set()) ? [[field.number, field.message] as const] : [],
    ),
  );
  fieldsOf.set(desc, fields);
  return fields;
}

const fieldsOf = new Map<DescMessage, ReadonlyMap<number, DescMessage>>();

function reaches(desc: DescMessage, seen: Set<DescMessage>): boolean {
  if (desc === TensorProtoSchema) return true;
  if (seen.has(desc)) return false;
  seen.add(desc);
  return desc.fields.some((field) => field.message && reaches(field.message, seen));
}

/** Lists whose packed form is the little-endian bytes that raw data would have, by the data type that uses them. */
const listsLikeRaw = new Map([
  [1, TensorProtoSchema.field.floatData.number],
  [11, TensorProtoSchema.field.doubleData.number],
]);

/** What is taken out of a tensor while it is walked, and what is put in its place. */
class TensorFields {
  #raw: Field | undefined;
  readonly #lists: Field[] = [];
  #dataType = 0;
  #isExternal = false;

  /** Notes what must be known of a field; true where its bytes are left out. */
  takes(field: Field, scan: ReturnType<typeof scanner>): boolean {
    const { dataType, dataLocation, rawData } = TensorProtoSchema.field;
    if (field.wireType === 0) {
      const value = scan.number(field.start, field.end)?.[0] ?? 0;
      if (field.number === dataType.number) this.#dataType = value;
      if (field.number === dataLocation.number) this.#isExternal = value === 1;
    }
    if (field.wireType !== 2) return false;
    // of raw data that is there twice, the last one counts
    if (field.number === rawData.number) this.#raw = field;
    const isList = [...listsLikeRaw.values()].includes(field.number);
    if (isList) this.#lists.push(field);
    return isList || field.number === rawData.number;
  }

  finish(chunks: Chunks, readAt: ReadAt): void {
    const [list, ...more] = this.#lists;
    const isWhole = more.length === 0 && list?.number === listsLikeRaw.get(this.#dataType);
    const cut = this.#raw ?? (isWhole ? list : undefined);
    const stays = !cut || this.#isExternal || cut.end - cut.start < minCutBytes || this.#dataType === 8;
    for (const field of [...(this.#raw ? [this.#raw] : []), ...this.#lists]) {
      if (!stays && field === cut) continue;
      chunks.push(header(field.number, field.end - field.start));
      chunks.push(readAt(field.start, field.end - field.start));
    }
    if (!stays) this.#refer(cut, chunks);
  }

  #refer({ start, end }: Field, chunks: Chunks): void {
    const { externalData, dataLocation } = TensorProtoSchema.field;
    for (const [key, value] of Object.entries({ location: inModelFile, offset: start, length: end - start })) {
      const texts = [key, String(value)].map((text) => new TextEncoder().encode(text));
      const entry = texts.flatMap((text, at) => [...header(at + 1, text.length), ...text]);
      chunks.push(header(externalData.number, entry.length));
      chunks.push(Uint8Array.from(entry));
    }
    chunks.push(Uint8Array.from([...varint(dataLocation.number * 8), 1]));
  }
}

/** Bytes in pieces. */
class Chunks {
  readonly #parts: Uint8Array[] = [];
  size = 0;

  push(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.size += part.length;
  }

  append(other: Chunks): void {
    for (const part of other.#parts) this.push(part);
  }

  joined(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}
