import type { ModelProto, ReadExternal } from "../../formats/onnx.js";
import { type RangeSettings, rangesOf } from "../ranges.js";
import type { ValueStatistics } from "../statistics.js";
import { staticFacts } from "./facts.js";
import { unitsOf } from "./plan.js";
import type { ObservedValue, StaticSettings } from "./settings.js";

/** The values of the main graph whose ranges static quantization may need, non-float ones that look alike among them. */
export function valuesToObserve(
  model: ModelProto,
  settings: StaticSettings,
  readExternal: ReadExternal,
): readonly string[] {
  const facts = staticFacts(model, new Map(), settings, readExternal);
  const known: ObservedValue = { min: 0, max: 1 };
  const hopeful = { ...facts, observed: (name: string) => (facts.constant(name) ? undefined : known) };
  const names = new Set<string>();
  for (const { node, form, outputs } of unitsOf(model, hopeful, new Map())) {
    if (typeof form === "string") continue;
    for (const at of form.activations) names.add(node.input[at]!);
    for (const name of outputs) names.add(name);
  }
  return [...names];
}

/** What calibration gathered as static quantization wants it. The method of least error suits activations best. */
export function observedValues(
  values: ReadonlyMap<string, ValueStatistics>,
  settings: RangeSettings = { method: "mse" },
): ReadonlyMap<string, ObservedValue> {
  return new Map(
    [...rangesOf(values, settings)].map(([name, { min, max }]) => {
      const { elements, samples } = values.get(name)!;
      return [name, { min, max, elements: elements / Math.max(1, samples) }];
    }),
  );
}
