import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Batch } from "../../../src/data/batch.js";
import { openSession } from "../../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto } from "../../../src/formats/onnx.js";
import { cloneModel } from "../../../src/graph/clone.js";
import { exposeValues } from "../../../src/graph/expose.js";
import { applyPlan } from "../../../src/quantize/apply.js";
import { planQuantization } from "../../../src/quantize/plan.js";
import { applyStatic } from "../../../src/quantize/static/apply.js";
import { operatorCosts } from "../../../src/quantize/static/costs.js";
import { planStatic, type StaticPlan, type StaticWishes } from "../../../src/quantize/static/plan.js";
import type { ObservedValue, StaticSettings } from "../../../src/quantize/static/settings.js";
import { plainQuantizer } from "../../plain-quantizer.js";

export const noExternal = () => {
  throw new Error("no external data here");
};

/** Least and largest element, added to what is known; loops over what `for of` would make slow here. */
function extremes(data: Float32Array, before: readonly [number, number]): readonly [number, number] {
  let [min, max] = before;
  for (let at = 0; at < data.length; at++) {
    const value = data[at]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return [min, max];
}

/** The range of every float value of the main graph. */
export async function observe(
  model: ModelProto,
  batches: readonly Batch[],
): Promise<ReadonlyMap<string, ObservedValue>> {
  const names = model.graph!.node.flatMap(({ output }) => output.filter(Boolean));
  const session = await openSession(encodeModel(exposeValues(model, names)), { graphOptimization: "disabled" });
  const seen = new Map<string, ObservedValue>();
  for (const batch of batches) {
    for (const [name, { dtype, data }] of [...batch, ...(await session.run(batch))]) {
      if (dtype !== "float32" || data.length === 0) continue;
      const known = seen.get(name) ?? { min: Infinity, max: -Infinity, elements: 0 };
      const [min, max] = extremes(data as Float32Array, [known.min, known.max]);
      seen.set(name, { min, max, elements: known.elements! + data.length / batches.length });
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
  wishes: StaticWishes = {},
): Promise<{ readonly model: ModelProto; readonly plan: StaticPlan }> {
  const copy = cloneModel(model);
  const used = settings(changed);
  const plan = planStatic(copy, observed, used, noExternal, wishes);
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
  return { outputs, optimized, operators: optimized.graph!.node.map(({ opType }) => opType) };
}
