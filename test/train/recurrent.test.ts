import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { AttributeProtoSchema, AttributeProto_AttributeType as AttributeType } from "onnx-buf";
import { uniform } from "../../src/data/random.js";
import { makeTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { tensorOfNumbers } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { bindShapes, prepareModel } from "../../src/train/prepare.js";
import { floats, makeModel, type Value } from "../onnx-model.js";
import { runBound, runModel, worstDifference } from "./bound-model.js";

const none = () => {
  throw new Error("nothing lies elsewhere");
};
const [steps, batch, width, hidden] = [4, 3, 5, 6];

interface Case {
  readonly opType: "LSTM" | "GRU" | "RNN";
  readonly direction?: "forward" | "reverse" | "bidirectional";
  readonly bias?: boolean;
  readonly initial?: boolean;
  readonly before?: number;
  readonly activations?: readonly string[];
  readonly lengths?: readonly number[];
  readonly steps?: number;
}

function layer(one: Case) {
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[one.opType];
  const directions = one.direction === "bidirectional" ? 2 : 1;
  const length = one.steps ?? steps;
  const state = [directions, batch, hidden];
  const isLstm = one.opType === "LSTM";
  const inputs = ["x", "w", "r", one.bias ? "b" : "", one.lengths ? "lengths" : "", one.initial ? "h0" : ""];
  if (isLstm && one.initial) inputs.push("c0");
  const outputs = ["y", "yh", ...(isLstm ? ["yc"] : [])];
  const attributes: Record<string, number | string> = { hidden_size: hidden, direction: one.direction ?? "forward" };
  if (one.before) attributes["linear_before_reset"] = one.before;
  const node = makeNode(one.opType, "layer", inputs, outputs, attributes);
  if (one.activations) {
    const strings = one.activations.map((name) => new TextEncoder().encode(name));
    node.attribute.push(create(AttributeProtoSchema, { name: "activations", type: AttributeType.STRINGS, strings }));
  }
  const rank = (name: string): Value => [
    name,
    "float32",
    name === "y" ? [null, null, null, null].map((_, at) => `y${at}`) : ["a", "b", "c"].map((axis) => name + axis),
  ];
  return makeModel({
    opset: 14,
    inputs: [
      ["x", "float32", [length, batch, width]],
      ...(one.initial ? ["h0", ...(isLstm ? ["c0"] : [])].map((name): Value => [name, "float32", state]) : []),
    ],
    outputs: outputs.map(rank),
    nodes: [node],
    initializers: [
      floats("w", [directions, gates * hidden, width]),
      floats("r", [directions, gates * hidden, hidden]),
      ...(one.bias ? [floats("b", [directions, 2 * gates * hidden])] : []),
      ...(one.lengths
        ? [makeTensor("lengths", { dtype: "int32", shape: [batch], data: Int32Array.from(one.lengths) })]
        : []),
    ],
  });
}

const cases: readonly Case[] = (["LSTM", "GRU", "RNN"] as const).flatMap((opType) => [
  { opType },
  { opType, bias: true, initial: true },
  { opType, direction: "reverse", bias: true },
  { opType, direction: "bidirectional", bias: true, initial: true },
  { opType, bias: true, steps: 1, lengths: [1, 1, 1] },
]);

describe("recurrent layers, unrolled", () => {
  test.each([
    ...cases,
    { opType: "GRU", bias: true, initial: true, before: 1 },
    { opType: "GRU", before: 1, direction: "bidirectional" },
    { opType: "LSTM", bias: true, activations: ["Sigmoid", "Relu", "Tanh"] },
    { opType: "RNN", activations: ["Relu"] },
  ] as readonly Case[])("$opType $direction bias $bias, initial states $initial, before $before", async (one) => {
    const model = layer(one);
    const next = uniform(3);
    const feeds = new Map<string, Tensor>(
      model.graph!.input.map(({ name, type }) => {
        const dims = type!.value.case === "tensorType" ? type!.value.value.shape!.dim : [];
        return [
          name,
          tensorOfNumbers(
            "float32",
            dims.map(({ value }) => Number(value.value)),
            () => next() * 2 - 1,
          ),
        ];
      }),
    );
    const trainable = prepareModel(model, none, { name: "m", frozen: [], batchNorm: "frozen" });
    const graph = await bindShapes(trainable, feeds);
    expect(graph.nodes.some(({ opType }) => opType === one.opType)).toBe(false);
    expect(worstDifference(await runModel(model, feeds), await runBound(graph, trainable, feeds))).toBeLessThan(1e-6);
  });

  test("a sequence of more steps than can be unrolled is refused with both lengths", async () => {
    const model = layer({ opType: "GRU", steps: 2049 });
    const trainable = prepareModel(model, none, { name: "m", frozen: [], batchNorm: "frozen" });
    const feeds = new Map([["x", tensorOfNumbers("float32", [2049, batch, width], () => 0.5)]]);
    await expect(bindShapes(trainable, feeds)).rejects.toThrow(
      "node layer (GRU): cannot be trained: its sequence has 2049 steps, at most 2048 can be unrolled; train on shorter samples",
    );
  });

  test("what would be another computation is refused by name", async () => {
    const model = layer({ opType: "LSTM", lengths: [4, 2, 3] });
    const trainable = prepareModel(model, none, { name: "m", frozen: [], batchNorm: "frozen" });
    const feeds = new Map([["x", tensorOfNumbers("float32", [steps, batch, width], () => 0.5)]]);
    await expect(bindShapes(trainable, feeds)).rejects.toThrow(
      "node layer (LSTM): cannot be trained: its sequences differ in length",
    );
  });
});
