// How fast weights are quantized: `npm run bench:kernels`. The SIMD kernels on 1 and 2 threads against the plain
// reference and a copy of the same bytes (TypedArray.set), in one run, interleaved. GB of source a second; `cpu` is by CPU
// time of the whole process, which other work on the machine disturbs less, `wall` by the clock; the best of all rounds.
// The first table is of whole tensors, with the copies into and out of WebAssembly memory and a new result; the second of
// kernel and reference alone, on 1 MiB that is where they want it.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { groupLayout } from "../../src/tensor/kernels/groups.js";
import { createQuantizer } from "../../src/tensor/kernels/pool.js";
import { quantizeReference } from "../../src/tensor/kernels/reference.js";
import { growTo, layOut, loadSimd } from "../../src/tensor/kernels/simd.js";
import { slabsOf } from "../../src/tensor/kernels/slabs.js";
import { halfBits } from "../../src/tensor/numbers.js";
import type { Clip, QuantizedForm, QuantizerSource } from "../../src/tensor/quantized.js";
import { elementCount } from "../../src/tensor/tensor.js";

const rounds = Number(process.argv[2] ?? 9);
const shape = [2048, 4096];
const convolution = [512, 512, 4, 4];

const rows = { bits: 8, signed: true, symmetric: true, granularity: "channel", axis: 0 } as const;
const blocks = { ...rows, granularity: "block", axis: 0, blockSize: 32 } as const;
const cases: readonly [name: string, shape: readonly number[], dtype: QuantizerSource["dtype"], QuantizedForm, Clip][] =
  [
    ["per channel, axis 0", shape, "float32", rows, "max"],
    ["per channel, last axis", shape, "float32", { ...rows, axis: 1 }, "max"],
    ["per channel, middle axis", convolution, "float32", { ...rows, axis: 1 }, "max"],
    ["per channel, axis 0, asymmetric", shape, "float32", { ...rows, signed: false, symmetric: false }, "max"],
    ["per tensor", shape, "float32", { ...rows, granularity: "tensor" }, "max"],
    ["blocks of 32 along K", shape, "float32", blocks, "max"],
    ["blocks of 32, last axis", shape, "float32", { ...blocks, axis: 1 }, "max"],
    ["4 bits, blocks of 32 along K", shape, "float32", { ...blocks, bits: 4, signed: false }, "max"],
    ["4 bits, per channel, axis 0", shape, "float32", { ...rows, bits: 4 }, "max"],
    ["float16, per channel, axis 0", shape, "float16", rows, "max"],
    ["bfloat16, per channel, axis 0", shape, "bfloat16", rows, "max"],
    ["MSE search, per channel, axis 0", shape, "float32", rows, "mse"],
    ["MSE search, per channel, last axis", shape, "float32", { ...rows, axis: 1 }, "mse"],
    ["MSE search, 4 bits, blocks of 32 along K", shape, "float32", { ...blocks, bits: 4, signed: false }, "mse"],
  ];

let state = 1;
const next = () => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return state / 2 ** 32 - 0.5;
};
const floats = Float32Array.from({ length: elementCount(shape) }, () => 0.1 * (next() + next() + next()));
const words = new Uint32Array(floats.buffer);
const sources = {
  float32: floats,
  float16: Uint16Array.from(floats, halfBits),
  bfloat16: Uint16Array.from(words, (word) => word >>> 16),
};

interface Best {
  wallMs: number;
  cpuMs: number;
}

async function time(best: Best, work: () => unknown): Promise<void> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  best.wallMs = Math.min(best.wallMs, performance.now() - started);
  const { user, system } = process.cpuUsage(cpu);
  best.cpuMs = Math.min(best.cpuMs, (user + system) / 1000);
}

const one = createQuantizer(1);
const two = createQuantizer(2);
const table: Record<string, number | string>[] = [];
for (const [name, size, dtype, form, clip] of cases) {
  const data = sources[dtype].subarray(0, elementCount(size));
  const source: QuantizerSource = { dtype, shape: size, data };
  const target = data.slice();
  const never = (): Best => ({ wallMs: Number.POSITIVE_INFINITY, cpuMs: Number.POSITIVE_INFINITY });
  const [plain, single, double, copy] = [never(), never(), never(), never()];
  // the reference is slow: fewer rounds of it
  for (let round = 0; round < rounds; round++) {
    if (round % (clip === "mse" ? 5 : 3) === 0) await time(plain, () => quantizeReference(source, form, clip));
    await time(single, () => one.quantize(source, form, clip));
    await time(double, () => two.quantize(source, form, clip));
    await time(copy, () => target.set(data));
  }
  const speed = (ms: number) => Number((data.byteLength / 1e6 / ms).toFixed(3));
  table.push({
    name,
    referenceCpu: speed(plain.cpuMs),
    simdCpu: speed(single.cpuMs),
    "simd/reference": Number((plain.cpuMs / single.cpuMs).toFixed(1)),
    simdWall: speed(single.wallMs),
    twoThreadsWall: speed(double.wallMs),
    memcpyCpu: speed(copy.cpuMs),
  });
}
await one.close();
await two.close();

/** A slab of 2^18 floats, in memory already. */
const slab = { elements: 1 << 18, halves: false, fourBits: true, results: 1 << 20, work: 1 << 20 };
const { slots, end } = layOut(slab, 1);
const simd = loadSimd()!;
if (!growTo(simd, end)) throw new Error("no memory");
const inside = slots[0]!;
new Float32Array(simd.memory.buffer, inside.source, slab.elements).set(floats.subarray(0, slab.elements));
const kernelTable: Record<string, number | string>[] = [];
const kernelCases: readonly [name: string, shape: readonly number[], QuantizedForm, Clip][] = [
  ["per channel, axis 0", [64, 4096], rows, "max"],
  ["per channel, last axis", [2048, 128], { ...rows, axis: 1 }, "max"],
  ["per channel, middle axis", [512, 32, 4, 4], { ...rows, axis: 1 }, "max"],
  ["blocks of 32 along K", [64, 4096], blocks, "max"],
  ["blocks of 32, last axis", [64, 4096], { ...blocks, axis: 1 }, "max"],
  ["4 bits, per channel, axis 0", [64, 4096], { ...rows, bits: 4 }, "max"],
  ["MSE search, per channel, axis 0", [64, 4096], rows, "mse"],
  ["MSE search, blocks of 32, last axis", [64, 4096], { ...blocks, axis: 1 }, "mse"],
];
for (const [name, size, form, clip] of kernelCases) {
  const [whole] = slabsOf(groupLayout(size, form))!;
  const flags = 3 + (form.bits === 4 ? 4 : 0) + (clip === "mse" ? 8 : 0);
  const { source, bytes, results, work } = inside;
  const packed = form.bits === 4 ? inside.packed : 0;
  const data: QuantizerSource = { dtype: "float32", shape: size, data: floats.subarray(0, slab.elements) };
  const kernel: Best = { wallMs: Number.POSITIVE_INFINITY, cpuMs: Number.POSITIVE_INFINITY };
  const plain: Best = { ...kernel };
  const repeats = clip === "mse" ? 4 : 40;
  for (let round = 0; round < rounds; round++) {
    if (round < 3) await time(plain, () => quantizeReference(data, form, clip));
    await time(kernel, () => {
      for (let repeat = 0; repeat < repeats; repeat++) {
        simd.kernels.quantizeSlab(
          ...[...whole!.pattern, flags, 0, source, slab.elements, 0, bytes, packed, results, whole!.groups, work],
        );
      }
    });
  }
  const speed = (ms: number) => Number(((slab.elements * 4) / 1e6 / ms).toFixed(3));
  kernelTable.push({
    name,
    referenceCpu: speed(plain.cpuMs),
    kernelCpu: speed(kernel.cpuMs / repeats),
    "kernel/reference": Number(((plain.cpuMs / kernel.cpuMs) * repeats).toFixed(1)),
  });
}

console.table(table);
console.table(kernelTable);
mkdirSync("tour", { recursive: true });
writeFileSync(
  "tour/quantize-kernels.json",
  JSON.stringify(
    {
      ...{ node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, load: loadavg()[0], rounds },
      unit: "GB of source a second, best round",
      tensors: table,
      kernels: kernelTable,
    },
    undefined,
    2,
  ),
);
