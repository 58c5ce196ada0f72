import { describe, expect, test } from "@jest/globals";
import { normal } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type Value } from "../../src/graph/builder.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { gradient } from "../../src/train/gradient.js";
import type { TrainingGraph } from "../../src/train/graph.js";
import { plainNames } from "./small-network.js";

const [batch, length, width, heads, hidden, classes] = [2, 5, 8, 2, 16, 7] as const;
const shapes: Readonly<Record<string, readonly number[]>> = {
  x: [batch, length, width],
  scale1: [width],
  shift1: [width],
  query: [width, width],
  queryBias: [width],
  key: [width, width],
  keyBias: [width],
  value: [width, width],
  valueBias: [width],
  out: [width, width],
  outBias: [width],
  scale2: [width],
  shift2: [width],
  up: [width, hidden],
  upBias: [hidden],
  down: [hidden, width],
  downBias: [width],
  head: [width, classes],
};
const labels = [0, 3, 6, 1, 2, 5, 5, 4, 0, 1];

/** The block as an exporter writes it, its cross-entropy, and the gradients that the training graph gives. */
async function ours(elements: ReadonlyMap<string, Float32Array>): Promise<ReadonlyMap<string, ArrayLike<number>>> {
  const fresh = plainNames();
  const b = createBuilder(fresh);
  const p = new Map(
    Object.entries(shapes).map(([name, shape]): [string, Value] => [
      name,
      { name: fresh(name), dtype: "float32", shape },
    ]),
  );
  const at = (name: string) => p.get(name)!;
  const linear = (v: Value, name: string) => b.add(b.matmul(v, at(name)), at(`${name}Bias`));
  const norm = (v: Value, which: number) =>
    b.op("LayerNormalization", [v, at(`scale${which}`), at(`shift${which}`)], v, {
      axis: -1,
      epsilon: { float: 1e-5 },
    });
  const split = (v: Value) => b.transpose(b.reshape(v, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
  const x = at("x");
  const first = norm(x, 1);
  const [q, k, v] = ["query", "key", "value"].map((name) => split(linear(first, name))) as [Value, Value, Value];
  const mask = Float32Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? -1e9 : 0,
  );
  const causal = b.constant({ dtype: "float32", shape: [length, length], data: mask });
  const scores = b.matmul(q, b.transpose(k, [0, 1, 3, 2]));
  const chances = b.softmax(b.add(b.div(scores, Math.sqrt(width / heads)), causal), -1);
  const mixed = b.reshape(b.transpose(b.matmul(chances, v), [0, 2, 1, 3]), [batch, length, width]);
  const h = b.add(x, linear(mixed, "out"));
  const y = b.add(h, linear(b.map("Gelu", linear(norm(h, 2), "up")), "down"));
  const logits = b.reshape(b.matmul(y, at("head")), [batch * length, classes]);
  const targets = b.constant({ dtype: "int64", shape: [labels.length], data: BigInt64Array.from(labels.map(BigInt)) });
  const loss = b.op("SoftmaxCrossEntropyLoss", [logits, targets], { dtype: "float32", shape: [] });
  const ports = [...p.values()];
  const graph: TrainingGraph = {
    nodes: [],
    values: new Map(ports.map((port) => [port.name, port])),
    constants: new Map(),
    inputs: ports,
    outputs: [],
  };
  const found = gradient(graph, loss, p.keys(), b);
  const outputs = [...found.values()].map((one) => one!);
  const session = await openSession(
    encodeModel(assembleModel({ nodes: b.nodes, initializers: b.initializers, inputs: ports, outputs })),
  );
  const feeds = ports.map((port): [string, Tensor] => [
    port.name,
    { dtype: "float32", shape: port.shape, data: elements.get(port.name)! },
  ]);
  const results = await session.run(new Map(feeds));
  await session.close();
  return new Map([...p.keys()].map((name) => [name, results.get(found.get(name)!.name)!.data as Float32Array]));
}

type Matrix = readonly (readonly number[])[];
/** What a step of the reference gives, and the backward step, derived by hand. */
interface Step<Back> {
  readonly y: Matrix;
  readonly back: (dy: Matrix) => Back;
}

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, i) => sum + value * b[i]![j]!, 0)));
const turned = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
const zip = (a: Matrix, b: Matrix, f: (x: number, y: number) => number): Matrix =>
  a.map((row, i) => row.map((value, j) => f(value, b[i]![j]!)));
const plus = (a: Matrix, b: Matrix) => zip(a, b, (x, y) => x + y);
const times = (a: Matrix, b: Matrix) => zip(a, b, (x, y) => x * y);
const columnSums = (a: Matrix): Matrix => [turned(a).map((column) => column.reduce((sum, one) => sum + one, 0))];
const mean = (row: readonly number[]) => row.reduce((sum, one) => sum + one, 0) / row.length;
const softmaxRow = (row: readonly number[]) => {
  const top = Math.max(...row);
  const powers = row.map((one) => Math.exp(one - top));
  const sum = powers.reduce((total, one) => total + one, 0);
  return powers.map((one) => one / sum);
};
/** By its series, exact to 1e-13 for the small arguments here. */
const erf = (x: number) => {
  let [term, sum] = [x, x];
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};

function linearStep(x: Matrix, weight: Matrix, bias: Matrix): Step<readonly [Matrix, Matrix, Matrix]> {
  return {
    y: product(x, weight).map((row) => row.map((one, j) => one + bias[0]![j]!)),
    back: (dy) => [product(dy, turned(weight)), product(turned(x), dy), columnSums(dy)],
  };
}

function normStep(x: Matrix, scale: Matrix, shift: Matrix): Step<readonly [Matrix, Matrix, Matrix]> {
  const inverse = x.map((row) => 1 / Math.sqrt(mean(row.map((one) => (one - mean(row)) ** 2)) + 1e-5));
  const unit = x.map((row, i) => row.map((one) => (one - mean(row)) * inverse[i]!));
  return {
    y: unit.map((row) => row.map((one, j) => one * scale[0]![j]! + shift[0]![j]!)),
    back(dy) {
      const scaled = dy.map((row) => row.map((one, j) => one * scale[0]![j]!));
      const along = times(scaled, unit).map(mean);
      const dx = scaled.map((row, i) =>
        row.map((one, j) => inverse[i]! * (one - mean(row) - unit[i]![j]! * along[i]!)),
      );
      return [dx, columnSums(times(dy, unit)), columnSums(dy)];
    },
  };
}

/** One head of one sequence: [length, width of a head] each. */
function attentionStep(q: Matrix, k: Matrix, v: Matrix): Step<readonly [Matrix, Matrix, Matrix]> {
  const root = Math.sqrt(q[0]!.length);
  const scores = product(q, turned(k)).map((row, i) => row.map((one, j) => (j > i ? -1e9 : one / root)));
  const chances = scores.map(softmaxRow);
  return {
    y: product(chances, v),
    back(dy) {
      const dChances = product(dy, turned(v));
      const inner = times(chances, dChances).map((row) => row.reduce((sum, one) => sum + one, 0));
      const dScores = chances.map((row, i) => row.map((one, j) => (one * (dChances[i]![j]! - inner[i]!)) / root));
      return [product(dScores, k), product(turned(dScores), q), product(turned(chances), dy)];
    },
  };
}

/** The same gradients in float64, written without the engine. */
function reference(elements: ReadonlyMap<string, Float32Array>): ReadonlyMap<string, Matrix> {
  const matrix = (name: string): Matrix => {
    const [data, columns] = [elements.get(name)!, shapes[name]!.at(-1)!];
    return Array.from({ length: data.length / columns }, (_, i) => [...data.subarray(i * columns, (i + 1) * columns)]);
  };
  const linear = (x: Matrix, name: string) => linearStep(x, matrix(name), matrix(`${name}Bias`));
  const x = matrix("x");
  const norm1 = normStep(x, matrix("scale1"), matrix("shift1"));
  const projections = ["query", "key", "value"].map((name) => linear(norm1.y, name));
  const size = width / heads;
  const part = (whole: Matrix, sequence: number, head: number): Matrix =>
    whole.slice(sequence * length, (sequence + 1) * length).map((row) => row.slice(head * size, (head + 1) * size));
  const attention = Array.from({ length: batch }, (_, s) =>
    Array.from({ length: heads }, (_, h) => {
      const [q, k, v] = projections.map(({ y }) => part(y, s, h)) as [Matrix, Matrix, Matrix];
      return attentionStep(q, k, v);
    }),
  );
  const joined = (parts: readonly (readonly Matrix[])[]): Matrix =>
    parts.flatMap((sequence) => sequence[0]!.map((_, i) => sequence.flatMap((head) => [...head[i]!])));
  const out = linear(joined(attention.map((sequence) => sequence.map(({ y }) => y))), "out");
  const h = plus(x, out.y);
  const norm2 = normStep(h, matrix("scale2"), matrix("shift2"));
  const up = linear(norm2.y, "up");
  const gate = (one: number) => 0.5 * (1 + erf(one / Math.SQRT2));
  const down = linear(
    up.y.map((row) => row.map((one) => one * gate(one))),
    "down",
  );
  const head = linearStep(plus(h, down.y), matrix("head"), [new Array<number>(classes).fill(0)]);

  const dLogits = head.y.map((row, i) =>
    softmaxRow(row).map((one, j) => (one - (labels[i] === j ? 1 : 0)) / labels.length),
  );
  const [dy, dHead] = head.back(dLogits);
  const [dGelu, dDown, dDownBias] = down.back(dy);
  const slope = up.y.map((row) =>
    row.map((one) => gate(one) + (one * Math.exp((-one * one) / 2)) / Math.sqrt(2 * Math.PI)),
  );
  const [dNorm2, dUp, dUpBias] = up.back(times(dGelu, slope));
  const [dh2, dScale2, dShift2] = norm2.back(dNorm2);
  const dh = plus(dy, dh2);
  const [dMixed, dOut, dOutBias] = out.back(dh);
  const dParts = attention.map((sequence, s) => sequence.map(({ back }, at) => back(part(dMixed, s, at))));
  const back = projections.map((projection, which) =>
    projection.back(joined(dParts.map((sequence) => sequence.map((one) => one[which]!)))),
  );
  const [dFirst, dScale1, dShift1] = norm1.back(back.map(([dx]) => dx).reduce(plus));
  return new Map([
    ["x", plus(dh, dFirst)],
    ["scale1", dScale1],
    ["shift1", dShift1],
    ...["query", "key", "value"].flatMap((name, which): [string, Matrix][] => [
      [name, back[which]![1]],
      [`${name}Bias`, back[which]![2]],
    ]),
    ["out", dOut],
    ["outBias", dOutBias],
    ["scale2", dScale2],
    ["shift2", dShift2],
    ["up", dUp],
    ["upBias", dUpBias],
    ["down", dDown],
    ["downBias", dDownBias],
    ["head", dHead],
  ]);
}

describe("gradients of a transformer block", () => {
  test("are those of a backward pass derived by hand in float64", async () => {
    const next = normal(11);
    const elements = new Map(
      Object.entries(shapes).map(([name, shape]) => {
        const about = name.startsWith("scale") ? 1 : 0;
        return [name, Float32Array.from({ length: elementCount(shape) }, () => about + 0.5 * next())];
      }),
    );
    const [found, expected] = [await ours(elements), reference(elements)];
    expect([...expected.keys()].sort()).toEqual(Object.keys(shapes).sort());
    for (const [name, rows] of expected) {
      const want = rows.flat();
      const off = Math.max(...want.map((one, i) => Math.abs(one - found.get(name)![i]!)));
      const largest = Math.max(...want.map(Math.abs));
      if (process.env["SHOW_ERRORS"])
        process.stdout.write(`${name} ${largest.toExponential(1)} ${off.toExponential(1)}\n`);
      // the same bias in all keys changes no softmax: its gradient is 0, but for rounding beside gradients of about 1
      if (name === "keyBias") expect(off).toBeLessThan(1e-6);
      else expect(off / largest).toBeLessThanOrEqual(1e-5);
    }
  });
});
