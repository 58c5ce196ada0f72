import { describe, expect, test } from "@jest/globals";
import { sqnrDb } from "../../../src/evaluate/metrics.js";
import { type ModelProto, makeTensor, type NodeProto, readTensor } from "../../../src/formats/onnx.js";
import { makeNode } from "../../../src/graph/node.js";
import { newCut } from "../../../src/quantize/static/cut.js";
import { measureNoise, noiseOf, planWithin } from "../../../src/quantize/static/noise.js";
import { valuesToObserve } from "../../../src/quantize/static/observed.js";
import { planStatic, reachOf } from "../../../src/quantize/static/plan.js";
import { activationScale, reach } from "../../../src/quantize/static/scale.js";
import type { ObservedValue, StaticSettings } from "../../../src/quantize/static/settings.js";
import { floats, ints, makeGraph, makeModel, withGraphs } from "../../onnx-model.js";
import fc from "../../property.js";
import { noExternal, observe, quantized, runOptimized, settings } from "./observe.js";

const batchOf = (shape: readonly number[], scale = 1) =>
  new Map([
    [
      "x",
      {
        dtype: "float32" as const,
        shape,
        data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => Math.cos(at * 0.7) * scale),
      },
    ],
  ]);

const scalar = (name: string, value: number) =>
  makeTensor(name, { dtype: "float32", shape: [], data: Float32Array.of(value) });

/** Every value with the same range and size. */
const everywhere = (model: ModelProto, value: ObservedValue) =>
  new Map(["x", ...model.graph!.node.flatMap(({ output }) => output)].map((name) => [name, value]));

const runs = (model: ModelProto, observed: ReadonlyMap<string, ObservedValue>, changed: Partial<StaticSettings> = {}) =>
  [...planStatic(model, observed, settings({ placement: "cheapest", ...changed }), noExternal).nodes.values()].map(
    ({ opType, runs }) => `${opType} ${runs}`,
  );

describe("where 8 bits are placed", () => {
  const big = [1, 64, 56, 56];
  const model = (nodes: readonly NodeProto[]) =>
    makeModel({
      inputs: [["x", "float32", big]],
      outputs: [["y", "float32", ["n", "c", "h", "w"]]],
      nodes,
      initializers: [floats("w", [64, 64, 3, 3]), floats("thin", [64, 1, 3, 3])],
    });
  const elements = 64 * 56 * 56;

  test("a convolution with much work is worth the conversions around it", () => {
    const one = model([makeNode("Conv", "c", ["x", "w"], ["y"])]);
    expect(runs(one, everywhere(one, { min: -1, max: 1, elements }))).toEqual(["Conv int8"]);
  });

  test("a sum alone, and a depthwise convolution alone, are not", () => {
    const sum = model([makeNode("Add", "a", ["x", "x"], ["y"])]);
    expect(runs(sum, everywhere(sum, { min: -1, max: 1, elements }))).toEqual(["Add float"]);
    const depthwise = model([makeNode("Conv", "c", ["x", "thin"], ["y"], { group: 64 })]);
    expect(runs(depthwise, everywhere(depthwise, { min: -1, max: 1, elements }))).toEqual(["Conv float"]);
  });

  test("between two that are, they spare conversions", () => {
    const chain = model([
      makeNode("Conv", "c", ["x", "w"], ["a"]),
      makeNode("Conv", "d", ["a", "thin"], ["b"], { group: 64 }),
      makeNode("Conv", "e", ["b", "w"], ["c"]),
      makeNode("Tanh", "t", ["c"], ["y"]),
    ]);
    const planned = runs(chain, everywhere(chain, { min: -1, max: 1, elements }));
    expect(planned).toEqual(["Conv int8", "Conv int8", "Conv int8", "Tanh float"]);
  });

  test("what has no range, no constant weight or a reason to be kept stays in floats, and says why", () => {
    const one = model([makeNode("Conv", "c", ["x", "w"], ["y"])]);
    const reasonOf = (observed: ReadonlyMap<string, ObservedValue>, kept = new Map<string, string>()) =>
      planStatic(one, observed, settings(), noExternal, { kept }).nodes.get("y")!.reason;
    expect(reasonOf(new Map())).toBe('no range of "x" is known');
    expect(reasonOf(everywhere(one, { min: 0, max: 1 }), new Map([["y", "asked for"]]))).toBe("asked for");
    const two = model([makeNode("Conv", "c", ["x", "x"], ["y"])]);
    const plan = planStatic(two, everywhere(two, { min: 0, max: 1 }), settings(), noExternal);
    expect(plan.nodes.get("y")).toMatchObject({ runs: "float", reason: "its weight is no constant" });
  });
});

test("calibration is asked for what may get 8 bits only, and the plan says what did", () => {
  const model = makeModel({
    inputs: [["x", "float32", [1, 8, 4, 4]]],
    outputs: [["y", "float32", [1, 8, 4, 4]]],
    nodes: [
      makeNode("Conv", "c", ["x", "w"], ["a"]),
      makeNode("Relu", "r", ["a"], ["b"]),
      makeNode("Tanh", "t", ["b"], ["c"]),
      makeNode("Erf", "e", ["c"], ["y"]),
    ],
    initializers: [floats("w", [8, 8, 1, 1])],
  });
  // what lies between a kernel and its Relu does not matter
  expect(valuesToObserve(model, settings(), noExternal)).toEqual(["x", "b"]);
  const observed = new Map(["x", "b"].map((name) => [name, { min: -1, max: 1 }]));
  const { nodes } = planStatic(model, observed, settings(), noExternal);
  expect([...nodes.values()].map(({ opType, runs, reason }) => [opType, runs, reason])).toEqual([
    ["Conv", "int8", ""],
    ["Tanh", "float", "Tanh has no 8-bit kernel"],
    ["Erf", "float", "Erf has no 8-bit kernel"],
  ]);
});

test("the cheapest cut is found", () => {
  // brute force over all choices of up to 7 vertices
  const edges = fc.array(fc.tuple(fc.nat(6), fc.nat(6), fc.nat(20)), { maxLength: 20 });
  fc.assert(
    fc.property(edges, (list) => {
      const cut = newCut();
      const vertices = [cut.source, cut.sink, ...Array.from({ length: 5 }, () => cut.vertex())];
      const used = list.filter(([from, to]) => from !== to);
      for (const [from, to, capacity] of used) cut.edge(vertices[from]!, vertices[to]!, capacity);
      const side = cut.sourceSide();
      const costOf = (isSource: (at: number) => boolean) =>
        used.reduce((sum, [from, to, capacity]) => sum + (isSource(from) && !isSource(to) ? capacity : 0), 0);
      let least = Number.POSITIVE_INFINITY;
      for (let choice = 0; choice < 32; choice++) {
        least = Math.min(
          least,
          costOf((at) => at === 0 || (at > 1 && ((choice >> (at - 2)) & 1) === 1)),
        );
      }
      expect(costOf((at) => side.has(vertices[at]!))).toBe(least);
    }),
  );
});

describe("scales", () => {
  const unsigned = { activationSigned: false, symmetric: false, minRealRange: 0 };
  test.each([
    // as onnxruntime's compute_scale_zp has them
    { range: { min: -1, max: 3 }, changed: {}, scale: 4 / 255, zeroPoint: 64 },
    { range: { min: 1, max: 3 }, changed: {}, scale: 3 / 255, zeroPoint: 0 },
    { range: { min: -3, max: -1 }, changed: {}, scale: 3 / 255, zeroPoint: 255 },
    { range: { min: -1, max: 3 }, changed: { activationSigned: true }, scale: 4 / 255, zeroPoint: -64 },
    { range: { min: -1, max: 3 }, changed: { symmetric: true }, scale: 3 / 127, zeroPoint: 128 },
    { range: { min: 0, max: 3 }, changed: { symmetric: true }, scale: 3 / 255, zeroPoint: 0 },
    { range: { min: 0, max: 0 }, changed: {}, scale: 1, zeroPoint: 0 },
    { range: { min: 0, max: 0 }, changed: { minRealRange: 0.51 }, scale: 0.51 / 255, zeroPoint: 0 },
  ])("of $range with $changed", ({ range, changed, scale, zeroPoint }) => {
    const found = activationScale(range, { ...unsigned, ...changed });
    expect(found.zeroPoint).toBe(zeroPoint);
    expect(found.scale).toBe(Math.fround(scale));
  });

  test("0 is held exactly, and the range is reached to half a step, whatever it is", () => {
    const number = fc.float({ noNaN: true, min: Math.fround(-1e30), max: Math.fround(1e30) });
    fc.assert(
      fc.property(number, number, fc.boolean(), (one, other, activationSigned) => {
        const range = { min: Math.min(one, other), max: Math.max(one, other) };
        const found = activationScale(range, { ...unsigned, activationSigned });
        const lowest = activationSigned ? -128 : 0;
        expect(found.zeroPoint).toBeGreaterThanOrEqual(lowest);
        expect(found.zeroPoint).toBeLessThanOrEqual(lowest + 255);
        const { min, max } = reach(found);
        expect(min).toBeLessThanOrEqual(Math.min(0, range.min) + found.scale * 0.501);
        expect(max).toBeGreaterThanOrEqual(Math.max(0, range.max) - found.scale * 0.501);
      }),
    );
  });
});

describe("ranges stop where readers no longer care", () => {
  const wide = { min: -100, max: 50, elements: 64 };
  const rangeOf = (nodes: readonly NodeProto[], value: string, extra: readonly string[] = []) => {
    const model = makeModel({
      inputs: [["x", "float32", [1, 4]]],
      outputs: [["y", "float32", [1, 4]], ...extra.map((name) => [name, "float32", [1, 4]] as const)],
      nodes: [makeNode("MatMul", "m", ["x", "w"], ["h"]), ...nodes],
      initializers: [floats("w", [4, 4]), scalar("three", 3), scalar("zero", 0), scalar("six", 6), scalar("half", 0.5)],
    });
    const { min, max } = reachOf(planStatic(model, everywhere(model, wide), settings(), noExternal)).get(value)!;
    return [Math.round(min), Math.round(max)];
  };
  const paddle = [
    makeNode("Add", "a", ["h", "three"], ["p"]),
    makeNode("Clip", "c", ["p", "zero", "six"], ["q"]),
    makeNode("Mul", "u", ["h", "q"], ["y"]),
  ];

  test("hard swish is 0 below -3", () => {
    expect(rangeOf(paddle, "h")).toEqual([-3, 50]);
    expect(rangeOf([makeNode("HardSigmoid", "s", ["h"], ["q"]), makeNode("Mul", "u", ["q", "h"], ["y"])], "h")).toEqual(
      [-2, 50],
    );
  });

  test("a hard sigmoid is flat on both sides, a swish vanishes below", () => {
    expect(rangeOf([makeNode("HardSigmoid", "s", ["h"], ["y"])], "h")).toEqual([-2, 3]);
    const swish = [
      makeNode("Mul", "k", ["h", "half"], ["j"]),
      makeNode("Sigmoid", "s", ["j"], ["q"]),
      makeNode("Mul", "u", ["h", "q"], ["y"]),
    ];
    expect(rangeOf(swish, "h")).toEqual([-18, 50]);
  });

  test("not where anything else reads the value too", () => {
    expect(rangeOf([...paddle, makeNode("Tanh", "t", ["h"], ["z"])], "h", ["z"])).toEqual([-100, 50]);
    expect(rangeOf(paddle, "h", ["h"])).toEqual([-100, 50]);
  });
});

describe("biases", () => {
  test("a channel whose weights are tiny keeps its bias: the weight's scale grows", async () => {
    const values = Array.from({ length: 64 }, (_, at) => (at < 16 ? 1e-12 : Math.sin(at)));
    const model = makeModel({
      inputs: [["x", "float32", [1, 16, 4, 4]]],
      outputs: [["y", "float32", [1, 4, 4, 4]]],
      nodes: [makeNode("Conv", "c", ["x", "w", "b"], ["y"])],
      initializers: [floats("w", [4, 16, 1, 1], values), floats("b", [4], [5, 1, -2, 0])],
    });
    const batch = batchOf([1, 16, 4, 4]);
    const result = await quantized(model, await observe(model, [batch]));
    const { outputs } = await runOptimized(result.model, batch);
    const expected = (await runOptimized(model, batch)).outputs.get("y")!.data as Float32Array;
    const found = outputs.get("y")!.data as Float32Array;
    expect(found[0]).toBeCloseTo(5, 1);
    expect(sqnrDb(expected, found)).toBeGreaterThan(36);
  });

  test("two nodes that share a bias have it each in their own scale", async () => {
    const model = makeModel({
      inputs: [["x", "float32", [1, 4, 4, 4]]],
      outputs: [["y", "float32", [1, 4, 4, 4]]],
      nodes: [makeNode("Conv", "c", ["x", "w", "b"], ["h"]), makeNode("Conv", "d", ["h", "v", "b"], ["y"])],
      initializers: [floats("w", [4, 4, 1, 1]), floats("v", [4, 4, 1, 1]), floats("b", [4], [3, 1, -2, 0.1])],
    });
    const batch = batchOf([1, 4, 4, 4]);
    const result = await quantized(model, await observe(model, [batch]));
    const [expected, found] = [model, result.model].map(
      async (which) => (await runOptimized(which, batch)).outputs.get("y")!.data as Float32Array,
    );
    expect(sqnrDb(await expected!, await found!)).toBeGreaterThan(34);
    // the float bias is read by nobody any more
    expect(result.model.graph!.initializer.some(({ name }) => name === "b")).toBe(false);
  });
});

test("nested graphs stay in floats and go on reading values by their names", async () => {
  const branch = (name: string) =>
    makeGraph({
      outputs: [[name, "float32", [1, 4]]],
      nodes: [makeNode("MatMul", "m", ["h", "v"], [name])],
    });
  const model = makeModel({
    inputs: [["x", "float32", [1, 4]]],
    outputs: [["y", "float32", [1, 4]]],
    nodes: [
      makeNode("MatMul", "m", ["x", "w"], ["h"]),
      withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch("a"), else_branch: branch("b") }),
    ],
    initializers: [
      floats("w", [4, 4]),
      floats("v", [4, 4]),
      makeTensor("c", { dtype: "bool", shape: [], data: Uint8Array.of(1) }),
    ],
  });
  const batch = batchOf([1, 4]);
  const result = await quantized(model, await observe(model, [batch]));
  expect(result.plan.nodes.get("y")).toMatchObject({ runs: "float", reason: "If has no 8-bit kernel" });
  const [expected, found] = [model, result.model].map(
    async (which) => (await runOptimized(which, batch)).outputs.get("y")!.data as Float32Array,
  );
  expect(sqnrDb(await expected!, await found!)).toBeGreaterThan(30);
});

test.each([
  [makeNode("Conv", "d", ["h", "v"], ["i"])],
  [makeNode("ConvTranspose", "d", ["h", "v"], ["i"])],
  [makeNode("Pad", "p", ["h", "pads"], ["g"]), makeNode("Conv", "d", ["g", "v"], ["i"])],
])("onnxruntime does not round the weight of $opType that stays in floats between conversions", async (...middle) => {
  // with one scale for all of it, the small channels would vanish
  const uneven = Array.from({ length: 256 }, (_, at) => Math.sin(at) * ((at >> 4) % 2 === at % 2 ? 1 : 1e-4));
  const model = makeModel({
    inputs: [["x", "float32", [1, 16, 8, 8]]],
    outputs: [["y", "float32", [1, 16, "h", "w"]]],
    nodes: [
      makeNode("Conv", "c", ["x", "w"], ["h"]),
      ...middle,
      makeNode("Relu", "r", ["i"], ["j"]),
      makeNode("Conv", "e", ["j", "w"], ["y"]),
    ],
    initializers: [
      floats("w", [16, 16, 1, 1]),
      floats("v", [16, 16, 1, 1], uneven),
      ints("pads", [0, 0, 1, 1, 0, 0, 0, 0]),
    ],
  });
  const batch = batchOf([1, 16, 8, 8]);
  const kept = new Map([["i", "asked for"]]);
  const result = await quantized(model, await observe(model, [batch]), {}, { kept });
  const { optimized } = await runOptimized(result.model, batch);
  const int8 = optimized.graph!.node.filter(({ opType }) => opType === "QLinearConv");
  expect(int8).toHaveLength(2);
  const rounded = optimized.graph!.initializer.filter(({ name, dims }) => dims.length === 4 && !name.startsWith("w"));
  expect(rounded.map(({ dataType }) => dataType)).toEqual([1]);
});

describe("noise", () => {
  // the second value spans 1000 times what matters of it
  const model = makeModel({
    inputs: [["x", "float32", [1, 8, 32, 32]]],
    outputs: [["y", "float32", [1, 8, 32, 32]]],
    nodes: [
      makeNode("Conv", "c", ["x", "w"], ["a"]),
      makeNode("Mul", "m", ["a", "uneven"], ["b"]),
      makeNode("Conv", "d", ["b", "v"], ["y"]),
    ],
    initializers: [
      floats("w", [8, 8, 1, 1]),
      floats(
        "v",
        [8, 8, 1, 1],
        Array.from({ length: 64 }, (_, at) => (at % 8 === 0 ? 1e-3 * Math.sin(at) : Math.sin(at))),
      ),
      floats("uneven", [8, 1, 1], [1000, 1, 1, 1, 1, 1, 1, 1]),
    ],
  });
  const batch = batchOf([1, 8, 32, 32]);

  test("is measured for each value with a scale of its own, and buys floats where it is too strong", async () => {
    const observed = await observe(model, [batch]);
    const everything = planStatic(model, observed, settings(), noExternal);
    const expected = (await runOptimized(model, batch)).outputs.get("y")!.data as Float32Array;
    const noise = await measureNoise(model, everything, async (changed) => {
      const found = (await runOptimized(changed, batch)).outputs.get("y")!.data as Float32Array;
      return 10 ** (-sqnrDb(expected, found) / 10);
    });
    expect([...noise.keys()].sort()).toEqual(["a", "b", "x", "y"]);
    expect(noise.get("b")!).toBeGreaterThan(100 * noise.get("x")!);
    const planOf = (noisePrice: number) =>
      planStatic(model, observed, settings({ placement: "everywhere", noisePrice }), noExternal, { noise });
    // everywhere means everywhere, so no price changes it
    expect(noiseOf(planWithin(planOf, noise, 1e-3), noise)).toBeGreaterThan(1e-3);
    const cheapest = (noisePrice: number) => {
      const costs = { ...settings().costs, quantize: 0, dequantize: 0, transpose: 0, node: 0 };
      return planStatic(model, observed, settings({ placement: "cheapest", costs, noisePrice }), noExternal, { noise });
    };
    const within = planWithin(cheapest, noise, 1e-3);
    expect(noiseOf(within, noise)).toBeLessThanOrEqual(1e-3);
    expect(within.values.has("b")).toBe(false);
    expect(cheapest(0).values.has("b")).toBe(true);
  });
});

test("whatever is placed in 8 bits, the model loads, and its weights are stored once", async () => {
  const weights = [floats("w", [8, 8, 1, 1]), floats("v", [8, 1, 3, 3]), floats("b", [8]), scalar("two", 2)];
  const step = fc.constantFrom(
    (from: string, to: string) => makeNode("Conv", to, [from, "w", "b"], [to]),
    (from: string, to: string) => makeNode("Conv", to, [from, "v"], [to], { group: 8, pads: [1, 1, 1, 1] }),
    (from: string, to: string) => makeNode("Relu", to, [from], [to]),
    (from: string, to: string) => makeNode("Add", to, [from, "x"], [to]),
    (from: string, to: string) => makeNode("Mul", to, [from, from], [to]),
    (from: string, to: string) => makeNode("Mul", to, [from, "two"], [to]),
    (from: string, to: string) => makeNode("HardSigmoid", to, [from], [to]),
    (from: string, to: string) => makeNode("Tanh", to, [from], [to]),
    (from: string, to: string) => makeNode("Transpose", to, [from], [to], { perm: [0, 1, 3, 2] }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(5)), async (steps, kept) => {
      const model = makeModel({
        inputs: [["x", "float32", [1, 8, 4, 4]]],
        outputs: [[`t${steps.length - 1}`, "float32", [1, 8, 4, 4]]],
        nodes: steps.map((make, at) => make(at === 0 ? "x" : `t${at - 1}`, `t${at}`)),
        initializers: weights,
      });
      const observed = everywhere(model, { min: -2, max: 2, elements: 128 });
      const floatsKept = new Map(kept.map((at) => [`t${at}`, "kept"]));
      const result = await quantized(model, observed, {}, { kept: floatsKept });
      const { outputs } = await runOptimized(result.model, batchOf([1, 8, 4, 4]));
      expect(outputs.size).toBe(1);
      const stored = result.model.graph!.initializer.filter((tensor) => tensor.name.startsWith("w_quantized"));
      expect(stored.length).toBeLessThanOrEqual(1);
      for (const tensor of stored) expect(readTensor(tensor, noExternal).dtype).toBe("int8");
    }),
    { numRuns: 60 },
  );
});
