import { UserError } from "../errors.js";
import { tensorInfo } from "../formats/onnx.js";
import type { FrozenAxis } from "./groups.js";
import type { Allowance, Bound } from "./limits.js";
import type { Limits, Measure } from "./settings.js";

const measured: Readonly<Record<Measure, string>> = { params: "parameters", flops: "FLOPs", channels: "channels" };

/** A target that can be refused in words, but had nearly: `nearest` is the share that can. */
export class OutOfReach extends UserError {
  constructor(
    message: string,
    readonly nearest: number,
  ) {
    super(message);
  }
}

/** No axis of the model is free: tells what holds most of the weights. */
export function nothingPrunable(ratio: number, frozen: readonly FrozenAxis[]): UserError {
  const reasons = new Map<string, number>();
  for (const { tensor, axis, cause } of frozen) {
    const { type, elements } = tensorInfo(tensor);
    const { operator, why } = cause;
    // places of a kernel are no channels
    if (!type.includes("float") || (axis >= 2 && operator.startsWith("Conv"))) continue;
    // the end of a model says it all in its name
    const key = operator === "graph output" ? operator : `${operator} (${why})`;
    reasons.set(key, (reasons.get(key) ?? 0) + elements);
  }
  const main = [...reasons].sort(([, a], [, b]) => b - a).slice(0, 4);
  const held = main.length === 0 ? "it has no weights with channels" : `held by ${main.map(([key]) => key).join(", ")}`;
  return new UserError(`--prune ${ratio}: nothing in this model can be pruned: ${held}`);
}

const reasons = {
  keep: () => "--keep names",
  only: () => "--only leaves out",
  hidden: () => "hidden dimensions that only --hidden lets go",
  unmeasured: () => "no damage measured on samples; --spread uniform does without",
  limit: () => "--limit keeps whole",
  round: ({ round }) => `already no wider than --round ${round}`,
  "min-channels": ({ minChannels }) => `already no wider than --min-channels ${minChannels}`,
  one: () => "a single channel",
} as const satisfies Readonly<Record<Bound, (limits: Limits) => string>>;

/** There are groups, but the limits keep all of them; `named` tells whether --only names any. */
export function nothingAllowed(
  ratio: number,
  allowances: readonly Allowance[],
  limits: Limits,
  named: boolean,
): UserError {
  const counts = new Map<Bound, number>();
  for (const { bound } of allowances) counts.set(bound, (counts.get(bound) ?? 0) + 1);
  const parts = [...counts].sort(([, a], [, b]) => b - a);
  const words = (bound: Bound) =>
    bound === "only" && !named ? "no tensor or node of them has a name that --only gives" : reasons[bound](limits);
  const listed = parts.map(([bound, count]) => `${count} (${words(bound)})`).join(", ");
  const narrow = parts.every(([bound]) => bound === "round" || bound === "min-channels");
  const remedy = narrow ? "; --round 1 --min-channels 1 allow any width" : "";
  const groups = allowances.length === 1 ? "the one group of channels" : `all ${allowances.length} groups of channels`;
  return new UserError(`--prune ${ratio}: the limits keep ${groups}: ${listed}${remedy}`);
}

/** The target is beyond what the limits allow. */
export function tooMuch(
  ratio: number,
  by: Measure,
  most: number,
  allowances: readonly Allowance[],
  { limit, round, minChannels, hidden, keep, only }: Limits,
): OutOfReach {
  // rounded down, so that it can be asked for
  const largest = Math.floor(most * (most < 0.1 ? 1000 : 100) + 1e-9) / (most < 0.1 ? 1000 : 100);
  const binding = new Set(allowances.map(({ bound }) => bound));
  const ways = [
    ...(binding.has("limit") ? [`a --limit over ${limit}`] : []),
    ...(binding.has("round") && round > 1 ? [`a smaller --round than ${round}`] : []),
    ...(binding.has("min-channels") ? [`a smaller --min-channels than ${minChannels}`] : []),
    ...(binding.has("unmeasured") ? ["--spread uniform for groups that no sample needs"] : []),
    ...(binding.has("hidden") && !hidden ? ["--hidden"] : []),
    ...(binding.has("keep") && keep.length > 0 ? ["less to --keep"] : []),
    ...(binding.has("only") && only.length > 0 ? ["more in --only"] : []),
  ];
  const more = ways.length > 0 ? `; ${ways.join(", ")} would allow more` : "; the rest cannot be taken out";
  return new OutOfReach(
    `--prune ${ratio}: at most ${largest} of the ${measured[by]} can go with these limits${more}`,
    largest,
  );
}

/** Even the smallest step takes over twice the target. */
export function nothingSmallEnough(ratio: number, by: Measure, least: number, { round }: Limits): OutOfReach {
  const smallest = Math.ceil(least * 1000) / 1000;
  const remedy = round > 1 ? `ask for that, or for a smaller --round than ${round}` : "ask for that";
  return new OutOfReach(
    `--prune ${ratio}: the smallest step takes ${smallest} of the ${measured[by]}; ${remedy}`,
    smallest,
  );
}
