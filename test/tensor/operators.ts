import { openSession } from "../../src/engine/session.js";
import { encodeModel, type NodeProto } from "../../src/formats/onnx.js";
import type { DType, Tensor } from "../../src/tensor/tensor.js";
import { makeModel, type Value } from "../onnx-model.js";

type Slot = readonly [name: string, dtype: DType, rank: number];

/** Nodes in onnxruntime, as they are written, with all of their inputs given at run time; any shapes of these ranks. */
export async function operator(nodes: readonly NodeProto[], inputs: readonly Slot[], output: Slot, opset = 21) {
  const open = ([name, dtype, rank]: Slot): Value => [
    name,
    dtype,
    Array.from({ length: rank }, (_, axis) => `${name}_${axis}`),
  ];
  const model = makeModel({ inputs: inputs.map(open), outputs: [open(output)], nodes, opset, ir: 10 });
  const session = await openSession(encodeModel(model), { graphOptimization: "disabled" });
  return {
    async run(...given: readonly Tensor[]): Promise<Tensor> {
      const feeds = new Map(given.map((tensor, at) => [inputs[at]![0], tensor]));
      return (await session.run(feeds)).get(output[0])!;
    },
    close: () => session.close(),
  };
}
