import { simdWasm } from "./simd-wasm.js";

/** The functions of assembly/kernels.ts. */
interface Kernels {
  readonly quantizeSlab: (...args: readonly number[]) => void;
  readonly rangeOfPart: (...args: readonly number[]) => void;
  readonly errorsOfPart: (...args: readonly number[]) => void;
  readonly quantizePart: (...args: readonly number[]) => void;
}

/** One call of a kernel; the arguments are numbers, pointers into the shared memory among them. */
export type KernelCall = readonly [name: keyof Kernels, ...args: readonly number[]];

/** A memory several threads can use. */
interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

/** What is used of WebAssembly, whose types come only with those of a browser. */
interface Platform {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => SharedMemory;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

export interface Simd {
  /** A compiled module, which can be posted to another thread. */
  readonly module: object;
  readonly memory: SharedMemory;
  readonly kernels: Kernels;
}

const pageBytes = 65536;
/** 1 GiB; what would need more is left to the reference. */
const mostPages = 16384;

/** The kernels and a memory that threads can share; undefined where the platform lacks one of them. */
export function loadSimd(): Simd | undefined {
  try {
    const { Module, Memory, Instance } = (globalThis as unknown as { WebAssembly: Platform }).WebAssembly;
    const module = new Module(Buffer.from(simdWasm, "base64"));
    const memory = new Memory({ initial: 1, maximum: mostPages, shared: true });
    const { exports } = new Instance(module, { env: { memory } });
    return { module, memory, kernels: exports as Kernels };
  } catch {
    return undefined;
  }
}

/** Makes the memory at least this large; false where it cannot be. */
export function growTo({ memory }: Simd, bytes: number): boolean {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes);
  if (missing <= 0) return true;
  try {
    memory.grow(missing);
    return true;
  } catch {
    return false;
  }
}

/** What the memory of one call holds, as byte offsets. */
export interface Slot {
  readonly source: number;
  readonly wide: number;
  readonly bytes: number;
  readonly packed: number;
  readonly results: number;
  readonly work: number;
}

/** The largest needs of the calls that share slots. */
export interface SlotNeeds {
  readonly elements: number;
  readonly halves: boolean;
  readonly fourBits: boolean;
  /** Bytes of results. */
  readonly results: number;
  readonly work: number;
}

/** Slots side by side from offset 1024 on, and the bytes up to the end of the last one. */
export function layOut(needs: SlotNeeds, count: number): { readonly slots: readonly Slot[]; readonly end: number } {
  let end = 1024;
  // kernels read and write up to 32 bytes over the end
  const take = (bytes: number) => {
    const start = end;
    end = (start + bytes + 64 + 63) & ~63;
    return start;
  };
  const slots = Array.from({ length: count }, () => ({
    source: take(needs.elements * (needs.halves ? 2 : 4)),
    wide: needs.halves ? take(needs.elements * 4) : 0,
    bytes: take(needs.elements),
    packed: needs.fourBits ? take(needs.elements / 2) : 0,
    results: take(needs.results),
    work: take(needs.work + 256),
  }));
  return { slots, end };
}
