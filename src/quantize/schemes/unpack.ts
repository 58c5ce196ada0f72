import { makeTensor } from "../../formats/onnx.js";
import { makeNode } from "../../graph/node.js";
import type { Scheme } from "../scheme.js";
import { channelAxis } from "../sites.js";

/**
 * Unpacked at load: Cast and Mul turn the integers back into floats. Unlike DequantizeLinear, runtimes fold these two
 * while they load a model, so that it runs exactly as fast as with float weights, without any session option.
 */
export const unpack: Scheme = {
  id: "unpack",
  words: "unpacked to floats once, at load (Cast, Mul)",
  plan(site) {
    const axis = channelAxis(site);
    if (typeof axis === "string") return axis;
    const { shape, elements } = site.info;
    return {
      form: { bits: 8, signed: true, symmetric: true, granularity: "channel", axis },
      bytesAfter: elements + shape[axis]! * 4,
    };
  },
  apply({ scope, tensor, info: { name } }, { form }, { values, shape, scales }, edit) {
    const integers = makeTensor(edit.fresh(`${name}_quantized`), { dtype: "int8", shape, data: values });
    // scales stretch along the channel axis
    const scaleShape = shape.map((size, at) => (at === form.axis ? size : 1));
    const scale = makeTensor(edit.fresh(`${name}_scale`), { dtype: "float32", shape: scaleShape, data: scales });
    edit.drop(scope, tensor);
    edit.add(scope, integers);
    edit.add(scope, scale);
    const unscaled = edit.fresh(`${name}_unscaled`);
    edit.prepend(
      scope,
      makeNode("Cast", edit.fresh(`${name}_cast`), [integers.name], [unscaled], { to: 1 }),
      makeNode("Mul", edit.fresh(`${name}_unpack`), [unscaled, scale.name], [name]),
    );
    return integers;
  },
};
