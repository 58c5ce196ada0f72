import { type ModelProto, makeTensor, type ReadExternal, readTensor, type TensorProto } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import type { ChannelFamily, FamilyPart } from "./channel-families.js";
import { editModel } from "./edit.js";
import { eachProduct } from "./product-layout.js";

/** A constant where a node reads it. */
type Place = Pick<FamilyPart, "node" | "input" | "tensor">;

/** The floats of the constants that families touch, as they stand after the changes so far. */
export interface FamilyWeights {
  of(place: Place): Float32Array;
  /** Divides what makes a family's channels by `factors` and multiplies what reads them. */
  scale(family: ChannelFamily, factors: ArrayLike<number>): void;
  /** Puts the changed constants into the model; its old tensors stay as they are. */
  finish(): void;
}

/** Opens the constants of a model, which must be the one the families were found in. */
export function openFamilyWeights(model: ModelProto, readExternal: ReadExternal): FamilyWeights {
  const view = viewModel(model);
  const read = new Map<string, Float32Array>();
  const changed = new Map<string, Place>();
  // a constant several nodes read has as many versions
  const keyOf = ({ node, input }: Place) => `${input}:${node.output[0]}`;
  const of: FamilyWeights["of"] = (place) => {
    const key = keyOf(place);
    const found = read.get(key) ?? (readTensor(place.tensor, readExternal).data as Float32Array).slice();
    read.set(key, found);
    return found;
  };
  return {
    of,
    scale({ channels, makers, readers }, factors) {
      for (const part of makers) {
        const data = of(part);
        for (let at = 0; at < data.length; at++) {
          data[at] = data[at]! / factors[Math.floor(at / part.inner) % channels]!;
        }
        changed.set(keyOf(part), part);
      }
      for (const reader of readers) {
        const data = of(reader);
        eachProduct(reader, (at, channel) => {
          data[at] = data[at]! * factors[channel]!;
        });
        changed.set(keyOf(reader), reader);
      }
    },
    finish() {
      const edit = editModel(model);
      const replaced = new Set<TensorProto>();
      for (const [key, { node, input, tensor }] of changed) {
        const alone = view.usesOf(view.root, tensor.name).length === 1;
        const name = alone ? tensor.name : edit.fresh(`${tensor.name}_scaled`);
        const data = read.get(key)! as Float32Array<ArrayBuffer>;
        edit.add(view.root, makeTensor(name, { dtype: "float32", shape: tensor.dims.map(Number), data }));
        if (alone) edit.drop(view.root, tensor);
        else replaced.add(tensor);
        node.input[input] = name;
      }
      edit.finish();
      const after = viewModel(model);
      const unread = (tensor: TensorProto) => after.usesOf(after.root, tensor.name).length === 0;
      const gone = new Set([...replaced].filter(unread));
      model.graph!.initializer = model.graph!.initializer.filter((tensor) => !gone.has(tensor));
    },
  };
}
