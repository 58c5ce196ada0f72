// The ways to write a convolution and its gradients, timed: `npx tsx test/bench/train/conv-forms.ts [rounds]`. CPU-ms of
// one thread, the best of all rounds, so that other work on the machine disturbs little; "-" where a form does not apply.
// "in blocks" is onnxruntime's blocked layout, with the change of layouts before and after. The choices in
// src/train/rules/{weight,input}-gradient.ts and src/train/blocked.ts rest on these figures.
import { uniform } from "../../../src/data/random.js";
import { openSession } from "../../../src/engine/session.js";
import { encodeModel } from "../../../src/formats/onnx.js";
import { assembleModel } from "../../../src/graph/assemble.js";
import { createBuilder, type GraphBuilder, type Value } from "../../../src/graph/builder.js";
import { elementCount, type Tensor } from "../../../src/tensor/tensor.js";
import { blockSize } from "../../../src/train/block-size.js";
import { blockConvolutions } from "../../../src/train/blocked.js";
import { type ConvGeometry, convAttributes } from "../../../src/train/rules/geometry.js";
import { transposedForm, turnedForm } from "../../../src/train/rules/input-gradient.js";
import {
  depthwiseForm,
  flatten,
  overPatches,
  singleTapForm,
  tapOf,
  tapsOf,
  unfoldForm,
  type WeightForm,
  weightGradient,
  windowForm,
  withPads,
} from "../../../src/train/rules/weight-gradient.js";

const rounds = Number(process.argv[2] ?? 25);

interface Setting {
  readonly title: string;
  readonly x: Value;
  readonly w: Value;
  readonly g: Value;
  readonly geometry: ConvGeometry;
}

function setting(
  rows: number,
  inner: number,
  out: number,
  side: number,
  kernel: number,
  stride = 1,
  group = 1,
): Setting {
  const pad = (kernel - 1) / 2;
  const small = Math.floor((side + 2 * pad - kernel) / stride) + 1;
  const value = (name: string, shape: readonly number[]): Value => ({ name, dtype: "float32", shape });
  const both = (n: number) => [n, n];
  return {
    title: `${group > 1 ? "dw " : ""}${inner}->${out} ${kernel}x${kernel}${stride > 1 ? `/${stride}` : ""}, ${side}x${side}, batch ${rows}`,
    x: value("x", [rows, inner, side, side]),
    w: value("w", [out, inner / group, kernel, kernel]),
    g: value("g", [rows, out, small, small]),
    geometry: {
      ...{ kernel: both(kernel), strides: both(stride), dilations: both(1), begin: both(pad), end: both(pad) },
      ...{ group, large: both(side), small: both(small) },
    },
  };
}

/** Slices for all taps side by side instead of a Conv with single ones. */
const slicesForm: WeightForm = (b, x, g, geometry) => {
  const whole = withPads(b, x, geometry);
  const [rows, channels] = x.shape as readonly [number, number];
  const taps = tapsOf(geometry.kernel).map((tap) =>
    b.reshape(tapOf(b, whole, tap, geometry), [rows, channels, 1, ...geometry.small]),
  );
  const patches = b.concat(taps, 2);
  return overPatches(b, flatten(b, b.reshape(patches, [rows, channels * taps.length, ...geometry.small])), g, geometry);
};

/** A Conv of pictures whose channels are the batch, with g as its filters. */
const swappedForm: WeightForm = (b, x, g, { strides, dilations, begin, end, kernel, small }) => {
  const [pictures, filters] = [b.transpose(x, [1, 0, 2, 3]), b.transpose(g, [1, 0, 2, 3])];
  const sizes = pictures.shape
    .slice(2)
    .map(
      (size, at) =>
        Math.floor((size + begin[at]! + end[at]! - (small[at]! - 1) * strides[at]! - 1) / dilations[at]!) + 1,
    );
  const shape = [pictures.shape[0]!, filters.shape[0]!, ...sizes];
  const attributes = convAttributes({ kernel: small, strides: dilations, dilations: strides, begin, end }, 1);
  const all = b.op("Conv", [pictures, filters], { dtype: "float32", shape }, attributes);
  return b.transpose(b.slice(all, [2, 3], [0, 0], kernel), [1, 0, 2, 3]);
};

type Form = readonly [
  name: string,
  applies: (s: Setting) => boolean,
  write: (b: GraphBuilder, s: Setting) => Value,
  blocks?: true,
];

const always = () => true;
const dense = ({ geometry }: Setting) => geometry.group === 1;
const turnable = ({ geometry }: Setting) => dense({ geometry } as Setting) && geometry.strides[0] === 1;
const single = ({ geometry }: Setting) => dense({ geometry } as Setting) && geometry.kernel[0] === 1;
const depthwise = ({ geometry }: Setting) => geometry.group > 1;
const weight =
  (form: WeightForm) =>
  (b: GraphBuilder, { x, g, geometry }: Setting) =>
    form(b, x, g, geometry);
const forward = (b: GraphBuilder, { x, w, g, geometry }: Setting) =>
  b.op("Conv", [x, w], g, convAttributes(geometry, geometry.group));

const forms: readonly Form[] = [
  ["forward: Conv", always, forward],
  ["forward: in blocks", always, forward, true],
  ["dX: ConvTranspose", always, (b, { g, w, geometry }) => transposedForm(b, g, w, geometry)],
  ["dX: Conv, weights turned", turnable, (b, { g, w, geometry }) => turnedForm(b, g, w, geometry)],
  ["dX: the same in blocks", turnable, (b, { g, w, geometry }) => turnedForm(b, g, w, geometry), true],
  ["dW: chosen", always, weight(weightGradient)],
  ["dW: one tap", single, weight(singleTapForm)],
  ["dW: tap by tap", depthwise, weight(depthwiseForm)],
  ["dW: one-hot unfold", always, weight(unfoldForm)],
  ["dW: window", dense, weight(windowForm)],
  ["dW: slices", always, weight(slicesForm)],
  ["dW: swapped Conv", dense, weight(swappedForm)],
  ["dW: swapped, in blocks", dense, weight(swappedForm), true],
];

async function cpuMs({ x, w, g }: Setting, write: (b: GraphBuilder) => Value, block: number): Promise<number> {
  const taken = new Map<string, number>();
  const fresh = (base: string) => {
    const count = taken.get(base) ?? 0;
    taken.set(base, count + 1);
    return `${base}.${count}`;
  };
  const b = createBuilder(fresh);
  const result = write(b);
  // one element of it: what leaves onnxruntime is copied
  const output = b.slice(result, [0, 1, 2, 3], [0, 0, 0, 0], [1, 1, 1, 1]);
  const inputs = [x, w, g];
  const formOf = (name: string) => b.values.get(name) ?? inputs.find((one) => one.name === name);
  const laidOut =
    block > 0
      ? blockConvolutions(b.nodes, formOf, new Set([output.name]), fresh, block)
      : { nodes: b.nodes, initializers: [] };
  const used = inputs.filter(({ name }) => laidOut.nodes.some(({ input }) => input.includes(name)));
  const initializers = [...b.initializers, ...laidOut.initializers];
  const session = await openSession(
    encodeModel(assembleModel({ nodes: laidOut.nodes, initializers, inputs: used, outputs: [output] })),
  );
  const next = uniform(1);
  const feeds = new Map(
    used.map(({ name, shape }): [string, Tensor] => [
      name,
      { dtype: "float32", shape, data: Float32Array.from({ length: elementCount(shape) }, () => next() - 0.5) },
    ]),
  );
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await session.run(feeds);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  await session.close();
  return best;
}

const settings = [
  setting(64, 16, 16, 28, 3),
  setting(64, 16, 32, 28, 3, 2),
  setting(64, 32, 32, 14, 3),
  setting(64, 64, 64, 7, 3),
  setting(64, 16, 32, 28, 1, 2),
  setting(8, 96, 96, 28, 3, 1, 96),
  setting(8, 64, 64, 32, 3),
  setting(64, 8, 16, 28, 3),
];
const block = await blockSize();
console.log(`channels in a block: ${block || "no blocked layout on this machine"}`);
console.log(["CPU-ms".padEnd(26), ...settings.map((_, at) => `(${at + 1})`.padStart(7))].join(""));
for (const [name, applies, write, blocks] of forms) {
  const cells: string[] = [];
  for (const one of settings) {
    const ms =
      applies(one) && !(blocks && block === 0) ? await cpuMs(one, (b) => write(b, one), blocks ? block : 0) : undefined;
    cells.push((ms?.toFixed(2) ?? "-").padStart(7));
  }
  console.log([name.padEnd(26), ...cells].join(""));
}
for (const [at, { title }] of settings.entries()) console.log(`(${at + 1}) ${title}`);
