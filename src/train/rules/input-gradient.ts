import type { GraphBuilder, Value } from "../../graph/builder.js";
import { type ConvGeometry, convAttributes, rest } from "./geometry.js";

/** The gradient of a convolution's input: g [N, Cout, small...], w [Cout, Cin / group, kernel...] -> [N, Cin, large...]. */
export type InputForm = (b: GraphBuilder, g: Value, w: Value, geometry: ConvGeometry) => Value;

/** The input gradient, in the form that is fastest for the geometry. */
export const inputGradient: InputForm = (b, g, w, geometry) => transposedForm(b, g, w, geometry);

/** Any geometry; weights lie as they must. */
export const transposedForm: InputForm = (b, g, w, geometry) => {
  const shape = [g.shape[0]!, w.shape[1]! * geometry.group, ...geometry.large];
  const attributes = { ...convAttributes(geometry, geometry.group), output_padding: rest(geometry) };
  return b.op("ConvTranspose", [g, w], { dtype: g.dtype, shape }, attributes);
};
