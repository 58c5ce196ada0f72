// The same training in TensorFlow.js on its wasm backend (SIMD, so many threads): peer-tfjs.ts JOB, as for peer.py.
// Two gradients need kernels that the backend lacks (Conv2DBackpropFilter, UnsortedSegmentSum); they are written here with
// kernels that it has: the filter's as a product for each of its places, the table's as a product with one-hot words.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { decodeNpz } from "../../../src/formats/npz.js";
import { numbersOf } from "../../../src/tensor/numbers.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { peakBytes } from "./peak.js";

/** What is used of a tensor of TensorFlow.js. */
interface T {
  readonly shape: number[];
  add(other: T | number): T;
  sub(other: T): T;
  mul(other: T | number): T;
  square(): T;
  rsqrt(): T;
  erf(): T;
  relu(): T;
  softmax(): T;
  flatten(): T;
  cast(dtype: "float32"): T;
  matMul(other: T, transposeA?: boolean, transposeB?: boolean): T;
  mean(axes: number[], keep?: boolean): T;
  reshape(shape: number[]): T;
  transpose(order: number[]): T;
  dataSync(): Float32Array;
  dispose(): void;
}

/** What is used of TensorFlow.js. */
interface Tf {
  readonly version: { readonly tfjs: string };
  readonly train: {
    adam(rate: number, beta1: number, beta2: number, epsilon: number): { minimize(loss: () => T, returnCost: true): T };
  };
  readonly losses: { softmaxCrossEntropy(labels: T, logits: T): T };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(data: Float32Array | Int32Array, shape: number[], dtype: "float32" | "int32"): T;
  variable(value: T, trainable?: boolean): T;
  oneHot(indices: T, depth: number): T;
  gather(x: T, indices: T): T;
  zerosLike(x: T): T;
  stack(parts: T[]): T;
  pad(x: T, pads: [number, number][]): T;
  stridedSlice(x: T, begin: number[], end: number[], strides: number[]): T;
  conv2d(x: T, filter: T, strides: number, pad: number): T;
  conv2dTranspose(x: T, filter: T, shape: number[], strides: number, pad: number): T;
  customGrad<A extends T[]>(
    f: (...args: [...A, (kept: T[]) => void]) => { value: T; gradFunc: (dy: T, kept: T[]) => T[] },
  ): (...args: A) => T;
  tidy<R>(work: () => R): R;
}

const job = JSON.parse(process.argv[2]!) as {
  readonly folder: string;
  readonly model: string;
  readonly weights: string;
  readonly data: string;
  readonly threads: number;
  readonly seconds: number;
  readonly rate: number;
};
const load = createRequire(join(job.folder, "package.json"));
const tf = load("@tensorflow/tfjs") as Tf;
const wasm = load("@tensorflow/tfjs-backend-wasm") as {
  setWasmPaths(folder: string): void;
  setThreadsCount(n: number): void;
};
wasm.setWasmPaths(join(job.folder, "node_modules/@tensorflow/tfjs-backend-wasm/dist/"));
wasm.setThreadsCount(job.threads);
await tf.setBackend("wasm");
await tf.ready();

const read = (path: string) => decodeNpz(new Uint8Array(readFileSync(path)));
const toTf = ({ dtype, shape, data }: Tensor): T =>
  dtype === "float32"
    ? tf.tensor(data as Float32Array, [...shape], "float32")
    : tf.tensor(Int32Array.from(numbersOf({ dtype, shape, data })), [...shape], "int32");

const weights = new Map<string, T>();
for (const [name, tensor] of read(job.weights)) {
  const value = toTf(tensor);
  // filters as [height, width, in, out]
  weights.set(name, tf.variable(tensor.shape.length === 4 ? value.transpose([2, 3, 1, 0]) : value));
}
const of = (name: string) => weights.get(name)!;

function mlp(x: T): T {
  const hidden = x.matMul(of("fc1.weight"), false, true).add(of("fc1.bias")).relu();
  return hidden.matMul(of("fc2.weight"), false, true).add(of("fc2.bias"));
}

/** A square convolution; its filter's gradient is a product of what each place of the window sees with dy. */
const convolution = (stride: number, size: number, isFirst: boolean) =>
  tf.customGrad<[T, T]>((x, filter, save) => {
    save([x, filter]);
    const border = (size - 1) / 2;
    return {
      value: tf.conv2d(x, filter, stride, border),
      gradFunc: (dy, [x, filter]) => {
        const [rows, height, width, inner] = x!.shape as [number, number, number, number];
        const wide = tf.pad(x!, [
          [0, 0],
          [border, border],
          [border, border],
          [0, 0],
        ]);
        const flat = dy.reshape([-1, filter!.shape[3]!]);
        const places = Array.from({ length: size * size }, (_, at) => {
          const [i, j] = [Math.floor(at / size), at % size];
          const end = [rows, i + height, j + width, inner];
          return tf.stridedSlice(wide, [0, i, j, 0], end, [1, stride, stride, 1]).reshape([-1, inner]);
        });
        const products = places.map((seen) => seen.matMul(flat, true));
        return [
          isFirst ? tf.zerosLike(x!) : tf.conv2dTranspose(dy, filter!, x!.shape, stride, border),
          tf.stack(products).reshape(filter!.shape),
        ];
      },
    };
  });

function conv(name: string, x: T, stride = 1): T {
  const filter = of(`${name}.weight`);
  return convolution(stride, filter.shape[0]!, name === "stem")(x, filter).add(of(`${name}.bias`));
}

function cnn(x: T): T {
  let y = conv("stem", x).relu();
  for (const block of ["block1", "block2", "block3"]) {
    const stride = block === "block1" ? 1 : 2;
    const inner = conv(`${block}_second`, conv(`${block}_first`, y, stride).relu());
    y = inner.add(weights.has(`${block}_short.weight`) ? conv(`${block}_short`, y, stride) : y).relu();
  }
  return y.mean([1, 2]).matMul(of("head.weight"), false, true).add(of("head.bias"));
}

/** Rows of a table; the gradient of the table is a product. */
function embedding(table: T, ids: T): T {
  const flat = ids.flatten();
  const [words, width] = table.shape as [number, number];
  const looked = tf.customGrad<[T]>((table) => ({
    value: tf.gather(table, flat),
    gradFunc: (dy) => [tf.oneHot(flat, words).cast("float32").matMul(dy, true)],
  }));
  return looked(table).reshape([...ids.shape, width]);
}

function norm(name: string, x: T): T {
  const off = x.sub(x.mean([-1], true));
  const scale = off.square().mean([-1], true).add(1e-5).rsqrt();
  return off
    .mul(scale)
    .mul(of(`${name}.weight`))
    .add(of(`${name}.bias`));
}

/** One pre-norm block, causal; x [rows, width] but in attention. */
function transformer(ids: T): T {
  const [batch, length] = ids.shape as [number, number];
  const [width, heads] = [of("tokens").shape[1]!, 4];
  const linear = (name: string, x: T) => x.matMul(of(`${name}.weight`)).add(of(`${name}.bias`));
  let x = embedding(of("tokens"), ids).add(of("positions")).reshape([-1, width]);
  const y = norm("norm1", x);
  const split = (name: string) => linear(name, y).reshape([batch, length, heads, -1]).transpose([0, 2, 1, 3]);
  const [query, key, value] = [split("query"), split("key"), split("value")];
  const scores = query.matMul(key, false, true).mul(1 / Math.sqrt(width / heads));
  const attended = scores.add(causal(length)).softmax().matMul(value);
  x = x.add(linear("out", attended.transpose([0, 2, 1, 3]).reshape([-1, width])));
  const up = linear("up", norm("norm2", x));
  const gelu = up.mul(up.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
  x = x.add(linear("down", gelu));
  return norm("norm3", x).matMul(of("head.weight"));
}

let hidden: T | undefined;
/** What is added to scores, so that nothing later is seen. */
function causal(length: number): T {
  const data = Float32Array.from({ length: length * length }, (_, at) =>
    at % length <= Math.floor(at / length) ? 0 : -1e9,
  );
  hidden ??= tf.variable(tf.tensor(data, [length, length], "float32"), false);
  return hidden;
}

const models: Readonly<Record<string, (x: T) => T>> = { mlp, cnn, transformer };
const forward = models[job.model];
if (!forward) throw new Error(`${job.model} is not written for TensorFlow.js`);

const data = read(job.data);
/** Batch `at` of an array of batches. */
function batch(name: string, at: number): Tensor {
  const { dtype, shape, data: all } = data.get(name)!;
  const [, ...sizes] = shape;
  const size = sizes.reduce((product, n) => product * n, 1);
  return { dtype, shape: sizes, data: (all as Float32Array).slice(at * size, (at + 1) * size) };
}
const count = data.get("x")!.shape[0]!;
const batches = Array.from({ length: count }, (_, at) => {
  const x = toTf(batch("x", at));
  return {
    x: x.shape.length === 4 ? x.transpose([0, 2, 3, 1]) : x,
    labels: tf.oneHot(toTf(batch("labels", at)).flatten(), job.model === "transformer" ? 1000 : 10),
  };
});
const optimizer = tf.train.adam(job.rate, 0.9, 0.999, 1e-8);
function step(at: number): number {
  const { x, labels } = batches[at]!;
  return tf.tidy(
    () => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(labels, forward!(x)), true).dataSync()[0]!,
  );
}

const losses = batches.map((_, at) => step(at));
let steps = 0;
const [wall, cpu] = [performance.now(), process.cpuUsage()];
while (performance.now() - wall < 1000 * job.seconds) step(steps++ % count);
const seconds = (performance.now() - wall) / 1000;
const { user, system } = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    version: tf.version.tfjs,
    losses,
    stepsPerSecond: steps / seconds,
    cpuMs: (user + system) / 1000 / steps,
    peakBytes: peakBytes(),
  }),
);
process.exit(0);
