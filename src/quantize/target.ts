/** Processors and runtimes a file may be made for, as far as they differ for integers. */
export type Target = "avx2" | "vnni" | "arm64" | "web";

/** The part that matters here of a version of onnxruntime, e.g. "1.22". */
export type OrtVersion = `1.${number}`;

/** What files are made for unless told otherwise: the first version that runs DequantizeLinear -> MatMul in 8 bits. */
export const defaultOrtMin: OrtVersion = "1.25";

/**
 * The target a machine is. `arch` as Node names it, `cpuFlags` as /proc/cpuinfo lists them (empty where it is not
 * known: then x86 counts as one without VNNI, whose files are right everywhere).
 */
export function detectTarget(arch: string, cpuFlags: readonly string[] = []): Target {
  if (arch === "arm64") return "arm64";
  return cpuFlags.some((flag) => flag === "avx512_vnni" || flag === "avx_vnni") ? "vnni" : "avx2";
}

/** Ways to compute with 8-bit weights, as this toolkit emits them. */
export type Kernel =
  | "MatMulNBits"
  | "MatMulInteger"
  | "ConvInteger"
  | "DynamicQuantizeLSTM"
  | "QLinearMatMul"
  | "QGemm"
  | "QLinearConv"
  | "floats";

interface KernelFacts {
  /** The first onnxruntime that has the kernel for such weights; undefined where none has. */
  readonly signedSince?: OrtVersion;
  readonly unsignedSince?: OrtVersion;
  /** Whether sums of products of u8 activations and s8 weights overflow 16 bits on x86 without VNNI (vpmaddubsw). */
  readonly signedSaturates: boolean;
}

/**
 * What kernels do with signed and unsigned weights. Sources: onnxruntime 1.20 to 1.30 run with each kernel; saturation
 * with activations of 255 and weights of 127 on a processor with AVX2 only, where u8 x s8 gives 50.6 % of the right
 * value in the worst case, and u8 weights with zero point 128 are exact. Depthwise QLinearConv and ConvInteger do not
 * saturate. MatMulNBits stores unsigned weights and never saturates; weights that become floats cannot.
 */
const kernels: Readonly<Record<Kernel, KernelFacts>> = {
  MatMulNBits: { unsignedSince: "1.22", signedSaturates: false },
  MatMulInteger: { signedSince: "1.20", unsignedSince: "1.20", signedSaturates: true },
  ConvInteger: { signedSince: "1.24", unsignedSince: "1.20", signedSaturates: false },
  DynamicQuantizeLSTM: { signedSince: "1.20", unsignedSince: "1.20", signedSaturates: true },
  QLinearMatMul: { signedSince: "1.20", unsignedSince: "1.20", signedSaturates: true },
  QGemm: { signedSince: "1.20", unsignedSince: "1.20", signedSaturates: true },
  QLinearConv: { signedSince: "1.20", unsignedSince: "1.20", signedSaturates: true },
  floats: { signedSince: "1.20", unsignedSince: "1.20", signedSaturates: false },
};

/** Whether a kernel's weights are best stored signed on a target: exact first, then fast, then small. */
export function signedFor(kernel: Kernel, target: Target, ortMin: OrtVersion): boolean {
  const { signedSince, unsignedSince, signedSaturates } = kernels[kernel];
  if (signedSince === undefined || !isAtLeast(ortMin, signedSince)) return false;
  if (unsignedSince === undefined) return true;
  // without VNNI the products of pairs are added in 16 bits; wasm runs on whatever x86 the visitor has
  return !(signedSaturates && (target === "avx2" || target === "web"));
}

/** Whether a version has what came with another. */
export function isAtLeast(version: OrtVersion, since: OrtVersion): boolean {
  const minor = (text: string) => Number(text.split(".")[1]);
  return minor(version) >= minor(since);
}

/**
 * What of this toolkit's weight-only forms came with which onnxruntime; run with 1.20, 1.22, 1.23, 1.25 and 1.30. Where
 * DequantizeLinear does not fuse, it makes MatMul 10 times slower than with floats (1 row, K = N = 2048: 6 against 0.65 ms).
 */
export const ortSince = {
  /** MatMulNBits with bits = 8 (up to 1.22 with accuracy_level 4 only). */
  nbits8: "1.22",
  nbits4: "1.20",
  /** DequantizeLinear -> MatMul or Gemm computed as MatMulNBits (of 4 bits, a MatMul with nothing added even before). */
  fusedQdq: "1.25",
} as const satisfies Record<string, OrtVersion>;

/**
 * Up to how many rows of activations MatMulNBits in 8 bits beats float32 MatMul (K = N = 2048, one thread): with blocks
 * of 32, as the runtime makes of DequantizeLinear, up to 8 (0.54 against 0.81 ms; 16 rows cost the same); with 128 or
 * more at every number of rows where there is VNNI (128 rows: 4.3 against 6.3 ms). In WebAssembly never: there it is 26
 * times slower than floats (onnxruntime-web 1.30, 1 row: 16.5 against 0.63 ms), while unpacked weights cost nothing.
 */
export function fastRows(target: Target, blockSize: number): number {
  if (target === "web") return 0;
  return target === "vnni" && blockSize >= 128 ? Number.POSITIVE_INFINITY : 8;
}
