import { expect, test } from "@jest/globals";
import { normal } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type Value } from "../../src/graph/builder.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { gradient } from "../../src/train/gradient.js";

// A residual block as in a ResNet that halves its pictures: y = Relu(conv2(Relu(conv1(x))) + short(x)), and the loss is
// the sum of y's channel means times random numbers. Forward and backward are written by hand in float64 below.
const [rows, channels, filters, side, half] = [3, 16, 32, 12, 6] as const;

const next = normal(7);
const drawn = (shape: readonly number[], scale: number) => ({
  shape,
  data: Float64Array.from({ length: elementCount(shape) }, () => Math.fround(scale * next())),
});
const given = {
  x: drawn([rows, channels, side, side], 1),
  w1: drawn([filters, channels, 3, 3], 0.1),
  b1: drawn([filters], 0.1),
  w2: drawn([filters, filters, 3, 3], 0.1),
  b2: drawn([filters], 0.1),
  ws: drawn([filters, channels, 1, 1], 0.2),
  bs: drawn([filters], 0.1),
};
const weights = drawn([rows, filters, 1, 1], 1);

/** Visits every product of a convolution: the places of an output, an input and a weight element. */
function products(
  inner: number,
  from: number,
  to: number,
  kernel: number,
  stride: number,
  pad: number,
  visit: (y: number, x: number, w: number) => void,
): void {
  for (let n = 0; n < rows; n++)
    for (let o = 0; o < filters; o++)
      for (let r = 0; r < to; r++)
        for (let c = 0; c < to; c++)
          for (let i = 0; i < inner; i++)
            for (let p = 0; p < kernel; p++)
              for (let q = 0; q < kernel; q++) {
                const [h, w] = [r * stride + p - pad, c * stride + q - pad];
                if (h < 0 || w < 0 || h >= from || w >= from) continue;
                visit(
                  ((n * filters + o) * to + r) * to + c,
                  ((n * inner + i) * from + h) * from + w,
                  ((o * inner + i) * kernel + p) * kernel + q,
                );
              }
}

interface Layer {
  readonly x: Float64Array;
  readonly w: Float64Array;
  readonly inner: number;
  readonly from: number;
  readonly kernel: number;
  readonly stride: number;
}

const area = half * half;
const pad = (kernel: number) => (kernel - 1) / 2;

function convolve({ x, w, inner, from, kernel, stride }: Layer, bias: Float64Array): Float64Array {
  const y = Float64Array.from({ length: rows * filters * area }, (_, at) => bias[Math.floor(at / area) % filters]!);
  products(inner, from, half, kernel, stride, pad(kernel), (out, into, weight) => {
    y[out]! += x[into]! * w[weight]!;
  });
  return y;
}

function backward({ x, w, inner, from, kernel, stride }: Layer, g: Float64Array) {
  const [dx, dw, db] = [new Float64Array(x.length), new Float64Array(w.length), new Float64Array(filters)];
  products(inner, from, half, kernel, stride, pad(kernel), (out, into, weight) => {
    dx[into]! += g[out]! * w[weight]!;
    dw[weight]! += g[out]! * x[into]!;
  });
  g.forEach((one, at) => {
    db[Math.floor(at / area) % filters]! += one;
  });
  return { dx, dw, db };
}

function reference(): Readonly<Record<keyof typeof given, Float64Array>> {
  const relu = (x: Float64Array) => x.map((one) => Math.max(0, one));
  const through = (g: Float64Array, y: Float64Array) => g.map((one, at) => (y[at]! > 0 ? one : 0));
  const first: Layer = { x: given.x.data, w: given.w1.data, inner: channels, from: side, kernel: 3, stride: 2 };
  const hidden = relu(convolve(first, given.b1.data));
  const second: Layer = { x: hidden, w: given.w2.data, inner: filters, from: half, kernel: 3, stride: 1 };
  const short: Layer = { x: given.x.data, w: given.ws.data, inner: channels, from: side, kernel: 1, stride: 2 };
  const shortcut = convolve(short, given.bs.data);
  const y = relu(convolve(second, given.b2.data).map((one, at) => one + shortcut[at]!));
  const g = through(
    y.map((_, at) => weights.data[Math.floor(at / area)]! / area),
    y,
  );
  const two = backward(second, g);
  const side2 = backward(short, g);
  const one = backward(first, through(two.dx, hidden));
  const dx = one.dx.map((value, at) => value + side2.dx[at]!);
  return { x: dx, w1: one.dw, b1: one.db, w2: two.dw, b2: two.db, ws: side2.dw, bs: side2.db };
}

test("gradients of a residual block are those of a float64 backward written by hand", async () => {
  const taken = new Map<string, number>();
  const b = createBuilder((base) => {
    const count = taken.get(base) ?? 0;
    taken.set(base, count + 1);
    return `${base}.${count}`;
  });
  const names = Object.keys(given) as readonly (keyof typeof given)[];
  const values = Object.fromEntries(
    names.map((name) => [name, { name, dtype: "float32", shape: given[name].shape }]),
  ) as Readonly<Record<keyof typeof given, Value>>;
  const { x, w1, b1, w2, b2, ws, bs } = values;
  const form = { dtype: "float32", shape: [rows, filters, half, half] } as const;
  const same = [1, 1, 1, 1];
  const hidden = b.map("Relu", b.op("Conv", [x, w1, b1], form, { strides: [2, 2], pads: same }));
  const sum = b.add(
    b.op("Conv", [hidden, w2, b2], form, { pads: same }),
    b.op("Conv", [x, ws, bs], form, { strides: [2, 2] }),
  );
  const means = b.op("GlobalAveragePool", [b.map("Relu", sum)], { dtype: "float32", shape: weights.shape });
  const scale = b.constant({ dtype: "float32", shape: weights.shape, data: Float32Array.from(weights.data) });
  const loss = b.reduce("ReduceSum", b.mul(means, scale), undefined, false);
  const inputs = Object.values(values);
  const graph = {
    nodes: [],
    values: new Map(inputs.map((value) => [value.name, value])),
    constants: new Map(),
    inputs,
    outputs: [],
  };
  const found = gradient(graph, loss, names, b);
  const outputs = names.map((name) => found.get(name)!);
  const session = await openSession(
    encodeModel(assembleModel({ nodes: b.nodes, initializers: b.initializers, inputs, outputs })),
  );
  const feeds = names.map((name): [string, Tensor] => [
    name,
    { dtype: "float32", shape: given[name].shape, data: Float32Array.from(given[name].data) },
  ]);
  const results = await session.run(new Map(feeds));
  await session.close();
  const expected = reference();
  const errors = names.map((name): readonly [string, number] => {
    const [ours, theirs] = [results.get(found.get(name)!.name)!.data as Float32Array, expected[name]];
    expect(ours.length).toBe(theirs.length);
    const largest = theirs.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    const worst = theirs.reduce((most, one, at) => Math.max(most, Math.abs(one - ours[at]!)), 0);
    return [name, worst / largest];
  });
  if (process.env["SHOW_ERRORS"]) process.stdout.write(`${JSON.stringify(errors)}\n`);
  for (const [name, error] of errors) expect({ name, wrong: error > 1e-5 }).toEqual({ name, wrong: false });
});
