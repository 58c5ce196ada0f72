/** How integers stand for the floats of a tensor. */
export interface QuantizedForm {
  readonly bits: 8 | 4;
  readonly signed: boolean;
  /**
   * Symmetric: scale = max |w| / 127 (8 bits) or / 7 (4 bits), zero point 0 or, unsigned, 128 or 8. Asymmetric: the range
   * from min(w, 0) to max(w, 0) over all 2^bits values, with a zero point of its own.
   */
  readonly symmetric: boolean;
  /** What shares one scale: the whole tensor, an index of `axis`, or `blockSize` elements along `axis`. */
  readonly granularity: "tensor" | "channel" | "block";
  /** The channel axis; for blocks the axis that is cut into them. */
  readonly axis: number;
  /** Elements along `axis` that share a scale; the last block may be shorter. Only for blocks. */
  readonly blockSize?: number;
}

/** A tensor in a quantized form. */
export interface QuantizedWeight {
  readonly form: QuantizedForm;
  readonly shape: readonly number[];
  /** Row-major like the source; 4-bit values lie two in a byte, the earlier one in the low half (Uint8Array). */
  readonly values: Uint8Array<ArrayBuffer> | Int8Array<ArrayBuffer>;
  /** One per tensor, channel or block, float32, row-major in `scaleShape`. */
  readonly scales: Float32Array<ArrayBuffer>;
  /** `[]` per tensor, `[channels]` per channel; for blocks the source's shape with `axis` divided by the block size, rounded up. */
  readonly scaleShape: readonly number[];
  /** One per scale and unpacked even for 4 bits; null where all are 0 (signed symmetric). */
  readonly zeroPoints: Uint8Array<ArrayBuffer> | Int8Array<ArrayBuffer> | null;
  /** Sum of squares of the source; not finite exactly where the source is not. */
  readonly signal: number;
  /** Sum of squared differences between source and dequantized values. */
  readonly noise: number;
}

/** Floats to quantize: float32 values, or the bit patterns of float16 or bfloat16; all should be finite, see `signal`. */
export interface QuantizerSource {
  readonly dtype: "float32" | "float16" | "bfloat16";
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint16Array;
  /** Where the elements are in memory only once `data` is asked for: puts those from `start` on into `into`. */
  readonly fill?: ((into: Float32Array | Uint16Array, start: number) => void) | undefined;
}

/** How the range of a scale is chosen: the largest value, or the clip of it that costs the least squared error. */
export type Clip = "max" | "mse";

/** Over what the errors of a convolution are made to cancel out: each kernel, or all kernels of an output, too. */
export type Balance = "kernels" | "outputs";

/** Turns floats into integers; implementations agree bit for bit. */
export interface Quantizer {
  /**
   * `kernel`, where it is given, balances the errors of a convolution's weight [outputs, inputs, ...kernel] in symmetric
   * 8 bits with a scale for each output: how many elements it has for each input (balance.ts). `over` is `outputs` unless told otherwise.
   */
  quantize(
    source: QuantizerSource,
    form: QuantizedForm,
    clip: Clip,
    kernel?: number,
    over?: Balance,
  ): Promise<QuantizedWeight>;
  /** Ends what works in the background; later calls do nothing. */
  close(): Promise<void>;
}
