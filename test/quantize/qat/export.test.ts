import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../../src/data/batch.js";
import { decodeModel, type ModelProto, makeTensor, readTensor, tensorInfo } from "../../../src/formats/onnx.js";
import { cloneModel } from "../../../src/graph/clone.js";
import { exposeValues } from "../../../src/graph/expose.js";
import { normalise } from "../../../src/graph/normalise/index.js";
import { raiseOpset } from "../../../src/graph/opset.js";
import { applyPlan } from "../../../src/quantize/apply.js";
import { exportTwin, settleParameters } from "../../../src/quantize/qat/export.js";
import { makeTwin, type PtqParts } from "../../../src/quantize/qat/twin.js";
import type { QuantizeSettings } from "../../../src/quantize/settings.js";
import { applyStatic } from "../../../src/quantize/static/apply.js";
import { elementCount } from "../../../src/tensor/tensor.js";
import { ocrRecognition, readOcrLines } from "../../ocr-lines.js";
import { randomOf } from "../random-graphs.js";
import { noExternal, observe, settings } from "../static/observe.js";
import { parametersOf, ptqParts, runPlain, withParameters } from "./twins.js";

const shape = [1, 3, 48, 192];
const pixels = readOcrLines()[0]!.batch.get("x")!.data as Float32Array;
const picture: Batch = new Map([
  [
    "x",
    {
      dtype: "float32",
      shape,
      data: Float32Array.from({ length: elementCount(shape) }, (_, at) => pixels[at % pixels.length]!),
    },
  ],
]);

function classifier(): ModelProto {
  const model = decodeModel(
    new Uint8Array(readFileSync(join(ocrRecognition, "..", "ch_ppocr_mobile_v2.0_cls_infer.onnx"))),
    "classifier",
  );
  normalise(model, noExternal);
  raiseOpset(model, "classifier");
  return model;
}

async function ptq({ base, plan, activations, ...context }: PtqParts): Promise<ModelProto> {
  const model = cloneModel(base);
  await applyPlan(model, plan, context);
  if (activations) applyStatic(model, activations, noExternal);
  return model;
}

/** Everything about a file but the elements of its tensors, and which values happen to share a scale. */
function structureOf({ graph, opsetImport }: ModelProto) {
  return {
    nodes: graph!.node.map(({ opType, domain, name, output, attribute }) => ({
      opType,
      domain,
      name,
      output,
      attribute,
    })),
    weights: graph!.initializer
      .map(tensorInfo)
      .filter(({ elements }) => elements > 1)
      .map(({ name, type, shape }) => `${name} ${type} ${shape}`),
    opsetImport,
  };
}

const ways: Readonly<Record<string, Partial<QuantizeSettings> & { readonly static?: true }>> = {
  "8 bits, unpacked": { scheme: "unpack", halves: true, minElements: 256 },
  "4 bits, convolutions too": { scheme: "unpack", bits: 4, convolutions4: true },
  static: { static: true },
};

describe.each(Object.entries(ways))("the OCR classifier, %s", (_, { static: isStatic, ...way }) => {
  test("is stored as PTQ stores it, and computes what was trained bit for bit", async () => {
    const base = classifier();
    const statics = isStatic && { settings: settings(), observed: await observe(base, [picture]) };
    const parts = ptqParts(base, way, statics);
    const bits = new Set(
      parts.plan.tensors.flatMap(({ usedBy, form }) => (form && usedBy.includes("Conv") ? [form.bits] : [])),
    );
    // depthwise ones keep 8
    expect([...bits].sort()).toEqual(way.convolutions4 ? [4, 8] : [8]);
    const twin = await makeTwin(parts);
    const untrained = await exportTwin(parts, twin, new Map());
    expect(structureOf(untrained.model)).toEqual(structureOf(await ptq(parts)));

    const random = randomOf(1);
    const trained = parametersOf(twin);
    for (const { data } of trained.values()) {
      for (let at = 0; at < data.length; at++) data[at]! *= 0.95 + 0.1 * random();
    }
    const made = await exportTwin(parts, twin, trained);
    expect(structureOf(made.model)).toEqual(structureOf(await ptq(parts)));
    const found = await runPlain(made.model, picture);
    const expected = await runPlain(withParameters(twin.model, trained), picture);
    expect([...found.values()].map(({ data }) => data)).toEqual([...expected.values()].map(({ data }) => data));
    // what is settled once stays
    const before = new Map([...trained].map(([name, { data }]) => [name, data.slice()]));
    settleParameters(parts, twin, trained);
    for (const [name, { data }] of trained) expect({ name, data }).toEqual({ name, data: before.get(name) });
  });
});

test("a channel whose weights are next to nothing has scales whose product is no denormal: training takes those for 0", async () => {
  const base = classifier();
  const zeroed = base.graph!.initializer.map((tensor) => {
    if (tensor.dims.length !== 4 && tensor.dims.length !== 1) return tensor;
    const { dtype, shape: form, data } = readTensor(tensor, noExternal);
    if (dtype !== "float32" || form[0]! < 8) return tensor;
    const elements = (data as Float32Array).slice();
    elements.fill(1e-35, 0, elements.length / form[0]!);
    return makeTensor(tensor.name, { dtype, shape: form, data: elements });
  });
  base.graph!.initializer = zeroed;
  const statics = { settings: settings(), observed: await observe(base, [picture]) };
  const twin = await makeTwin(ptqParts(base, {}, statics));
  expect(twin.biases.length).toBeGreaterThan(0);
  const { node } = twin.model.graph!;
  const reshaped = new Set(node.filter(({ opType }) => opType === "Reshape").map(({ output }) => output[0]!));
  const scales = node.filter(({ opType, input }) => opType === "Mul" && reshaped.has(input[0]!));
  const names = scales.map(({ output }) => output[0]!);
  const found = await runPlain(exposeValues(twin.model, names), picture);
  const least = names.map((name) => Math.min(...(found.get(name)!.data as Float32Array)));
  expect(names.length).toBeGreaterThanOrEqual(twin.biases.length);
  expect(Math.min(...least)).toBeGreaterThan(2 ** -126);
});
