// Long because it is a table of operators, one row for each form they come in.
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  OperatorSetIdProtoSchema,
} from "onnx-buf";
import { uniform } from "../../src/data/random.js";
import { makeTensor, type TensorProto } from "../../src/formats/onnx.js";
import { type AttributeValue, makeNode } from "../../src/graph/node.js";
import { type DType, elementCount, type Tensor, typedArrays } from "../../src/tensor/tensor.js";
import { bindShapes, prepareModel } from "../../src/train/prepare.js";
import { floats, makeModel, type Value } from "../onnx-model.js";
import { runBound, runModel, worstDifference } from "./bound-model.js";
import { checkGradients } from "./gradient-check.js";

const none = () => {
  throw new Error("nothing lies elsewhere");
};

/** An operator on inputs and weights. */
interface Case {
  readonly title: string;
  readonly opType: string;
  readonly domain?: string;
  readonly opset?: number;
  /** In their order; "" is left out. */
  readonly inputs: readonly string[];
  readonly fed: Readonly<Record<string, readonly number[] | Tensor>>;
  readonly held?: readonly TensorProto[];
  readonly outputs?: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly parameters?: Readonly<Record<string, number>>;
}

const whole = (dtype: DType, shape: readonly number[], values: readonly number[]): Tensor => {
  const Wide = typedArrays[dtype as "int32"];
  const data = dtype === "int64" ? BigInt64Array.from(values.map(BigInt)) : Wide.from(values);
  return { dtype, shape, data };
};
const angles = (kind: "cos" | "sin", half: number) =>
  floats(
    kind,
    [16, half],
    Array.from({ length: 16 * half }, (_, at) => Math[kind](Math.floor(at / half) / 10 ** (at % half))),
  );

const [batch, length, width] = [2, 5, 12];
const x = [batch, length, width];

const cases: readonly Case[] = [
  { title: "BiasGelu", opType: "BiasGelu", inputs: ["x", "b"], fed: { x }, held: [floats("b", [width])] },
  { title: "FastGelu", opType: "FastGelu", inputs: ["x", "b"], fed: { x }, held: [floats("b", [width])] },
  { title: "QuickGelu", opType: "QuickGelu", inputs: ["x"], fed: { x } },
  {
    title: "SkipLayerNormalization",
    opType: "SkipLayerNormalization",
    inputs: ["x", "skip", "g", "b", "bias"],
    fed: { x, skip: x },
    held: [floats("g", [width]), floats("b", [width]), floats("bias", [width])],
    outputs: ["y", "", "", "sum"],
    parameters: { epsilon: 1e-5 },
  },
  {
    title: "SkipSimplifiedLayerNormalization",
    opType: "SkipSimplifiedLayerNormalization",
    inputs: ["x", "skip", "g"],
    fed: { x, skip: x },
    held: [floats("g", [width])],
    outputs: ["y", "", "", "sum"],
    parameters: { epsilon: 1e-5 },
  },
  ...["Relu", "LeakyRelu", "HardSigmoid"].map((activation) => ({
    title: `FusedConv ${activation}`,
    opType: "FusedConv",
    inputs: ["x", "w", "b"],
    fed: { x: [2, 3, 7, 7] },
    held: [floats("w", [4, 3, 3, 3]), floats("b", [4])],
    attributes: { activation, strides: [2, 2], pads: [1, 0, 1, 0] },
  })),
  {
    title: "FusedGemm",
    opType: "FusedGemm",
    inputs: ["x", "w", "b"],
    fed: { x: [3, width] },
    held: [floats("w", [4, width]), floats("b", [4])],
    attributes: { activation: "Relu", transB: 1 },
  },
  { title: "Attention", opType: "Attention", inputs: ["x", "w", "b"], fed: { x } },
  {
    title: "Attention, causal",
    opType: "Attention",
    inputs: ["x", "w", "b"],
    fed: { x },
    attributes: { unidirectional: 1 },
  },
  {
    title: "Attention, mask of positions",
    opType: "Attention",
    inputs: ["x", "w", "b", "mask"],
    fed: { x, mask: whole("int32", [batch, length], [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]) },
  },
  {
    title: "Attention, mask of lengths",
    opType: "Attention",
    inputs: ["x", "w", "b", "mask"],
    fed: { x, mask: whole("int32", [batch], [3, 5]) },
  },
  {
    title: "Attention, added to its scores",
    opType: "Attention",
    inputs: ["x", "w", "b", "", "", "added"],
    fed: { x, added: [batch, 3, length, length] },
  },
  {
    title: "Attention, going on from a past",
    opType: "Attention",
    inputs: ["x", "w", "b", "", "past"],
    fed: { x, past: [2, batch, 3, 2, 4] },
    outputs: ["y", "present"],
    attributes: { unidirectional: 1 },
  },
].map((one): Case => (one.opType === "Attention" ? withHeads(one) : one));

function withHeads(one: Case): Case {
  return {
    ...one,
    held: [floats("w", [width, 3 * width]), floats("b", [3 * width])],
    attributes: { num_heads: 3, ...one.attributes },
  };
}

interface GroupQuery {
  readonly rows?: number;
  readonly length?: number;
  /** Of the past. */
  readonly slots?: number;
  /** Of each sequence, what is new counted in. */
  readonly lengths: readonly number[];
  readonly rotary?: boolean;
  readonly positions?: readonly number[];
  readonly added?: readonly number[];
  readonly sink?: boolean;
  readonly attributes?: Readonly<Record<string, number>>;
  readonly parameters?: Readonly<Record<string, number>>;
}

/** Queries of 4 heads, keys and values of 2, each of 16. */
function groupQuery(title: string, how: GroupQuery): Case {
  const { rows = 2, length = 5, slots = 0, lengths, rotary = true, positions, added, sink } = how;
  const past = slots > 0 ? { pk: [rows, 2, slots, 16], pv: [rows, 2, slots, 16] } : {};
  const inputs = ["q", "k", "v", slots ? "pk" : "", slots ? "pv" : "", "ends", "total"];
  inputs.push(
    rotary ? "cos" : "",
    rotary ? "sin" : "",
    positions ? "at" : "",
    added ? "added" : "",
    sink ? "sink" : "",
  );
  return {
    title: `GroupQueryAttention, ${title}`,
    opType: "GroupQueryAttention",
    inputs: inputs.slice(0, inputs.findLastIndex((name) => name !== "") + 1),
    fed: {
      ...{ q: [rows, length, 64], k: [rows, length, 32], v: [rows, length, 32], ...past },
      ends: whole(
        "int32",
        [rows],
        lengths.map((one) => one - 1),
      ),
      total: whole("int32", [1], [Math.max(...lengths)]),
      ...(positions ? { at: whole("int64", [rows, length], positions) } : {}),
      ...(added ? { added } : {}),
    },
    held: [...(rotary ? [angles("cos", 8), angles("sin", 8)] : []), ...(sink ? [floats("sink", [4])] : [])],
    outputs: ["y", "nk", "nv"],
    attributes: { num_heads: 4, kv_num_heads: 2, ...(rotary ? { do_rotary: 1 } : {}), ...how.attributes },
    ...(how.parameters ? { parameters: how.parameters } : {}),
  };
}

const grouped: readonly Case[] = [
  groupQuery("a prompt", { lengths: [5, 5] }),
  groupQuery("prompts of different lengths", { lengths: [3, 5] }),
  // which the runtime does not look at
  groupQuery("a prompt with positions", { rows: 1, lengths: [5], positions: [0, 1, 3, 3, 6] }),
  groupQuery("a prompt in slots for more", { slots: 8, lengths: [5, 5] }),
  groupQuery("one more", { length: 1, slots: 4, lengths: [5, 5] }),
  groupQuery("one more for each of different lengths", { length: 1, slots: 4, lengths: [3, 5] }),
  groupQuery("one more in slots for more", { length: 1, slots: 8, lengths: [3, 5] }),
  groupQuery("one more with positions", { length: 1, slots: 4, lengths: [3, 5], positions: [5, 1] }),
  groupQuery("some more", { rows: 1, length: 3, slots: 4, lengths: [7] }),
  groupQuery("some more behind a past that was not full", { rows: 1, length: 3, slots: 4, lengths: [6] }),
  groupQuery("scores with something added and a past", { length: 1, slots: 4, lengths: [3, 5], added: [2, 4, 1, 5] }),
  groupQuery("capped scores with something added", {
    ...{ rotary: false, lengths: [5, 5], added: [1, 1, 5, 5], parameters: { softcap: 0.5 } },
  }),
  groupQuery("a window", { rotary: false, lengths: [5, 5], attributes: { local_window_size: 2 } }),
  groupQuery("a window and a past", { length: 1, slots: 4, lengths: [4, 5], attributes: { local_window_size: 2 } }),
  groupQuery("a smooth softmax", { lengths: [5, 5], attributes: { smooth_softmax: 1 } }),
  groupQuery("a sink", { lengths: [5, 5], sink: true }),
];

const others: readonly Case[] = [
  {
    title: "MultiHeadAttention over other positions",
    opType: "MultiHeadAttention",
    inputs: ["q", "k", "v", "b", "mask", "added"],
    fed: {
      q: x,
      k: [batch, 7, width],
      v: [batch, 7, width],
      mask: whole("int32", [batch, 7], [1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]),
      added: [1, 3, length, 7],
    },
    held: [floats("b", [3 * width])],
    attributes: { num_heads: 3 },
  },
  {
    title: "MultiHeadAttention with its own scale and past",
    opType: "MultiHeadAttention",
    inputs: ["q", "k", "v", "", "", "", "pk", "pv"],
    fed: { q: x, k: x, v: x, pk: [batch, 3, 2, 4], pv: [batch, 3, 2, 4] },
    outputs: ["y", "nk", "nv"],
    attributes: { num_heads: 3, unidirectional: 1 },
    parameters: { scale: 0.3 },
  },
  ...[0, 1].map(
    (interleaved): Case => ({
      title: `RotaryEmbedding, interleaved ${interleaved}`,
      opType: "RotaryEmbedding",
      inputs: ["x", "at", "cos", "sin"],
      fed: { x, at: whole("int64", [batch, length], [0, 1, 2, 3, 4, 3, 4, 5, 6, 7]) },
      held: [angles("cos", 3), angles("sin", 3)],
      attributes: { interleaved },
    }),
  ),
  {
    title: "RotaryEmbedding from a position on, heads as an axis",
    opType: "RotaryEmbedding",
    inputs: ["x", "at", "cos", "sin"],
    fed: { x: [batch, 3, length, 4], at: whole("int64", [1], [2]) },
    held: [angles("cos", 2), angles("sin", 2)],
  },
  ...grouped,
  {
    title: "GroupNormalization of opset 18",
    opType: "GroupNormalization",
    domain: "",
    opset: 18,
    inputs: ["x", "g", "b"],
    fed: { x: [2, 6, 3, 4] },
    held: [floats("g", [3]), floats("b", [3])],
    attributes: { num_groups: 3 },
  },
  {
    title: "EmbedLayerNormalization",
    opType: "EmbedLayerNormalization",
    inputs: ["ids", "kinds", "words", "places", "types", "g", "b"],
    fed: { ids: whole("int32", [2, 3], [1, 5, 2, 0, 3, 1]), kinds: whole("int32", [2, 3], [0, 1, 1, 0, 0, 1]) },
    held: [
      floats("words", [7, 8]),
      floats("places", [4, 8]),
      floats("types", [2, 8]),
      floats("g", [8]),
      floats("b", [8]),
    ],
    outputs: ["y", ""],
    parameters: { epsilon: 1e-5 },
  },
  {
    title: "Attention of ONNX 23",
    opType: "Attention",
    domain: "",
    opset: 23,
    inputs: ["q", "k", "v", "mask"],
    fed: { q: [batch, length, 12], k: [batch, length, 6], v: [batch, length, 6], mask: [length, length] },
    attributes: { q_num_heads: 4, kv_num_heads: 2, is_causal: 1 },
  },
  ...[0, 1].map(
    (interleaved): Case => ({
      title: `RotaryEmbedding of ONNX 23, interleaved ${interleaved}`,
      opType: "RotaryEmbedding",
      domain: "",
      opset: 23,
      inputs: ["x", "cos", "sin", "at"],
      fed: { x, at: whole("int64", [batch, length], [0, 1, 2, 3, 4, 3, 4, 5, 6, 7]) },
      held: [angles("cos", 2), angles("sin", 2)],
      attributes: { interleaved, num_heads: 3 },
    }),
  ),
  {
    title: "RotaryEmbedding of ONNX 23, tables for each place, part of each head",
    opType: "RotaryEmbedding",
    domain: "",
    opset: 23,
    inputs: ["x", "cos", "sin"],
    fed: { x: [batch, 3, length, 4], cos: [batch, length, 1], sin: [batch, length, 1] },
    attributes: { rotary_embedding_dim: 2 },
  },
  { title: "Swish", opType: "Swish", domain: "", opset: 24, inputs: ["x"], fed: { x }, parameters: { alpha: 1.3 } },
  {
    title: "LRN",
    opType: "LRN",
    domain: "",
    inputs: ["x"],
    fed: { x: [2, 5, 3, 4] },
    attributes: { size: 3 },
    parameters: { alpha: 0.6, beta: 0.7, bias: 1.2 },
  },
  {
    title: "MeanVarianceNormalization",
    opType: "MeanVarianceNormalization",
    domain: "",
    inputs: ["x"],
    fed: { x: [2, 3, 3, 4] },
  },
  {
    title: "RMSNormalization",
    opType: "RMSNormalization",
    domain: "",
    opset: 23,
    inputs: ["x", "g"],
    fed: { x },
    held: [floats("g", [width])],
  },
];

describe("operators known by their parts", () => {
  test.each([...cases, ...others])("$title", async (one) => {
    const outputs = one.outputs ?? ["y"];
    const node = makeNode(one.opType, "op", one.inputs, outputs, one.attributes);
    node.domain = one.domain ?? "com.microsoft";
    for (const [name, f] of Object.entries(one.parameters ?? {})) {
      node.attribute.push(create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f }));
    }
    if (one.title.startsWith("FusedConv") && one.attributes!["activation"] !== "Relu") {
      const floats = one.attributes!["activation"] === "LeakyRelu" ? [0.2] : [0.3, 0.4];
      node.attribute.push(
        create(AttributeProtoSchema, { name: "activation_params", type: AttributeType.FLOATS, floats }),
      );
    }
    const next = uniform(5);
    const feeds = new Map<string, Tensor>(
      Object.entries(one.fed).map(([name, given]) => {
        if ("dtype" in given) return [name, given];
        const data = Float32Array.from({ length: elementCount(given) }, () => next() * 2 - 1);
        return [name, { dtype: "float32", shape: given, data }];
      }),
    );
    // a weight before each, so that there is something to train and gradients of all are met
    const turned = [...feeds].filter(([, { dtype, shape }]) => dtype === "float32" && shape.length > 1);
    const turns = turned.map(([name]) =>
      makeNode("MatMul", `turn ${name}`, [name, `${name} turn`], [`${name} turned`]),
    );
    const isTurned = new Set(turned.map(([name]) => name));
    node.input = node.input.map((name) => (isTurned.has(name) ? `${name} turned` : name));
    const bend = makeNode("PRelu", "bend", ["y", "slope"], ["z"]);
    const model = makeModel({
      opset: one.opset ?? 17,
      ir: 10,
      inputs: [...feeds].map(([name, { dtype, shape }]): Value => [name, dtype, shape]),
      outputs: ["z", ...outputs.filter((name) => name && name !== "y")].map(
        (name): Value => [name, "float32", rankOf(name, one)],
      ),
      nodes: [...turns, node, bend],
      initializers: [
        ...(one.held ?? []),
        makeTensor("slope", { dtype: "float32", shape: [1], data: Float32Array.of(0.3) }),
        ...turned.map(([name, { shape }]) => makeTensor(`${name} turn`, identity(shape.at(-1)!))),
      ],
    });
    model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "com.microsoft", version: 1n }));
    const trainable = prepareModel(model, none, { name: "m", frozen: [], batchNorm: "frozen" });
    for (const { name } of one.held ?? []) {
      // tables of angles are none
      expect([name, trainable.parameters.has(name)]).toEqual([name, name !== "cos" && name !== "sin"]);
    }
    const graph = await bindShapes(trainable, feeds);
    expect(graph.nodes.some(({ opType, domain }) => domain !== "" && opType !== "FusedMatMul")).toBe(false);
    expect(worstDifference(await runModel(model, feeds), await runBound(graph, trainable, feeds))).toBeLessThan(2e-5);
    const { precise } = await checkGradients("m", model, feeds, { precision: "float64" });
    // a prompt does not look at the past it could write into
    const unread = one.title.endsWith("a prompt in slots for more") ? 2 : 0;
    expect(precise).toHaveLength(trainable.parameters.size - unread);
    for (const { name, error, single } of precise) {
      expect({ name, error, isNear: error < 1e-5 && single! < 1e-4 }).toEqual({ name, error, isNear: true });
    }
  });
});

function identity(size: number): Tensor {
  const data = Float32Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 1 : 0));
  return { dtype: "float32", shape: [size, size], data };
}

/** Shapes are the runtime's to find. */
function rankOf(name: string, { opType, domain, fed }: Case): string[] {
  const rank =
    name === "present"
      ? 5
      : name === "nk" || name === "nv"
        ? 4
        : opType === "RotaryEmbedding"
          ? (fed["x"] as number[]).length
          : ["FusedConv", "GroupNormalization", "LRN", "MeanVarianceNormalization"].includes(opType)
            ? 4
            : opType === "FusedGemm"
              ? 2
              : 3;
  return Array.from({ length: rank }, (_, at) => `${domain ?? ""}${name}${at}`);
}
