// The OCR model without some of its layers: values after a layer are replaced by those before it.
import { decodeModel, encodeModel, type ModelProto, tensorInfo, tensorsOf } from "../../../../src/formats/onnx.js";

/** Where a layer ends and where it starts, by value names of ch_PP-OCRv4_rec_infer.onnx. */
const layers: readonly (readonly [end: string, start: string])[] = [
  // depthwise 5x5 and 1x1 convolutions of 240 channels: two of four
  ["p2o.Add.127", "p2o.Add.111"],
  ["p2o.Add.159", "p2o.Add.143"],
  // the same of 480 channels, where the height stays: one with squeeze-and-excitation, one without
  ["p2o.Add.199", "p2o.Add.179"],
  ["p2o.Add.231", "p2o.Add.215"],
  // the second block of attention
  ["p2o.Add.271", "p2o.Add.251"],
];

/** A copy of the file without these layers, and how many weights it has of how many. */
export function ocrStudent(bytes: Uint8Array<ArrayBuffer>): {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly weights: number;
  readonly of: number;
} {
  const model = decodeModel(bytes, "the OCR model");
  const of = weightsOf(model);
  const graph = model.graph!;
  const before = new Map(layers);
  const source = (name: string): string => (before.has(name) ? source(before.get(name)!) : name);
  const made = new Set(graph.node.flatMap(({ output }) => output));
  for (const name of layers.flat()) if (!made.has(name)) throw new Error(`the OCR model has no value ${name}`);
  for (const node of graph.node) node.input = node.input.map(source);
  // whatever nothing reads any more, from the end on
  const read = new Set(graph.output.map(({ name }) => name));
  graph.node = graph.node
    .toReversed()
    .filter((node) => {
      const isRead = node.output.some((name) => read.has(name));
      if (isRead) for (const name of node.input) read.add(name);
      return isRead;
    })
    .reverse();
  graph.initializer = graph.initializer.filter(({ name }) => read.has(name));
  return { bytes: encodeModel(model), weights: weightsOf(model), of };
}

/** Elements of all float32 tensors but single numbers, those in Constant nodes too. */
export function weightsOf(model: ModelProto): number {
  let count = 0;
  for (const tensor of tensorsOf(model.graph!)) {
    const { type, elements } = tensorInfo(tensor);
    if (type === "float32" && elements > 1) count += elements;
  }
  return count;
}
