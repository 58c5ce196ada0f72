import type { ModelProto } from "../../formats/onnx.js";
import type { StaticPlan } from "../static/plan.js";
import { type ActivationScale, scaledBy } from "../static/scale.js";

/** Whose scale a value has: its own where `from` is its own name, or a multiple of another's. */
export interface ScaleOwner {
  readonly from: string;
  readonly factor: number;
}

/** For each value of a plan, which it takes its scale from: values that are only moved about or relabelled have no own. */
export function scaleOwners(model: ModelProto, { nodes, values }: StaticPlan): ReadonlyMap<string, ScaleOwner> {
  const relabelled = new Map<string, ScaleOwner>();
  for (const { input, output } of model.graph!.node) {
    const planned = nodes.get(output[0]!);
    const form = planned?.form;
    if (form?.kind !== "relabel") continue;
    relabelled.set(planned!.output, { from: input[form.activations[0]!]!, factor: Math.fround(form.factor!) });
  }
  const first = new Map<ActivationScale, string>();
  const owners = new Map<string, ScaleOwner>();
  for (const [name, scale] of values) {
    // values that share one scale share one object
    const from = first.get(scale) ?? name;
    first.set(scale, from);
    owners.set(name, relabelled.get(from) && from === name ? relabelled.get(name)! : { from, factor: 1 });
  }
  return owners;
}

/** The plan with other scales, given by the names of the values that own them. */
export function withScales(model: ModelProto, plan: StaticPlan, scales: ReadonlyMap<string, number>): StaticPlan {
  const owners = scaleOwners(model, plan);
  const values = new Map<string, ActivationScale>();
  const scaleOf = (name: string): ActivationScale => {
    const known = values.get(name);
    if (known) return known;
    const old = plan.values.get(name)!;
    const { from, factor } = owners.get(name)!;
    if (from === name) return { ...old, scale: scales.get(name) ?? old.scale };
    const source = scaleOf(from);
    // the very object where it is shared: that is how the plan says so
    return factor === 1 ? source : { ...source, scale: scaledBy(source.scale, factor) };
  };
  for (const name of plan.values.keys()) values.set(name, scaleOf(name));
  return { ...plan, values };
}
