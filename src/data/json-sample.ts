import { UserError } from "../errors.js";
import { halfBits } from "../tensor/numbers.js";
import { type DType, elementCount, formatShape, type Tensor, type TensorData, typedArrays } from "../tensor/tensor.js";
import type { Batch, DeclaredInput } from "./batch.js";

/** Deeper nesting is no tensor any more. */
const maxRank = 16;

/**
 * Reads one sample from JSON: `{"x": [[1, 2]], "y": {"dtype": "int64", "shape": [1], "data": [7]}}`. Plain nested lists
 * take the dtype of the model's input; a model of one input also takes the list alone. `where` names the line in errors.
 */
export function parseJsonSample(text: string, inputs: readonly DeclaredInput[], where: string): Batch {
  return sampleOf(parsed(text, where), inputs, where);
}

/** The samples of a JSON file. */
export interface JsonSamples {
  readonly count: number;
  nameOf(at: number): string;
  read(at: number): Batch;
}

/**
 * Reads the samples of a whole JSON file: one as {@link parseJsonSample} takes it, or a list of objects, one a sample.
 * A list without objects is the value of the model's only input. `where` names the file.
 */
export function parseJsonSamples(text: string, inputs: readonly DeclaredInput[], where: string): JsonSamples {
  const data = parsed(text, where);
  if (!Array.isArray(data) || (data.length > 0 && !data.some(isObject))) {
    return { count: 1, nameOf: () => where, read: () => sampleOf(data, inputs, where) };
  }
  const nameOf = (at: number) => `${where}[${at}]`;
  return { count: data.length, nameOf, read: (at) => namedValues(data[at], inputs, nameOf(at)) };
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${where}: is not JSON: ${(error as Error).message}`);
  }
}

function sampleOf(data: unknown, inputs: readonly DeclaredInput[], where: string): Batch {
  const alone = Array.isArray(data) && inputs.length === 1;
  return namedValues(alone ? { [inputs[0]!.name]: data } : data, inputs, where);
}

function namedValues(data: unknown, inputs: readonly DeclaredInput[], where: string): Batch {
  if (!isObject(data)) {
    const example = `{"${inputs[0]?.name ?? "x"}": [[1, 2]]}`;
    throw new UserError(`${where}: is no object of input names and values, such as ${example}`);
  }
  return new Map(
    Object.entries(data).map(([name, value]) => {
      const place = `${where}: "${name}"`;
      const dtype = inputs.find((input) => input.name === name)?.dtype ?? "float32";
      return [name, isObject(value) ? described(value, place) : nested(value, dtype, place)];
    }),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function described(value: Record<string, unknown>, place: string): Tensor {
  const { dtype, shape, data } = value;
  if (!Array.isArray(shape) || !Array.isArray(data) || typeof dtype !== "string") {
    throw new UserError(`${place}: must be nested lists of numbers, or {"dtype": ..., "shape": [...], "data": [...]}`);
  }
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new UserError(`${place}: shape ${JSON.stringify(shape).slice(0, 80)} is not a list of sizes`);
  }
  if (dtype !== "string" && (!Object.hasOwn(typedArrays, dtype) || dtype === "bfloat16")) {
    throw new UserError(`${place}: dtype ${JSON.stringify(dtype).slice(0, 40)} is not known; float32 and int64 are`);
  }
  const elements = elementCount(shape);
  if (elements !== data.length) {
    throw new UserError(
      `${place}: shape ${formatShape(shape)} holds ${elements} elements, but data has ${data.length}`,
    );
  }
  return tensorOf(data, shape, dtype as DType, place);
}

function nested(value: unknown, dtype: DType, place: string): Tensor {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) {
    if (shape.length === maxRank) throw new UserError(`${place}: is nested more than ${maxRank} deep`);
    shape.push(inner.length);
  }
  const flat: unknown[] = [];
  const gather = (part: unknown, axis: number) => {
    if (axis === shape.length) return flat.push(part);
    if (!Array.isArray(part) || part.length !== shape[axis]) {
      const found = Array.isArray(part) ? `a list of ${part.length}` : "no list";
      throw new UserError(
        `${place}: the lists of axis ${axis} differ: one has ${shape[axis]} elements, another is ${found}`,
      );
    }
    for (const inner of part) gather(inner, axis + 1);
    return undefined;
  };
  gather(value, 0);
  return tensorOf(flat, shape, dtype, place);
}

function tensorOf(values: readonly unknown[], shape: readonly number[], dtype: DType, place: string): Tensor {
  if (dtype === "string") {
    const odd = values.find((value) => typeof value !== "string");
    if (odd !== undefined) throw new UserError(`${place}: ${JSON.stringify(odd).slice(0, 40)} is no text`);
    return { dtype, shape, data: values as readonly string[] };
  }
  if (dtype === "bfloat16") throw new UserError(`${place}: bfloat16 cannot be read from JSON`);
  const data = new typedArrays[dtype](values.length);
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array;
  values.forEach((value, at) => {
    const number = typeof value === "boolean" ? Number(value) : value;
    if (typeof number === "number" && !dtype.startsWith("float")) {
      data[at] = big ? (Number.isSafeInteger(number) ? BigInt(number) : 0n) : number;
      // read back: a fraction or a number out of range is another one now
      if (Number(data[at]) === number && (dtype !== "bool" || number <= 1)) return;
    } else if (typeof number === "number" && Number.isFinite(number)) {
      data[at] = dtype === "float16" ? halfBits(number) : number;
      return;
    }
    throw new UserError(`${place}: ${(JSON.stringify(value) ?? "nothing").slice(0, 40)} is no ${dtype}`);
  });
  return { dtype, shape, data: data as TensorData };
}
