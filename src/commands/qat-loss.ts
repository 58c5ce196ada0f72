import type { Options } from "../cli.js";
import type { Label } from "../data/labels.js";
import { parseMix } from "../distill/mix.js";
import type { ModelOutput } from "../distill/outputs.js";
import { UserError } from "../errors.js";
import type { QatLoss } from "../quantize/qat/objective.js";
import type { LossPart } from "../render/training-result.js";

/** What is minimised: the mix of --loss, the labels and the original alike, or the original alone. */
export function lossOf(
  options: Options,
  outputs: readonly ModelOutput[],
  labels: readonly Label[] | undefined,
): { readonly loss: QatLoss; readonly losses: readonly LossPart[] } {
  const text = options["loss"] as string | undefined;
  const mix = text === undefined ? undefined : parseMix(text);
  for (const term of mix?.keys() ?? []) {
    if (term !== "hard" && term !== "soft" && term !== "hidden") {
      throw new UserError(
        `--loss ${term}: --qat takes soft (the original's outputs), hidden (its values inside) and hard (labels)`,
      );
    }
  }
  // texts are for metrics alone
  const classes = labels?.some((label) => typeof label !== "string") ?? false;
  const hard = mix ? (mix.get("hard") ?? 0) : classes ? 0.5 : 0;
  const teacher = mix ? (mix.get("soft") ?? 0) : classes ? 0.5 : 1;
  // few bits lead a deep model astray where the outputs alone do not show it
  const features = mix ? (mix.get("hidden") ?? 0) : options["int4"] ? 1 : 0;
  if (hard > 0 && !labels) throw new UserError("--loss hard: give the labels with --labels");
  const names = outputs.map(({ name }) => name);
  const own = outputs.find((output) => output.labelled)?.name;
  const part = (term: string, weight: number, words: string, pairs: LossPart["pairs"]): readonly LossPart[] =>
    weight > 0 ? [{ term, weight, words, pairs }] : [];
  return {
    loss: {
      labels: hard,
      teacher,
      features,
      temperature: 1,
      ...(own === undefined ? {} : { labelled: own }),
      logits: outputs.flatMap(({ name, value, kind }) => (kind === "classes" && value === name ? [name] : [])),
    },
    losses: [
      ...part(
        "soft",
        teacher,
        "distance to the outputs of the model before it is rounded",
        names.map((name) => ({ student: name, teacher: name })),
      ),
      ...part("hidden", features, "distance to its values inside, over their power", []),
      ...part("hard", hard, "cross-entropy with the labels", [{ student: own ?? "", teacher: "labels" }]),
    ],
  };
}
