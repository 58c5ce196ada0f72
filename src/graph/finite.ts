import { type ModelProto, type ReadExternal, readTensor, type TensorProto, tensorInfo } from "../formats/onnx.js";
import { viewModel } from "./scope.js";

/** An initializer that holds values that are no finite numbers. */
export interface NonFinite {
  readonly name: string;
  /** The graph that holds it: `main` or the way to a nested graph. */
  readonly graph: string;
  readonly nans: number;
  readonly infinities: number;
  /** Place of the first of them, counted in row-major order. */
  readonly first: number;
}

/**
 * Looks for NaN and infinities in the float initializers that `isLookedAt` picks (constants such as attention masks
 * hold infinities on purpose). Reads them one at a time.
 */
export function nonFiniteTensors(
  model: ModelProto,
  readExternal: ReadExternal,
  isLookedAt: (name: string, graph: string) => boolean = () => true,
): NonFinite[] {
  return viewModel(model).scopes.flatMap(({ path, initializers }) =>
    [...initializers.values()].flatMap((tensor) => {
      if (!/^(b?float16|float32|float64)$/.test(tensorInfo(tensor).type) || !isLookedAt(tensor.name, path)) return [];
      const counted = countNonFinite(tensor, readExternal);
      return counted.first < 0 ? [] : [{ name: tensor.name, graph: path, ...counted }];
    }),
  );
}

/** One line for people. */
export function nonFiniteWords({ name, nans, infinities, first }: NonFinite): string {
  const kinds = [nans > 0 ? `${nans} NaN` : "", infinities > 0 ? `${infinities} infinite` : ""].filter(Boolean);
  return `tensor ${name} holds ${kinds.join(" and ")} value${nans + infinities > 1 ? "s" : ""}, the first at index ${first}`;
}

function countNonFinite(tensor: TensorProto, readExternal: ReadExternal) {
  const { dtype, data } = readTensor(tensor, readExternal);
  let [nans, infinities, first] = [0, 0, -1];
  const found = (at: number, isNan: boolean) => {
    if (first < 0) first = at;
    if (isNan) nans += 1;
    else infinities += 1;
  };
  if (data instanceof Uint16Array) {
    // bit patterns: all exponent bits set, and a fraction for NaN
    const exponent = dtype === "float16" ? 0x7c00 : 0x7f80;
    for (let at = 0; at < data.length; at++) {
      const bits = data[at]! & 0x7fff;
      if (bits >= exponent) found(at, bits > exponent);
    }
  } else {
    const floats = data as Float32Array;
    // x - x is NaN for exactly those that are not finite
    for (let at = 0; at < floats.length; at++) {
      if (floats[at]! - floats[at]! !== 0) found(at, Number.isNaN(floats[at]!));
    }
  }
  return { nans, infinities, first };
}
