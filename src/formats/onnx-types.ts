import type { DType } from "../tensor/tensor.js";

/** One element type of onnx.proto's TensorProto.DataType. */
export interface OnnxType {
  readonly code: number;
  /** The name ONNX documentation uses, in lower case. */
  readonly name: string;
  /** Bits per element as stored; 0 where elements have no fixed size. */
  readonly bits: number;
  /** The computable form, where this toolkit has one. */
  readonly dtype?: DType;
  /** The typed list that holds the elements when there is no raw data. */
  readonly list?: "floatData" | "int32Data" | "int64Data" | "doubleData" | "uint64Data" | "stringData";
}

/** Source: onnx.proto of ONNX 1.20, TensorProto.DataType and the comments on its data fields. */
const types: readonly OnnxType[] = [
  { code: 1, name: "float32", bits: 32, dtype: "float32", list: "floatData" },
  { code: 2, name: "uint8", bits: 8, dtype: "uint8", list: "int32Data" },
  { code: 3, name: "int8", bits: 8, dtype: "int8", list: "int32Data" },
  { code: 4, name: "uint16", bits: 16, dtype: "uint16", list: "int32Data" },
  { code: 5, name: "int16", bits: 16, dtype: "int16", list: "int32Data" },
  { code: 6, name: "int32", bits: 32, dtype: "int32", list: "int32Data" },
  { code: 7, name: "int64", bits: 64, dtype: "int64", list: "int64Data" },
  { code: 8, name: "string", bits: 0, dtype: "string", list: "stringData" },
  { code: 9, name: "bool", bits: 8, dtype: "bool", list: "int32Data" },
  { code: 10, name: "float16", bits: 16, dtype: "float16", list: "int32Data" },
  { code: 11, name: "float64", bits: 64, dtype: "float64", list: "doubleData" },
  { code: 12, name: "uint32", bits: 32, dtype: "uint32", list: "uint64Data" },
  { code: 13, name: "uint64", bits: 64, dtype: "uint64", list: "uint64Data" },
  { code: 14, name: "complex64", bits: 64 },
  { code: 15, name: "complex128", bits: 128 },
  { code: 16, name: "bfloat16", bits: 16, dtype: "bfloat16", list: "int32Data" },
  { code: 17, name: "float8e4m3fn", bits: 8 },
  { code: 18, name: "float8e4m3fnuz", bits: 8 },
  { code: 19, name: "float8e5m2", bits: 8 },
  { code: 20, name: "float8e5m2fnuz", bits: 8 },
  { code: 21, name: "uint4", bits: 4 },
  { code: 22, name: "int4", bits: 4 },
  { code: 23, name: "float4e2m1", bits: 4 },
  { code: 24, name: "float8e8m0", bits: 8 },
  { code: 25, name: "uint2", bits: 2 },
  { code: 26, name: "int2", bits: 2 },
];

/** Element types of numbers that weights are computed with, by name. */
export const floatTypes: ReadonlySet<string> = new Set(["float32", "float16", "bfloat16", "float64"]);

const byCode = new Map(types.map((type) => [type.code, type]));
const byDType = new Map(types.flatMap((type) => (type.dtype ? [[type.dtype, type] as const] : [])));

/** The type of a TensorProto.DataType code; undefined for a code this version of ONNX does not have. */
export function onnxType(code: number): OnnxType | undefined {
  return byCode.get(code);
}

/** The ONNX type of a computable one. */
export function onnxTypeOf(dtype: DType): OnnxType {
  return byDType.get(dtype)!;
}

/** Name of a data type code for people; `type 99` for one that is not known. */
export function typeName(code: number): string {
  return byCode.get(code)?.name ?? `type ${code}`;
}
