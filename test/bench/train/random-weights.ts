import { readFileSync, writeFileSync } from "node:fs";
import { normal } from "../../../src/data/random.js";
import { decodeModel, encodeModel, makeTensor, readTensor } from "../../../src/formats/onnx.js";

/**
 * Writes a model with the graph of another and weights that know nothing: normal by fan-in (He et al., arXiv 1502.01852), the
 * first of two products in a row without the gain of a Relu; biases are 0.
 */
export function writeRandom(from: string, to: string, seed: number): void {
  const model = decodeModel(new Uint8Array(readFileSync(from)), from);
  const next = normal(seed);
  model.graph!.initializer = model.graph!.initializer.map((tensor) => {
    const { dtype, shape, data } = readTensor(tensor, () => {
      throw new Error(`${from}: has external data`);
    });
    if (dtype !== "float32") return tensor;
    const fan = shape.length === 4 ? shape.slice(1).reduce((product, size) => product * size, 1) : shape[0]!;
    const gain = tensor.name.endsWith("_a") ? 1 : 2;
    const values = Float32Array.from({ length: data.length }, () =>
      shape.length < 2 ? 0 : Math.sqrt(gain / fan) * next(),
    );
    return makeTensor(tensor.name, { dtype, shape, data: values });
  });
  writeFileSync(to, encodeModel(model));
}
