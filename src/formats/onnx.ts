import { clearField, create, fromBinary, isFieldSet } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from "onnx-buf";
import { FormatError } from "../errors.js";
import { elementCount, type Tensor, type TensorData, typedArrays } from "../tensor/tensor.js";
import { encodePieces, type Storage } from "./onnx-pieces.js";
import { inModelFile } from "./onnx-skeleton.js";
import { onnxType, onnxTypeOf, typeName } from "./onnx-types.js";

export type { FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from "onnx-buf";

/**
 * Decodes an ONNX file. Unknown fields ride along and are written again by {@link encodeModel}; raw tensor bytes are
 * views into `bytes`, not copies. Throws FormatError for what is no ONNX model and for tensors whose declared shape
 * and stored bytes disagree; `name` is the file as the user knows it.
 */
export function decodeModel(bytes: Uint8Array<ArrayBuffer>, name: string): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    const why = firstLine(error);
    if (/recursion depth/.test(why)) throw new FormatError(`${name}: graphs or types in it are nested absurdly deep`);
    throw new FormatError(`${name}: is not an ONNX model, or is cut off (${why})`);
  }
  if (!model.graph || model.opsetImport.length === 0 || model.irVersion <= 0n || model.irVersion > 1000n) {
    throw new FormatError(`${name}: is not an ONNX model (no graph or no operator set in it)`);
  }
  for (const tensor of everyTensor(model)) checkTensor(tensor, name);
  for (const graph of graphsOf(model.graph)) {
    // protobuf puts U+FFFD for bytes that are no UTF-8; written again, such a name would be another one
    const names = graph.node.flatMap((node) => [node.name, ...node.input, ...node.output]);
    const bad = names.find((text) => text.includes("\uFFFD"));
    if (bad !== undefined) throw new FormatError(`${name}: the name ${JSON.stringify(bad)} is not valid UTF-8`);
  }
  return model;
}

/**
 * The bytes of a model; an unchanged model of a usual exporter comes out byte-identical. With `readExternal` all tensor
 * bytes that lie elsewhere are taken in, so that the bytes stand alone (in memory, at most 2 GiB); without it, external
 * tensors stay so, and tensors whose bytes lie in no file of their own (see `inModelFile`) are an error of ours.
 */
export function encodeModel(model: ModelProto, readExternal?: ReadExternal): Uint8Array<ArrayBuffer> {
  const storageOf = (tensor: TensorProto): Storage => {
    const { external, bytes } = tensorInfo(tensor);
    if (!external) return undefined;
    if (readExternal) return { kind: "inline", from: external, length: bytes };
    if (!external.location.startsWith("\0")) return undefined;
    throw new Error(`tensor ${tensor.name}: its bytes are in ${external.location.slice(1)}; encode with readExternal`);
  };
  const { size, pieces } = encodePieces(model, storageOf);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    const part = piece instanceof Uint8Array ? piece : readExternal!(piece.place, piece.length);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A graph and every graph nested in its nodes' attributes (If, Loop, Scan bodies), outermost first. */
export function* graphsOf(graph: GraphProto): Generator<GraphProto> {
  yield graph;
  for (const node of graph.node) {
    for (const attribute of node.attribute) {
      if (attribute.g) yield* graphsOf(attribute.g);
      for (const nested of attribute.graphs) yield* graphsOf(nested);
    }
  }
}

/** Every dense tensor a graph itself holds: its initializers, then those in its nodes' attributes. */
export function* tensorsOf(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  for (const node of graph.node) {
    for (const attribute of node.attribute) {
      if (attribute.t) yield attribute.t;
      yield* attribute.tensors;
    }
  }
}

/** Every tensor a model holds anywhere: in graphs, sparse tensors, local functions, training graphs. */
export function* everyTensor(part: ModelProto | object): Generator<TensorProto> {
  if (ArrayBuffer.isView(part)) return;
  if ((part as TensorProto).$typeName === "onnx.TensorProto") yield part as TensorProto;
  else {
    for (const value of Object.values(part)) {
      if (typeof value === "object" && value !== null) yield* everyTensor(value);
    }
  }
}

/** Where a tensor's bytes lie outside the model file; offset and length in bytes, length null = to the file's end. */
export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number | null;
}

/** What is known of a stored tensor before its bytes are read. */
export interface TensorInfo {
  readonly name: string;
  /** ONNX name of the element type. */
  readonly type: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Bytes of the elements, wherever they lie; for strings, of their UTF-8. */
  readonly bytes: number;
  readonly external?: ExternalPlace;
}

/** Shape, type, size and place of a tensor. */
export function tensorInfo(tensor: TensorProto): TensorInfo {
  const shape = tensor.dims.map(Number);
  const elements = elementCount(shape);
  const bits = onnxType(tensor.dataType)?.bits ?? 0;
  const strings = tensor.stringData.reduce((sum, text) => sum + text.length, 0);
  const info = {
    name: tensor.name,
    type: typeName(tensor.dataType),
    shape,
    elements,
    bytes: bits ? Math.ceil((elements * bits) / 8) : strings,
  };
  return tensor.dataLocation === TensorProto_DataLocation.EXTERNAL
    ? { ...info, external: externalPlace(tensor) }
    : info;
}

function externalPlace(tensor: TensorProto): ExternalPlace {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (!location) throw new FormatError(`tensor ${tensor.name}: lies in an external file that is not named`);
  const number = (key: string): number | null => {
    const text = entries.get(key);
    if (text === undefined) return null;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new FormatError(`tensor ${tensor.name}: external ${key} "${text}" is not a byte count`);
    }
    return value;
  };
  return { location, offset: number("offset") ?? 0, length: number("length") };
}

/** The largest element count a tensor may declare: 2^40. */
const maxElements = 2 ** 40;

function checkTensor(tensor: TensorProto, file: string): void {
  const where = `${file}: tensor ${tensor.name || "(no name)"}`;
  let elements = 1;
  for (const size of tensor.dims) {
    if (size < 0n) throw new FormatError(`${where} declares a negative size`);
    elements *= Number(size);
    if (elements > maxElements) throw new FormatError(`${where} declares an absurd size`);
  }
  const type = onnxType(tensor.dataType);
  if (!type) throw new FormatError(`${where} has element type ${tensor.dataType}, which ONNX 1.20 does not know`);
  if (tensor.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    const { length } = externalPlace(tensor);
    const need = Math.ceil((elements * type.bits) / 8);
    if (length !== null && length !== need) {
      const own = tensor.externalData.some(({ value }) => value === inModelFile);
      throw new FormatError(
        own
          ? `${where} needs ${need} bytes, the file has ${length}; it is damaged`
          : `${where} needs ${need} bytes, its external data has ${length}`,
      );
    }
    return;
  }
  if (isFieldSet(tensor, TensorProtoSchema.field.rawData)) {
    if (!type.bits) throw new FormatError(`${where} has raw bytes, but holds text; it is damaged`);
    const need = Math.ceil((elements * type.bits) / 8);
    if (type.bits && tensor.rawData.length !== need) {
      throw new FormatError(`${where} needs ${need} bytes, the file has ${tensor.rawData.length}; it is damaged`);
    }
    return;
  }
  // complex, 4-bit and float8 lists pack differently; they are carried, never read
  if (type.list && tensor[type.list].length !== elements) {
    throw new FormatError(
      `${where} needs ${elements} elements, the file has ${tensor[type.list].length}; it is damaged`,
    );
  }
}

/**
 * Reads exactly `length` bytes from the offset of a place, which may be part of a tensor's. Where `into` is given, which
 * has that length and may be memory that threads share, they may come in it instead of in new memory.
 */
export type ReadExternal = (
  place: ExternalPlace,
  length: number,
  into?: Uint8Array<ArrayBuffer>,
) => Uint8Array<ArrayBuffer>;

/**
 * The elements of a stored tensor (checked by {@link decodeModel}). Throws FormatError for types that are only
 * carried (complex, float8, 4 and 2 bits).
 */
export function readTensor(tensor: TensorProto, readExternal: ReadExternal): Tensor {
  const { shape, bytes, external } = tensorInfo(tensor);
  const type = onnxType(tensor.dataType);
  const dtype = type?.dtype;
  if (!dtype) throw new FormatError(`tensor ${tensor.name}: ${typeName(tensor.dataType)} elements cannot be read`);
  if (dtype === "string") {
    return { dtype, shape, data: tensor.stringData.map((text) => new TextDecoder().decode(text)) };
  }
  const View = typedArrays[dtype];
  if (external || isFieldSet(tensor, TensorProtoSchema.field.rawData)) {
    const raw = external ? readExternal(external, bytes) : tensor.rawData;
    // protobuf gives no alignment, typed arrays need it; `slice` of a Buffer would be a view
    const aligned = raw.byteOffset % View.BYTES_PER_ELEMENT === 0 ? raw : new Uint8Array(raw);
    const data = new View(aligned.buffer, aligned.byteOffset, aligned.byteLength / View.BYTES_PER_ELEMENT);
    return { dtype, shape, data };
  }
  const list = tensor[type.list!] as readonly (number | bigint)[];
  return { dtype, shape, data: new View(list as never) as TensorData };
}

/**
 * Decodes a TensorProto of its own, as test data of ONNX models has them (input_0.pb), with the name it carries, which
 * may be empty. Throws FormatError for what is none, lies about its size, or keeps its data elsewhere; `where` names it.
 */
export function decodeTensor(bytes: Uint8Array, where: string): { readonly name: string; readonly tensor: Tensor } {
  let proto: TensorProto;
  try {
    proto = fromBinary(TensorProtoSchema, bytes);
  } catch (error) {
    throw new FormatError(`${where}: is no ONNX tensor, or is cut off (${firstLine(error)})`);
  }
  // anything else may still have its shape: a tensor always has a type
  if (proto.dataType === 0) throw new FormatError(`${where}: is no ONNX tensor`);
  const refuse = (): never => {
    throw new FormatError(`${where}: keeps its data in another file, which is not read`);
  };
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) refuse();
  checkTensor(proto, where);
  if (!onnxType(proto.dataType)?.dtype) {
    throw new FormatError(`${where}: holds ${typeName(proto.dataType)} elements, which cannot be fed to a model`);
  }
  const tensor = readTensor(proto, refuse);
  return { name: proto.name, tensor };
}

/** A named tensor to store, its elements as raw little-endian bytes (not copied). */
export function makeTensor(name: string, tensor: Tensor): TensorProto {
  const { dtype, shape, data } = tensor;
  const proto = create(TensorProtoSchema, {
    name,
    dataType: onnxTypeOf(dtype).code,
    dims: shape.map((size) => BigInt(size)),
  });
  if (ArrayBuffer.isView(data)) {
    proto.rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  } else proto.stringData = data.map((text) => new TextEncoder().encode(text));
  return proto;
}

/** Makes a tensor say that its bytes lie in an external file; bytes it held itself are dropped. Changes `tensor`. */
export function setExternal(tensor: TensorProto, location: string, offset: number, length: number): void {
  clearField(tensor, TensorProtoSchema.field.rawData);
  tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
  tensor.externalData = Object.entries({ location, offset, length }).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value: String(value) }),
  );
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}
