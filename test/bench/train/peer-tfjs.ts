// The same training in TensorFlow.js on its wasm backend (SIMD, so many threads): peer-tfjs.ts JOB, as for peer.py.
// A model whose gradient needs a kernel that the backend lacks ends with that error.
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
  add(other: T): T;
  relu(): T;
  matMul(other: T, transposeA?: boolean, transposeB?: boolean): T;
  mean(axes: number[]): T;
  dataSync(): Float32Array;
  dispose(): void;
}

/** What is used of TensorFlow.js. */
interface Tf {
  readonly version: { readonly tfjs: string };
  readonly train: { adam(rate: number): { minimize(loss: () => T, returnCost: true): T } };
  readonly losses: { softmaxCrossEntropy(labels: T, logits: T): T };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor(data: Float32Array | Int32Array, shape: number[], dtype: "float32" | "int32"): T;
  variable(value: T): T;
  oneHot(indices: T, depth: number): T;
  transpose(x: T, order: number[]): T;
  conv2d(x: T, filter: T, strides: number, pad: number): T;
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
  weights.set(name, tf.variable(tensor.shape.length === 4 ? tf.transpose(value, [2, 3, 1, 0]) : value));
}
const of = (name: string) => weights.get(name)!;

function mlp(x: T): T {
  const hidden = x.matMul(of("fc1.weight"), false, true).add(of("fc1.bias")).relu();
  return hidden.matMul(of("fc2.weight"), false, true).add(of("fc2.bias"));
}

function conv(name: string, x: T, stride = 1): T {
  const filter = of(`${name}.weight`);
  return tf.conv2d(x, filter, stride, (filter.shape[0]! - 1) / 2).add(of(`${name}.bias`));
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

const models: Readonly<Record<string, (x: T) => T>> = { mlp, cnn };
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
    x: x.shape.length === 4 ? tf.transpose(x, [0, 2, 3, 1]) : x,
    labels: tf.oneHot(toTf(batch("labels", at)), 10),
  };
});
const optimizer = tf.train.adam(job.rate);
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
