import { type OptimizerKernels, referenceKernels } from "./optimizer-reference.js";
import { optimizerWasm } from "./optimizer-wasm.js";

/** The functions of assembly/optimizer.ts. */
interface Exports {
  readonly adamw: (...args: readonly number[]) => void;
  readonly sgd: (...args: readonly number[]) => void;
  readonly average: (...args: readonly number[]) => void;
  readonly addScaled: (...args: readonly number[]) => void;
  readonly sumOfSquares: (...args: readonly number[]) => number;
}

/** What is used of WebAssembly, whose types come only with those of a browser. */
interface Platform {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

/** A memory of floats, 0 at first, and the kernels that work in it. */
export interface OptimizerMemory {
  readonly floats: Float32Array;
  readonly kernels: OptimizerKernels;
}

const pageBytes = 65536;
// one less than 4 GiB: the end of the last array is an address too
const mostPages = 65535;

/** A memory of at least `count` floats: for SIMD kernels where the platform has them and it is not above 4 GiB. */
export function optimizerMemory(count: number, how: "simd" | "plain" = "simd"): OptimizerMemory {
  const found = how === "simd" ? simdMemory(count) : undefined;
  if (found) return found;
  const floats = new Float32Array(count);
  return { floats, kernels: referenceKernels(floats) };
}

function simdMemory(count: number): OptimizerMemory | undefined {
  const pages = Math.max(1, Math.ceil((4 * count) / pageBytes));
  if (pages > mostPages) return undefined;
  try {
    const { Module, Memory, Instance } = (globalThis as unknown as { WebAssembly: Platform }).WebAssembly;
    // never grown: that would detach every view of it
    const memory = new Memory({ initial: pages });
    const { exports } = new Instance(new Module(Buffer.from(optimizerWasm, "base64")), { env: { memory } });
    return { floats: new Float32Array(memory.buffer), kernels: kernelsOf(exports as Exports) };
  } catch {
    return undefined;
  }
}

function kernelsOf(wasm: Exports): OptimizerKernels {
  return {
    adamw: (p, m, v, g, count, { scale, share1, beta2, share2, correction, epsilon, rate, keep }) =>
      wasm.adamw(4 * p, 4 * m, 4 * v, 4 * g, count, scale, share1, beta2, share2, correction, epsilon, rate, keep),
    sgd: (p, m, g, count, { scale, momentum, nesterov, rate, keep }) =>
      wasm.sgd(4 * p, 4 * m, 4 * g, count, scale, momentum, nesterov ? 1 : 0, rate, keep),
    average: (e, p, count, share) => wasm.average(4 * e, 4 * p, count, share),
    addScaled: (sum, g, count, scale) => wasm.addScaled(4 * sum, 4 * g, count, scale),
    sumOfSquares: (g, count) => wasm.sumOfSquares(4 * g, count),
  };
}
