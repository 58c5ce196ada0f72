import type { ModelProto } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import { classOf } from "./choose.js";
import { planQuantization, type QuantizationPlan } from "./plan.js";
import { type OperatorClass, operatorClasses, type QuantizeSettings, type SchemeId } from "./settings.js";
import { siteKey, sitesOf } from "./sites.js";

/** Another plan to measure: one class of operators in another scheme than the rules choose. */
export interface Alternative {
  readonly kind: OperatorClass;
  readonly scheme: SchemeId;
  /** Settings that make this plan. */
  readonly settings: QuantizeSettings;
  readonly plan: QuantizationPlan;
  /** How many weights are stored in another way than by the rules. */
  readonly changed: number;
}

/** Schemes worth measuring for each class. */
const worthTrying: Readonly<Record<OperatorClass, readonly SchemeId[]>> = {
  matmul: ["unpack", "qdq", "nbits", "dynamic"],
  conv: ["unpack", "dynamic"],
  depthwise: ["unpack", "dynamic"],
  recurrent: ["unpack", "dynamic"],
  embedding: ["gather", "unpack"],
};

/**
 * Plans beside the one by rule, each with one class of operators changed, for a caller that measures them on this machine.
 * Empty where the user forced a scheme. Pure. Constants must have been lifted.
 */
export function alternatives(model: ModelProto, settings: QuantizeSettings): readonly Alternative[] {
  if (settings.scheme !== "auto") return [];
  const classes = new Map(
    sitesOf(viewModel(model)).map((site) => [siteKey(site.scope.path, site.info.name), classOf(site)]),
  );
  const byRule = schemesOf(planQuantization(model, settings));
  return operatorClasses
    .filter((kind) => [...byRule].some(([key, scheme]) => scheme !== null && classes.get(key) === kind))
    .flatMap((kind) =>
      worthTrying[kind].flatMap((scheme) => {
        const other = { ...settings, classes: { ...settings.classes, [kind]: scheme } };
        const plan = planQuantization(model, other);
        const changed = [...schemesOf(plan)].filter(([key, chosen]) => byRule.get(key) !== chosen).length;
        return changed === 0 ? [] : [{ kind, scheme, settings: other, plan, changed }];
      }),
    );
}

function schemesOf({ tensors }: QuantizationPlan): ReadonlyMap<string, SchemeId | "half" | null> {
  return new Map(tensors.map(({ graph, name, scheme }) => [siteKey(graph, name), scheme]));
}

/** Gains below this share are noise of the measurement. */
const least = 0.03;

/**
 * Settings with the fastest measured scheme of each class. `ms` is the time of the plan by rule, and the time of each
 * alternative; those that gain less than 3 % are not taken.
 */
export function tuned(
  settings: QuantizeSettings,
  ms: number,
  measured: readonly { readonly alternative: Alternative; readonly ms: number }[],
): QuantizeSettings {
  const best = new Map<OperatorClass, { readonly scheme: SchemeId; readonly ms: number }>();
  for (const { alternative, ms: time } of measured) {
    const { kind, scheme } = alternative;
    if (time < Math.min(best.get(kind)?.ms ?? Number.POSITIVE_INFINITY, ms * (1 - least)))
      best.set(kind, { scheme, ms: time });
  }
  const chosen = Object.fromEntries([...best].map(([kind, { scheme }]) => [kind, scheme]));
  return { ...settings, classes: { ...settings.classes, ...chosen } };
}
