import { clearField, create, type DescMessage, isFieldSet, type Message, toBinary } from "@bufbuild/protobuf";
import { type ModelProto, ModelProtoSchema, type TensorProto, TensorProtoSchema } from "onnx-buf";
import type { ExternalPlace } from "./onnx.js";

/** Part of a file to write: bytes at hand, or bytes that lie elsewhere and are fetched when their turn comes. */
export type Piece = Uint8Array | { readonly place: ExternalPlace; readonly length: number };

/** A message as the pieces of its encoding, in order. */
export interface Encoded {
  /** Bytes in all. */
  readonly size: number;
  readonly pieces: readonly Piece[];
}

/** Where the bytes of a tensor shall be once it is written. */
export type Storage =
  /** As raw data in the file itself, taken from `from`. */
  | { readonly kind: "inline"; readonly from: ExternalPlace; readonly length: number }
  /** In another file. */
  | { readonly kind: "external"; readonly tensor: TensorProto }
  /** As the tensor says now. */
  | undefined;

/** Raw data of this size and more is a piece of its own, so that it is not copied. */
const minPieceBytes = 1 << 16;

/**
 * Encodes a model without its large tensors passing through memory: sizes are known from shapes, so what encloses a
 * tensor can be written before its bytes are fetched. The bytes are those that protobuf itself would write, for a model
 * that holds everything inline.
 */
export function encodePieces(model: ModelProto, storageOf: (tensor: TensorProto) => Storage): Encoded {
  const storages = new Map<TensorProto, Storage>();
  const splits = new Map<object, boolean>();
  /** Whether something in a message must not be encoded in one go. */
  const isSplit = (value: unknown): boolean => {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
    if (Array.isArray(value)) return value.map(isSplit).some(Boolean);
    const known = splits.get(value);
    if (known !== undefined) return known;
    let split: boolean;
    if (isTensor(value)) {
      const storage = storageOf(value);
      storages.set(value, storage);
      split = storage !== undefined || value.rawData.length >= minPieceBytes;
    } else split = Object.values(value).map(isSplit).some(Boolean);
    splits.set(value, split);
    return split;
  };
  const encode = (schema: DescMessage, message: Message): Encoded => {
    if (!isSplit(message)) return whole(toBinary(schema, message));
    if (isTensor(message)) return encodeTensor(message, storages.get(message));
    const parts: Encoded[] = [];
    const values = message as unknown as Record<string, unknown>;
    let rest = create(schema) as unknown as Record<string, unknown>;
    const flush = () => {
      parts.push(whole(toBinary(schema, rest as unknown as Message)));
      rest = create(schema) as unknown as Record<string, unknown>;
    };
    for (const field of [...schema.fields].sort((a, b) => a.number - b.number)) {
      const value = values[field.localName];
      if (!Object.hasOwn(values, field.localName) || value === undefined) continue;
      const nested = field.message;
      if (!nested || !isSplit(value)) {
        rest[field.localName] = value;
        continue;
      }
      flush();
      for (const item of Array.isArray(value) ? value : [value]) {
        const inner = encode(nested, item as Message);
        parts.push(whole(header(field.number, inner.size)), inner);
      }
    }
    rest["$unknown"] = message.$unknown;
    flush();
    return join(parts);
  };
  return encode(ModelProtoSchema, model);
}

function isTensor(value: object): value is TensorProto {
  return (value as { $typeName?: unknown }).$typeName === TensorProtoSchema.typeName;
}

function encodeTensor(tensor: TensorProto, storage: Storage): Encoded {
  if (storage?.kind === "external") return whole(toBinary(TensorProtoSchema, storage.tensor));
  const { rawData, externalData, dataLocation } = TensorProtoSchema.field;
  const [head, tail] = [copyOf(tensor), copyOf(tensor)];
  for (const field of TensorProtoSchema.fields) {
    if (field.number >= rawData.number && isFieldSet(head, field)) clearField(head, field);
    if (field.number <= rawData.number && isFieldSet(tail, field)) clearField(tail, field);
  }
  head.$unknown = [];
  if (storage) {
    clearField(tail, externalData);
    clearField(tail, dataLocation);
  }
  const size = storage ? storage.length : tensor.rawData.length;
  const piece: Piece = storage ? { place: storage.from, length: size } : tensor.rawData;
  return join([
    whole(toBinary(TensorProtoSchema, head)),
    whole(header(rawData.number, size)),
    { size, pieces: [piece] },
    whole(toBinary(TensorProtoSchema, tail)),
  ]);
}

function copyOf(tensor: TensorProto): TensorProto {
  return Object.assign(Object.create(Object.getPrototypeOf(tensor)), tensor);
}

function whole(bytes: Uint8Array): Encoded {
  return { size: bytes.length, pieces: bytes.length > 0 ? [bytes] : [] };
}

function join(parts: readonly Encoded[]): Encoded {
  return {
    size: parts.reduce((sum, { size }) => sum + size, 0),
    pieces: parts.flatMap(({ pieces }) => pieces),
  };
}

/** The bytes before a length-delimited field. */
export function header(number: number, length: number): Uint8Array {
  return Uint8Array.from([...varint(number * 8 + 2), ...varint(length)]);
}

/** A number below 2^53 as protobuf writes it: 7 bits a byte, lowest first. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return bytes;
}
