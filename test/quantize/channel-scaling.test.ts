import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, type NodeProto, readTensor } from "../../src/formats/onnx.js";
import { cloneModel } from "../../src/graph/clone.js";
import { exposeValues } from "../../src/graph/expose.js";
import { makeNode } from "../../src/graph/node.js";
import { applyPlan } from "../../src/quantize/apply.js";
import { channelFamilies } from "../../src/quantize/channel-families.js";
import { equalise } from "../../src/quantize/equalise.js";
import { planQuantization } from "../../src/quantize/plan.js";
import type { QuantizeSettings } from "../../src/quantize/settings.js";
import { smooth } from "../../src/quantize/smooth.js";
import { startCollecting, type ValueStatistics } from "../../src/quantize/statistics.js";
import { elementCount } from "../../src/tensor/tensor.js";
import { floats, makeModel } from "../onnx-model.js";
import { plainQuantizer } from "../plain-quantizer.js";
import fc from "../property.js";

const noExternal = () => {
  throw new Error("no external data here");
};

interface Row {
  readonly title: string;
  readonly input: readonly number[];
  readonly nodes: readonly NodeProto[];
  readonly weights: Readonly<Record<string, readonly number[]>>;
  /** Outputs of the nodes that make scalable channels. */
  readonly makers: readonly string[];
  readonly outputs?: readonly string[];
}

const matmul = (input: string, weight: string, output: string) => makeNode("MatMul", output, [input, weight], [output]);

const rows: readonly Row[] = [
  {
    title: "LayerNormalization before Q, K and V",
    input: [2, 6, 16],
    nodes: [
      makeNode("LayerNormalization", "n", ["x", "g", "b"], ["n"], { axis: -1 }),
      matmul("n", "wq", "q"),
      matmul("n", "wk", "k"),
      matmul("n", "wv", "y"),
      makeNode("Mul", "m", ["q", "k"], ["z"]),
    ],
    weights: { g: [16], b: [16], wq: [16, 12], wk: [16, 12], wv: [16, 20] },
    makers: ["n"],
    outputs: ["y", "z"],
  },
  {
    title: "LayerNormalization taken apart",
    input: [2, 6, 16],
    nodes: [
      makeNode("Mul", "m", ["x", "g"], ["m"]),
      makeNode("Add", "a", ["m", "b"], ["a"]),
      makeNode("Gemm", "r", ["rows", "w"], ["y"], { transB: 1 }),
      makeNode("Transpose", "t", ["a"], ["t"], { perm: [0, 2, 1] }),
      makeNode("Transpose", "u", ["t"], ["u"], { perm: [0, 2, 1] }),
      matmul("u", "v", "z"),
      makeNode("Identity", "i", ["h"], ["rows"]),
    ].filter(({ opType }) => opType !== "Gemm" && opType !== "Identity"),
    weights: { g: [16], b: [6, 16], v: [16, 8] },
    makers: ["m"],
    outputs: ["z"],
  },
  {
    title: "a gated pair of MatMul",
    input: [3, 16],
    nodes: [
      matmul("x", "up", "u"),
      matmul("x", "gate", "s"),
      makeNode("Sigmoid", "s2", ["s"], ["s2"]),
      makeNode("Mul", "m", ["s2", "u"], ["m"]),
      matmul("m", "down", "y"),
    ],
    weights: { up: [16, 24], gate: [16, 24], down: [24, 5] },
    makers: ["u"],
  },
  {
    title: "Conv, Relu, depthwise Conv, LeakyRelu, Conv",
    input: [1, 3, 10, 10],
    nodes: [
      makeNode("Conv", "c1", ["x", "w1", "b1"], ["c1"]),
      makeNode("Relu", "r", ["c1"], ["r"]),
      makeNode("Conv", "c2", ["r", "w2", "b2"], ["c2"], { group: 8, pads: [1, 1, 1, 1] }),
      makeNode("LeakyRelu", "l", ["c2"], ["l"], { alpha: { float: 0.1 } }),
      makeNode("MaxPool", "p", ["l"], ["p"], { kernel_shape: [2, 2] }),
      makeNode("Conv", "c3", ["p", "w3"], ["y"]),
    ],
    weights: { w1: [8, 3, 3, 3], b1: [8], w2: [8, 1, 3, 3], b2: [8], w3: [4, 8, 1, 1] },
    makers: ["c1", "c2"],
  },
  {
    title: "Gemm, Relu, Gemm both ways round, one bias for two",
    input: [4, 10],
    nodes: [
      makeNode("Gemm", "g1", ["x", "w1", "b"], ["g1"], { transB: 1 }),
      makeNode("Relu", "r", ["g1"], ["r"]),
      makeNode("Gemm", "g2", ["r", "w2", "b"], ["g2"], { alpha: { float: 2 } }),
      makeNode("Gemm", "g3", ["g2", "w3"], ["y"], { transB: 1 }),
    ],
    weights: { w1: [12, 10], b: [12], w2: [12, 12], w3: [7, 12] },
    makers: ["g1", "g2"],
  },
  {
    title: "Conv in groups behind a gate that reads the same channels",
    input: [1, 4, 8, 8],
    nodes: [
      makeNode("Conv", "c1", ["x", "w1"], ["c1"]),
      makeNode("GlobalAveragePool", "p", ["c1"], ["p"]),
      makeNode("Conv", "e", ["p", "we"], ["e"]),
      makeNode("Sigmoid", "s", ["e"], ["s"]),
      makeNode("Mul", "m", ["c1", "s"], ["m"]),
      makeNode("Conv", "c2", ["m", "w2"], ["y"], { group: 2 }),
    ],
    weights: { w1: [6, 4, 1, 1], we: [6, 6, 1, 1], w2: [4, 3, 3, 3] },
    makers: ["c1"],
  },
];

function modelOf({ nodes, weights, input, outputs = ["y"] }: Row): ModelProto {
  return makeModel({
    opset: 17,
    inputs: [["x", "float32", input]],
    outputs: outputs.map((name) => [name, "float32", []] as const),
    nodes,
    // channels of very different sizes
    initializers: Object.entries(weights).map(([name, shape]) => {
      const whole = floats(name, shape);
      const data = readTensor(whole, noExternal).data as Float32Array;
      const sized = Array.from(data, (value, at) => value * (1 + 40 * Number(at % 7 === 0)));
      return floats(name, shape, sized);
    }),
  });
}

function samples(shape: readonly number[], count = 3): readonly Batch[] {
  return Array.from({ length: count }, (_, seed) => {
    const data = Float32Array.from({ length: elementCount(shape) }, (_, at) => Math.sin((at + 1) * (seed + 1.37)));
    return new Map([["x", { dtype: "float32", shape, data }]]) as Batch;
  });
}

async function run(model: ModelProto, batches: readonly Batch[], names: readonly string[]) {
  const session = await openSession(encodeModel(exposeValues(model, names)), { graphOptimization: "basic" });
  const results = [];
  for (const batch of batches) results.push(await session.run(batch));
  await session.close();
  return results;
}

/** Statistics of every value, with the channels of those that families have. */
async function calibrated(model: ModelProto, batches: readonly Batch[]) {
  const axes = new Map(channelFamilies(model, "any").flatMap(({ values }) => [...values]));
  for (const { values } of channelFamilies(model, "products")) for (const [name, axis] of values) axes.set(name, axis);
  const collector = startCollecting({ channelAxis: (name) => axes.get(name) });
  const names = model.graph!.node.flatMap(({ output }) => output);
  for (const outputs of await run(model, batches, names)) {
    for (const [name, tensor] of outputs) collector.add(name, tensor);
  }
  return collector.statistics();
}

function sqnr(expected: readonly ReadonlyMap<string, { readonly data: unknown }>[], found: typeof expected): number {
  let [signal, noise] = [0, 0];
  expected.forEach((outputs, sample) => {
    for (const [name, { data }] of outputs) {
      const other = found[sample]!.get(name)!.data as Float32Array;
      (data as Float32Array).forEach((value, at) => {
        signal += value * value;
        noise += (other[at]! - value) ** 2;
      });
    }
  });
  return 10 * Math.log10(signal / noise);
}

const dynamic: QuantizeSettings = { scheme: "dynamic", signed: true, clip: "max", minElements: 4 };

const tools = {
  smooth: (model: ModelProto, statistics: ReadonlyMap<string, ValueStatistics>) =>
    smooth(model, planQuantization(model, dynamic).tensors, statistics, noExternal).statistics,
  equalise: (model: ModelProto, statistics: ReadonlyMap<string, ValueStatistics>) =>
    equalise(model, statistics, noExternal).statistics,
};

describe("channels are scaled without changing what a model computes", () => {
  test.each(rows)("$title: the families", (row) => {
    const kinds = row.nodes.some(({ opType }) => opType === "LayerNormalization") || row.makers[0] === "m";
    const found = channelFamilies(modelOf(row), kinds ? "any" : "products");
    expect(found.map(({ maker }) => maker.output[0])).toEqual(row.makers);
  });

  const cases = rows.flatMap((row) => (["smooth", "equalise"] as const).map((tool) => ({ ...row, tool })));
  test.each(cases)("$title: $tool", async ({ tool, ...row }) => {
    const model = modelOf(row);
    const before = encodeModel(model);
    const batches = samples(row.input);
    const statistics = await calibrated(model, batches);
    const names = [...statistics.keys()];
    const copy = cloneModel(model);
    const adapted = tools[tool](copy, statistics);
    expect(encodeModel(model)).toEqual(before);
    const outputs = row.outputs ?? ["y"];
    const [original, scaled] = [await run(model, batches, []), await run(copy, batches, [])];
    for (const name of outputs) {
      const [a, b] = [original, scaled].map((results) => results[0]!.get(name)!.data as Float32Array);
      const peak = a!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      a!.forEach((value, at) => void expect(Math.abs(value - b![at]!)).toBeLessThan(1e-5 * peak));
    }
    // the statistics are those that calibrating again would find
    const again = await calibrated(copy, batches);
    for (const name of names) {
      const [found, expected] = [adapted.get(name)!, again.get(name)!];
      const size = Math.max(-expected.min, expected.max);
      for (const key of ["min", "max"] as const) expect(Math.abs(found[key] - expected[key])).toBeLessThan(1e-4 * size);
      const total = Array.from(found.histogram.counts).reduce((sum, value) => sum + value, found.zeros);
      expect(total).toBeCloseTo(found.elements, 4);
      if (!expected.channels) continue;
      expected.channels.meanSquare.forEach((value, at) => {
        expect(found.channels!.meanSquare[at]).toBeCloseTo(value, value < 1 ? 5 : 2 - Math.ceil(Math.log10(value)));
      });
    }
  });

  test("smoothing helps dynamic quantization where channels of the activation differ", async () => {
    const row = { ...rows[0]!, outputs: ["q", "k", "y"] };
    const model = modelOf(row);
    const batches = samples(row.input);
    const expected = await run(model, batches, []);
    const smoothed = cloneModel(model);
    const { smoothings } = smooth(
      smoothed,
      planQuantization(model, dynamic).tensors,
      await calibrated(model, batches),
      noExternal,
    );
    expect(smoothings).toMatchObject([{ value: "n", maker: "LayerNormalization", readers: ["q", "k", "y"] }]);
    const found = [];
    for (const one of [model, smoothed]) {
      const copy = cloneModel(one);
      await applyPlan(copy, planQuantization(copy, dynamic), {
        quantizer: plainQuantizer(),
        readExternal: noExternal,
      });
      found.push(sqnr(expected, await run(copy, batches, [])));
    }
    expect(found[1]!).toBeGreaterThan(found[0]! + smoothings[0]!.gainDb / 2);
  });

  test("equalising makes the ranges on both sides alike, and one scale per tensor exact enough", async () => {
    const row = rows[3]!;
    const model = modelOf(row);
    const batches = samples(row.input);
    const expected = await run(model, batches, []);
    const copy = cloneModel(model);
    const { pairs } = equalise(copy, new Map(), noExternal);
    expect(pairs.map(({ value }) => value)).toEqual(["c1", "c2"]);
    const peaks = (name: string, axis: 0 | 1) => {
      const tensor = copy.graph!.initializer.find((one) => one.name === name)!;
      const { data, shape } = readTensor(tensor, noExternal);
      const inner = elementCount(shape.slice(axis + 1));
      const found = Array<number>(shape[axis]!).fill(0);
      (data as Float32Array).forEach((value, at) => {
        const channel = Math.floor(at / inner) % shape[axis]!;
        found[channel] = Math.max(found[channel]!, Math.abs(value));
      });
      return found;
    };
    const [made, read] = [peaks("w1", 0), peaks("w2", 0)];
    made.forEach((range, at) => void expect(range / read[at]!).toBeCloseTo(1, 1));
    const settings: QuantizeSettings = { scheme: "qdq", signed: true, clip: "max", minElements: 4, perTensor: true };
    const found = [];
    for (const one of [model, copy]) {
      const quantized = cloneModel(one);
      const plan = planQuantization(quantized, settings);
      await applyPlan(quantized, plan, { quantizer: plainQuantizer(), readExternal: noExternal });
      found.push(sqnr(expected, await run(quantized, batches, [])));
    }
    expect(found[1]!).toBeGreaterThan(found[0]! + 1);
  });

  test.each([
    [
      "an output of the model",
      [makeNode("Relu", "r", ["c"], ["y"]), makeNode("Conv", "d", ["y", "v"], ["z"])],
      ["y", "z"],
    ],
    ["a Sigmoid", [makeNode("Sigmoid", "r", ["c"], ["r"]), makeNode("Conv", "d", ["r", "v"], ["y"])], ["y"]],
    ["a sum", [makeNode("Add", "a", ["c", "x"], ["a"]), makeNode("Conv", "d", ["a", "v"], ["y"])], ["y"]],
    ["its own square", [makeNode("Mul", "a", ["c", "c"], ["a"]), makeNode("Conv", "d", ["a", "v"], ["y"])], ["y"]],
    ["a Clip", [makeNode("Clip", "a", ["c", "", "six"], ["a"]), makeNode("Conv", "d", ["a", "v"], ["y"])], ["y"]],
  ])("channels that %s reads are left alone", (_, rest, outputs) => {
    const nodes = [makeNode("Conv", "c", ["x", "w"], ["c"]), ...rest];
    const model = makeModel({
      inputs: [["x", "float32", [1, 4, 5, 5]]],
      outputs: outputs.map((name) => [name, "float32", []] as const),
      nodes,
      initializers: [floats("w", [4, 4, 1, 1]), floats("v", [2, 4, 1, 1]), floats("six", [], [6])],
    });
    expect(channelFamilies(model, "any")).toEqual([]);
  });

  test("any weights and any factors: a pair of Gemm computes what it did", async () => {
    const value = fc.float({ min: -100, max: 100, noNaN: true, noDefaultInfinity: true });
    const weights = fc.tuple(
      fc.array(value, { minLength: 12, maxLength: 12 }),
      fc.array(value, { minLength: 8, maxLength: 8 }),
    );
    await fc.assert(
      fc.asyncProperty(weights, async ([first, second]) => {
        const model = makeModel({
          inputs: [["x", "float32", [2, 3]]],
          outputs: [["y", "float32", [2, 2]]],
          nodes: [
            makeNode("Gemm", "a", ["x", "w"], ["a"]),
            makeNode("Relu", "r", ["a"], ["r"]),
            makeNode("Gemm", "b", ["r", "v"], ["y"]),
          ],
          initializers: [floats("w", [3, 4], first), floats("v", [4, 2], second)],
        });
        const copy = cloneModel(model);
        equalise(copy, new Map(), noExternal);
        const batch = samples([2, 3], 1);
        const [a, b] = [await run(model, batch, []), await run(copy, batch, [])].map(
          ([outputs]) => outputs!.get("y")!.data as Float32Array,
        );
        const peak = 3 * 4 * Math.max(...first.map(Math.abs)) * Math.max(...second.map(Math.abs));
        a!.forEach((expected, at) => void expect(Math.abs(expected - b![at]!)).toBeLessThanOrEqual(1e-5 * peak));
      }),
      { numRuns: 30 },
    );
  });
});
