import { type ExternalPlace, makeTensor, setExternal, type TensorProto } from "../formats/onnx.js";
import type { Tensor } from "../tensor/tensor.js";

/** Puts bytes away from memory and says where; the model's ReadExternal must give them back from there. */
export type StoreBytes = (bytes: Uint8Array<ArrayBuffer>) => ExternalPlace;

/** From this on, bytes of a new tensor are put away. */
const minStoredBytes = 1 << 20;

/** A new tensor, its bytes put away where they are many and there is a place for them. */
export function storedTensor(name: string, tensor: Tensor, store: StoreBytes | undefined): TensorProto {
  const proto = makeTensor(name, tensor);
  putAway(proto, store);
  return proto;
}

/** Puts the bytes of a tensor that was just made away, where they are many. Changes `tensor`. */
export function putAway(tensor: TensorProto, store: StoreBytes | undefined): void {
  if (!store || tensor.rawData.length < minStoredBytes) return;
  const { length } = tensor.rawData;
  const { location, offset } = store(tensor.rawData);
  setExternal(tensor, location, offset, length);
}
