import { describe, expect, test } from "@jest/globals";
import { decodeModel, encodeModel } from "../../../src/formats/onnx.js";
import { normalise } from "../../../src/graph/normalise/index.js";
import { raiseOpset } from "../../../src/graph/opset.js";
import { exportTwin } from "../../../src/quantize/qat/export.js";
import { makeTwin } from "../../../src/quantize/qat/twin.js";
import type { QuantizeSettings } from "../../../src/quantize/settings.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { randomModel, randomOf } from "../random-graphs.js";
import { noExternal, observe, settings } from "../static/observe.js";
import { parametersOf, ptqParts, runPlain, withParameters } from "./twins.js";

const ways: Readonly<Record<string, Partial<QuantizeSettings> & { readonly static?: "signed" | "unsigned" }>> = {
  "8 bits": { scheme: "unpack" },
  "8 bits, small ones as halves": { scheme: "unpack", halves: true, minElements: 200 },
  "8 bits, DequantizeLinear": { scheme: "qdq" },
  "8 bits, zero points": { scheme: "unpack", asymmetric: true },
  "4 bits": { bits: 4, blockSize: 16, scheme: "qdq" },
  "4 bits, zero points": { bits: 4, asymmetric: true, scheme: "unpack" },
  "4 bits, one scale": { bits: 4, perTensor: true, scheme: "unpack" },
  "static, unsigned": { scheme: "unpack", static: "unsigned" },
  "static, signed and symmetric": { scheme: "unpack", static: "signed" },
};

// the last one has products in the branches of an If, which stay as rounding alone has them
const seeds = [...Array.from({ length: Number(process.env["QAT_SEEDS"] ?? 6) }, (_, at) => at), 94];

/** Elements as they are, but zeros without a sign: rounding in floats may give -0 where integers have but one. */
const elementsOf = ({ data }: Tensor) => [...(data as Iterable<unknown>)].map((one) => (one === 0 ? 0 : one));

/** The largest difference over the largest element. */
function distance({ data }: Tensor, expected: Tensor): number {
  let [most, peak] = [0, 1e-9];
  for (const [at, one] of (expected.data as Float32Array).entries()) {
    most = Math.max(most, Math.abs(Number(data[at]) - Number(one)));
    peak = Math.max(peak, Math.abs(Number(one)));
  }
  return most / peak;
}

describe.each(Object.entries(ways))("a trained twin equals its file bit for bit: %s", (_, way) => {
  test.each(seeds)("random model %i", async (seed) => {
    const { model, feeds, half } = randomModel(seed);
    if (half) return;
    const base = decodeModel(encodeModel(model), "base");
    normalise(base, noExternal);
    raiseOpset(base, "base", 13, noExternal);
    const { static: signs, ...rest } = way;
    const statics = signs && {
      settings: settings({
        activationSigned: signs === "signed",
        symmetric: signs === "signed",
        weightSigned: signs === "signed",
      }),
      observed: await observe(base, [feeds]),
    };
    const parts = ptqParts(base, rest, statics);
    // kernels of their own sum up in another order
    if (parts.plan.tensors.some(({ scheme }) => scheme === "nbits" || scheme === "dynamic")) return;
    const twin = await makeTwin(parts);
    const random = randomOf(seed);
    const trained = parametersOf(twin, 8);
    for (const { data } of trained.values()) {
      for (let at = 0; at < data.length; at++) data[at]! *= 0.8 + 0.4 * random();
    }
    const made = await exportTwin(parts, twin, trained);
    const found = await runPlain(made.model, feeds);
    const expected = await runPlain(withParameters(twin.model, trained), feeds);
    for (const [name, tensor] of expected) {
      // a weight behind a Cast is not packed beforehand, and products of some shapes are then summed in another order
      if (rest.halves) expect({ name, near: distance(found.get(name)!, tensor) < 1e-5 }).toEqual({ name, near: true });
      else expect({ name, elements: elementsOf(found.get(name)!) }).toEqual({ name, elements: elementsOf(tensor) });
    }
  });
});
