import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "onnx-buf";
import type { Batch } from "../../../src/data/batch.js";
import { openSession } from "../../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto } from "../../../src/formats/onnx.js";
import { applyPlan } from "../../../src/quantize/apply.js";
import { plainQuantizer } from "../../../src/quantize/channels.js";
import { planQuantization } from "../../../src/quantize/plan.js";
import { applyStatic } from "../../../src/quantize/static/apply.js";
import { operatorCosts } from "../../../src/quantize/static/costs.js";
import { planStatic, type StaticPlan } from "../../../src/quantize/static/plan.js";
import type { ObservedValue, StaticSettings } from "../../../src/quantize/static/settings.js";

export const noExternal = () => {
  throw new Error("no external data here");
};

export const copyOf = (model: ModelProto) => decodeModel(encodeModel(model), "copy");

/** The least and largest element of every float value of the main graph. */
export async function observe(
  model: ModelProto,
  batches: readonly Batch[],
): Promise<ReadonlyMap<string, ObservedValue>> {
  const all = copyOf(model);
  const outputs = new Set(all.graph!.output.map(({ name }) => name));
  for (const name of all.graph!.node.flatMap(({ output }) => output)) {
    if (name && !outputs.has(name)) all.graph!.output.push(create(ValueInfoProtoSchema, { name }));
    outputs.add(name);
  }
  const session = await openSession(encodeModel(all), { graphOptimization: "disabled" });
  const seen = new Map<string, { min: number; max: number; elements: number }>();
  for (const batch of batches) {
    for (const [name, { dtype, data }] of [...batch, ...(await session.run(batch))]) {
      if (dtype !== "float32") continue;
      let { min, max, elements } = seen.get(name) ?? { min: Infinity, max: -Infinity, elements: 0 };
      for (const value of data as Float32Array) {
        if (value < min) min = value;
        if (value > max) max = value;
      }
      elements += data.length / batches.length;
      seen.set(name, { min, max, elements });
    }
  }
  await session.close();
  return seen;
}

export const settings = (changed: Partial<StaticSettings> = {}): StaticSettings => ({
  activationSigned: false,
  weightSigned: true,
  symmetric: false,
  minRealRange: 0,
  matmulOfActivations: false,
  placement: "everywhere",
  costs: operatorCosts.vnni,
  ...changed,
});

/** A copy of a model with its static plan carried out; weights the plan does not need stay floats. */
export async function quantized(
  model: ModelProto,
  observed: ReadonlyMap<string, ObservedValue>,
  changed: Partial<StaticSettings> = {},
): Promise<{ readonly model: ModelProto; readonly plan: StaticPlan }> {
  const copy = copyOf(model);
  const used = settings(changed);
  const plan = planStatic(copy, observed, used, noExternal);
  const weights = planQuantization(
    copy,
    { scheme: "qdq", signed: used.weightSigned, clip: "max", minElements: Number.POSITIVE_INFINITY },
    new Map(),
    plan.weights,
  );
  await applyPlan(copy, weights, { quantizer: plainQuantizer(), readExternal: noExternal });
  applyStatic(copy, plan, noExternal);
  return { model: decodeModel(encodeModel(copy), "quantized"), plan };
}

/** The operators of a model as onnxruntime runs it, and its outputs. */
export async function runOptimized(model: ModelProto, batch: Batch) {
  const path = join(tmpdir(), `static-${process.pid}-${Math.random()}.onnx`);
  const session = await openSession(encodeModel(model), { optimizedModelPath: path });
  const outputs = await session.run(batch);
  await session.close();
  const optimized = decodeModel(new Uint8Array(readFileSync(path)), "optimized");
  rmSync(path);
  return { outputs, operators: optimized.graph!.node.map(({ opType }) => opType) };
}
