import { type ReadExternal, readTensor, tensorInfo } from "../formats/onnx.js";
import type { Balance, Clip, QuantizedWeight, Quantizer, QuantizerSource } from "../tensor/quantized.js";
import { elementCount } from "../tensor/tensor.js";
import { isQuantizable } from "./forms.js";
import type { WeightPlan } from "./scheme.js";
import { type Site, siteKey } from "./sites.js";

/** The weights of one model, read and quantized when they are asked for. */
export interface Weights {
  /** The floats of a site in the layout of its plan. */
  source(site: Site, plan: WeightPlan): QuantizerSource;
  /** The integers of a site in the form of its plan; null where it holds NaN or infinite elements. */
  quantized(site: Site, plan: WeightPlan): Promise<QuantizedWeight | null>;
  /** Takes integers made in another way (AdaRound) for those of a site in that form. */
  put(site: Site, plan: WeightPlan, weight: QuantizedWeight): void;
}

/**
 * `keep` remembers what was quantized, for callers that apply one plan after another: a quarter of the model's floats
 * in memory. `balance` rounds the weights of convolutions such that errors do not add up; false where it is missing.
 */
export function startWeights(
  quantizer: Quantizer,
  readExternal: ReadExternal,
  clip: Clip,
  { keep, balance = false }: { readonly keep: boolean; readonly balance?: Balance | false },
): Weights {
  const known = new Map<string, QuantizedWeight | null>();
  const keyOf = ({ scope, info }: Site, { form, transpose }: WeightPlan) =>
    JSON.stringify([siteKey(scope.path, info.name), form, transpose]);
  const source: Weights["source"] = ({ tensor }, { transpose }) => {
    const { dtype, shape, data } = readTensor(tensor, readExternal) as QuantizerSource;
    return transpose ? transposed({ dtype, shape, data }) : { dtype, shape, data };
  };
  /** One that reads what the quantizer asks for straight to where it wants it; undefined where that cannot be. */
  const storedSource = (site: Site, plan: WeightPlan): QuantizerSource | undefined => {
    const { external, shape, bytes, elements, type } = tensorInfo(site.tensor);
    if (!external || plan.transpose || bytes < minStoredBytes || !isQuantizable(type)) return undefined;
    let data: QuantizerSource["data"] | undefined;
    return {
      dtype: type,
      shape,
      get data() {
        data ??= source(site, plan).data;
        return data;
      },
      fill(into, start) {
        const offset = external.offset + (bytes / elements) * start;
        const target = new Uint8Array(into.buffer as ArrayBuffer, into.byteOffset, into.byteLength);
        const read = readExternal({ ...external, offset, length: target.length }, target.length, target);
        if (read !== target) target.set(read);
      },
    };
  };
  return {
    source,
    async quantized(site, plan) {
      const key = keyOf(site, plan);
      const found = known.get(key);
      if (found !== undefined) return found;
      const kernel = balance && canBalance(site, plan) ? elementCount(site.info.shape.slice(2)) : undefined;
      const weight = await quantizer.quantize(
        storedSource(site, plan) ?? source(site, plan),
        plan.form,
        clip,
        kernel,
        balance || undefined,
      );
      // the sum of squares is finite exactly where all elements are
      const made = Number.isFinite(weight.signal) ? weight : null;
      if (keep) known.set(key, made);
      return made;
    },
    put: (site, plan, weight) => void known.set(keyOf(site, plan), weight),
  };
}

/** Smaller ones are not worth it. */
const minStoredBytes = 1 << 16;

/** In larger weights errors are so many that they even out by themselves, and time counts. */
const maxBalanced = 2 ** 18;

function canBalance({ info, weightUses }: Site, { form }: WeightPlan): boolean {
  const { bits, symmetric, granularity, axis } = form;
  const fits = bits === 8 && symmetric && granularity === "channel" && axis === 0 && info.elements <= maxBalanced;
  return fits && weightUses.length > 0 && weightUses.every(({ node }) => node.opType === "Conv");
}

/** A matrix [N, K] as [K, N]. */
function transposed({ dtype, shape, data }: QuantizerSource): QuantizerSource {
  const [rows, columns] = shape as [number, number];
  const result = data instanceof Float32Array ? new Float32Array(data.length) : new Uint16Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column]!;
  }
  return { dtype, shape: [columns, rows], data: result };
}
