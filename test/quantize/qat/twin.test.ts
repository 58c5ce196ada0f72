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
  "static, unsigned": { static: "unsigned" },
  "static, signed and symmetric": { static: "signed" },
};

const seeds = Array.from({ length: Number(process.env["QAT_SEEDS"] ?? 6) }, (_, at) => at);

/** Elements as bits, so that -0 and 0 differ and NaN equals itself. */
const bitsOf = ({ data }: Tensor) =>
  data instanceof Float32Array ? [...new Uint32Array(data.slice().buffer)] : [...(data as Iterable<unknown>)];

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
      expect({ name, bits: bitsOf(found.get(name)!) }).toEqual({ name, bits: bitsOf(tensor) });
    }
  });
});
