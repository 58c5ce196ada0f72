import { describe, expect, test } from "@jest/globals";
import { decodeModel, encodeModel, type ModelProto, makeTensor, readTensor } from "../../../src/formats/onnx.js";
import { makeNode } from "../../../src/graph/node.js";
import { normalise } from "../../../src/graph/normalise/index.js";
import type { FoldedNorm } from "../../../src/graph/normalise/pass.js";
import { exportTwin } from "../../../src/quantize/qat/export.js";
import { liveNorms, scaledNorms } from "../../../src/quantize/qat/norms.js";
import { makeTwin } from "../../../src/quantize/qat/twin.js";
import type { QuantizeSettings } from "../../../src/quantize/settings.js";
import { scalePlace } from "../../../src/tensor/dequantize.js";
import { roundHalfEven } from "../../../src/tensor/quantize-linear.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { makeModel } from "../../onnx-model.js";
import { randomOf } from "../random-graphs.js";
import { noExternal, observe, settings } from "../static/observe.js";
import { parametersOf, ptqParts, runPlain, withParameters } from "./twins.js";

const random = randomOf(3);
const noise = (count: number, size = 1) => Float32Array.from({ length: count }, () => size * (2 * random() - 1));
const tensor = (name: string, shape: readonly number[], data: Float32Array<ArrayBuffer>) =>
  makeTensor(name, { dtype: "float32", shape, data });

const [rows, side] = [6, 5];
const channels = { conv: 8, back: 6, dense: 10 };

/** What training would have left: scales of either sign, one channel switched off, one that hardly varies. */
const norm = (name: string, count: number, off = -1) => [
  tensor(
    `${name}_scale`,
    [count],
    noise(count).map((one, at) => (at === off ? 0 : one + Math.sign(one) * 0.2)),
  ),
  tensor(`${name}_shift`, [count], noise(count)),
  tensor(`${name}_mean`, [count], noise(count, 0.3)),
  tensor(
    `${name}_variance`,
    [count],
    noise(count).map((one, at) => (at === 1 ? 1e-6 : 1.5 + one)),
  ),
];
const normNode = (name: string, input: string, output: string) =>
  makeNode(
    "BatchNormalization",
    name,
    [input, ...["scale", "shift", "mean", "variance"].map((part) => `${name}_${part}`)],
    [output],
    { epsilon: { float: 1e-3 }, momentum: { float: 0.8 } },
  );

/** A convolution with a bias of its own, a transposed one and a dense layer, each with its BatchNormalization. */
const model = makeModel({
  opset: 13,
  inputs: [["x", "float32", ["n", 3, side, side]]],
  outputs: [["y", "float32", ["n", channels.dense]]],
  nodes: [
    makeNode("Conv", "conv", ["x", "w1", "b1"], ["c1"], { pads: [1, 1, 1, 1] }),
    normNode("n1", "c1", "a1"),
    makeNode("Relu", "relu", ["a1"], ["r1"]),
    makeNode("ConvTranspose", "back", ["r1", "w2"], ["c2"]),
    normNode("n2", "c2", "a2"),
    makeNode("Flatten", "flat", ["a2"], ["f2"]),
    makeNode("Gemm", "dense", ["f2", "w3"], ["c3"]),
    normNode("n3", "c3", "y"),
  ],
  initializers: [
    tensor("w1", [channels.conv, 3, 3, 3], noise(channels.conv * 27)),
    tensor("b1", [channels.conv], noise(channels.conv)),
    tensor("w2", [channels.conv, channels.back, 2, 2], noise(channels.conv * channels.back * 4)),
    tensor("w3", [216, channels.dense], noise(2160, 0.2)),
    ...norm("n1", channels.conv, 3),
    ...norm("n2", channels.back),
    ...norm("n3", channels.dense),
  ],
});
const x: Tensor = { dtype: "float32", shape: [rows, 3, side, side], data: noise(rows * 3 * side * side) };
const feeds = new Map([["x", x]]);

/** Elements of an initializer of the model. */
const elementsIn = (name: string): Float32Array =>
  readTensor(model.graph!.initializer.find((one) => one.name === name)!, noExternal).data as Float32Array;

function folded(): { readonly base: ModelProto; readonly norms: ReadonlyMap<string, FoldedNorm> } {
  const base = decodeModel(encodeModel(model), "base");
  const norms = new Map<string, FoldedNorm>();
  normalise(base, noExternal, { constantInputs: "keep", norms });
  return { base, norms };
}

const ways: Readonly<Record<string, Partial<QuantizeSettings> & { readonly static?: true }>> = {
  "8 bits": { scheme: "unpack" },
  "4 bits, convolutions too": { bits: 4, convolutions4: true, scheme: "unpack" },
  "4 bits, one scale": { bits: 4, convolutions4: true, perTensor: true, scheme: "unpack" },
  static: { scheme: "unpack", static: true },
};

async function alive({ static: isStatic, ...rest }: (typeof ways)[string]) {
  const { base, norms } = folded();
  const statics = isStatic && { settings: settings({}), observed: await observe(base, [feeds]) };
  const parts = ptqParts(base, rest, statics || undefined);
  const twin = await makeTwin(parts);
  const live = liveNorms(twin, base, norms, twin.trainable, noExternal)!;
  const all = parametersOf({
    ...twin,
    model: live.model,
    trainable: new Set([...twin.trainable, ...live.kinds.keys()]),
  });
  return { parts, twin, live, all };
}

const worst = (found: Tensor, expected: Tensor) => {
  const [a, b] = [found.data as Float32Array, expected.data as Float32Array];
  const peak = b.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
  return b.reduce((most, one, at) => Math.max(most, Math.abs(one - a[at]!)), 0) / peak;
};

/** Elements as they are, but zeros without a sign. */
const elementsOf = ({ data }: Tensor) => [...(data as Iterable<unknown>)].map((one) => (one === 0 ? 0 : one));

test("what is folded is told as it was, with the bias before it and what follows", () => {
  const { norms } = folded();
  expect([...norms.keys()]).toEqual(["w1", "w2", "w3"]);
  const [mean, bias] = [elementsIn("n1_mean"), elementsIn("b1")];
  expect([...norms.get("w1")!.mean]).toEqual(Array.from(mean, (one, at) => one - bias[at]!));
  expect(norms.get("w1")).toMatchObject({ epsilon: Math.fround(1e-3), momentum: Math.fround(0.8) });
});

describe.each(Object.entries(ways))("BatchNormalization alive: %s", (_, way) => {
  test("begins as the folded twin, and is folded into it bit for bit wherever training goes", async () => {
    const { parts, twin, live, all } = await alive(way);
    expect(live.count).toBe(twin.weights.length);
    expect(live.count).toBeGreaterThan(1);
    const before = await runPlain(live.model, feeds);
    const plain = await runPlain(twin.model, feeds);
    expect(worst(before.get("y")!, plain.get("y")!)).toBeLessThan(way.static ? 0.05 : 1e-5);
    for (const [name, { data }] of all) {
      if (live.kinds.get(name) === "statistic" && name.endsWith("_factor")) continue;
      for (let at = 0; at < data.length; at++) data[at]! *= 0.8 + 0.4 * random();
    }
    live.refresh(all);
    const trained = live.folded(all);
    const found = await runPlain(withParameters(live.model, all), feeds);
    const expected = await runPlain(withParameters(twin.model, trained), feeds);
    expect(elementsOf(found.get("y")!)).toEqual(elementsOf(expected.get("y")!));
    const exported = await exportTwin(parts, twin, trained);
    const stored = await runPlain(exported.model, feeds);
    const settled = await runPlain(withParameters(twin.model, trained), feeds);
    expect(elementsOf(stored.get("y")!)).toEqual(elementsOf(settled.get("y")!));
  });
});

test("the first steps divide products by the factor of the weight, and take the statistics of the batch", async () => {
  const { live, all, twin } = await alive(ways["4 bits, convolutions too"]!);
  for (const [name, { data }] of all) {
    if (/variance|gain/.test(name)) for (let at = 0; at < data.length; at++) data[at]! *= 0.7 + 0.6 * random();
  }
  live.refresh(all);
  const early = withParameters(live.early, all);
  // as bindShapes has it: the batch's own statistics
  const [own] = early.graph!.node.filter(({ opType }) => opType === "BatchNormalization");
  const [y] = [own!.input[0]!];
  const inner = (await import("../../../src/graph/expose.js")).exposeValues(early, [y]);
  const found = (await runPlain(inner, feeds)).get(y)!;
  // by hand: w * gamma / sqrt(variance + epsilon), rounded by its step sizes, over the same factor
  const weight = twin.weights.find(({ name }) => name === "w1")!;
  const [gain, variance] = ["gain", "variance"].map((part) => all.get(`w1_${part}`)!.data) as [
    Float32Array,
    Float32Array,
  ];
  const steps = all.get(weight.steps.name)!.data;
  const placeOf = scalePlace(weight.ptq.form, weight.ptq.shape);
  const data = found.data as Float32Array;
  let most = 0;
  for (let channel = 0; channel < channels.conv; channel++) {
    const gamma = elementsIn("n1_scale")[channel]!;
    if (gamma === 0) continue;
    const factor = (gamma * gain[channel]!) / Math.sqrt(variance[channel]! + Math.fround(1e-3));
    const kernel = Array.from({ length: 27 }, (_, at) => {
      const place = placeOf(channel * 27 + at);
      const step = steps[place]! * weight.steps.units[place]!;
      const whole = Math.max(-8, Math.min(7, roundHalfEven((elementsIn("w1")[channel * 27 + at]! * factor) / step)));
      return (whole * step) / factor;
    });
    const row = 2;
    for (let place = 0; place < side * side; place++) {
      let sum = 0;
      for (let at = 0; at < 27; at++) {
        const [plane, dy, dx] = [Math.floor(at / 9), Math.floor((at % 9) / 3) - 1, (at % 3) - 1];
        const [v, u] = [Math.floor(place / side) + dy, (place % side) + dx];
        if (v < 0 || u < 0 || v >= side || u >= side) continue;
        sum += kernel[at]! * (x.data as Float32Array)[((row * 3 + plane) * side + v) * side + u]!;
      }
      most = Math.max(most, Math.abs(sum - data[(row * channels.conv + channel) * side * side + place]!));
    }
  }
  expect(most).toBeLessThan(1e-4);
});

test("channels that were scaled after folding are known by their biases", () => {
  const { base, norms } = folded();
  const factors = Float64Array.from({ length: channels.conv }, (_, at) => 0.5 + at / 4);
  const changed = (name: string) => {
    const at = base.graph!.initializer.findIndex((one) => one.name === name);
    const { shape, data } = readTensor(base.graph!.initializer[at]!, noExternal);
    const inner = data.length / channels.conv;
    const scaled = Float32Array.from(data as Float32Array, (one, i) => one * factors[Math.floor(i / inner)]!);
    base.graph!.initializer[at] = makeTensor(name, { dtype: "float32", shape, data: scaled });
  };
  changed("w1");
  changed("b1");
  const found = scaledNorms(norms, base, noExternal);
  const scale = norms.get("w1")!.scale;
  found
    .get("w1")!
    .scale.forEach((one, at) => void expect(one / (scale[at]! || 1)).toBeCloseTo(scale[at] ? factors[at]! : 0, 3));
  expect(found.get("w2")!.scale).toEqual(norms.get("w2")!.scale);
});
