import type { Label } from "../data/labels.js";
import { UserError } from "../errors.js";

/** Losses between outputs, and those between layers. */
const outputTerms = ["soft", "reverse", "jsd", "hard", "mse"] as const;
const layerTerms = ["hidden", "cosine", "attention", "attention-kl", "relations", "features"] as const;

export type OutputTerm = (typeof outputTerms)[number];
export type LayerTerm = (typeof layerTerms)[number];

/** What the loss consists of, by weight; weights are above 0. */
export type LossMix = ReadonlyMap<OutputTerm | LayerTerm, number>;

/** Every term in words, for help and reports. */
export const termWords: Readonly<Record<OutputTerm | LayerTerm, string>> = {
  soft: "KL from the teacher's softened outputs to the student's",
  reverse: "KL from the student's softened outputs to the teacher's",
  jsd: "generalised Jensen-Shannon divergence of both",
  hard: "cross-entropy with the labels",
  mse: "mean square of what outputs differ by",
  hidden: "mean square of what layers differ by, over the teacher's",
  cosine: "1 - cosine of hidden states",
  attention: "mean square of what attention maps differ by",
  "attention-kl": "KL of attention maps",
  relations: "KL of the relations between positions (MiniLM)",
  features: "distance of where feature maps are active (attention transfer)",
};

export function isLayerTerm(term: OutputTerm | LayerTerm): term is LayerTerm {
  return (layerTerms as readonly string[]).includes(term);
}

/** Reads `soft=0.9,hard=0.1`; a term without a number weighs 1. Throws a UserError. */
export function parseMix(text: string, option = "--loss"): LossMix {
  const mix = new Map<OutputTerm | LayerTerm, number>();
  for (const part of text.split(",")) {
    const [name = "", number = "1", ...more] = part.split("=").map((piece) => piece.trim());
    const term = [...outputTerms, ...layerTerms].find((one) => one === name);
    if (!term) {
      throw new UserError(
        `${option} ${text}: there is no loss "${name}"; there are ${Object.keys(termWords).join(", ")}`,
      );
    }
    const weight = number === "" ? Number.NaN : Number(number);
    if (more.length > 0 || !Number.isFinite(weight) || weight < 0) {
      throw new UserError(`${option} ${text}: the weight of ${name} must be a number of at least 0`);
    }
    if (mix.has(term)) throw new UserError(`${option} ${text}: names ${name} twice`);
    mix.set(term, weight);
  }
  const used = new Map([...mix].filter(([, weight]) => weight > 0));
  if (used.size === 0) throw new UserError(`${option} ${text}: some loss must weigh more than 0`);
  return used;
}

/** `soft=0.9,hard=0.1`. */
export function formatMix(mix: LossMix): string {
  return [...mix].map(([term, weight]) => `${term}=${weight}`).join(",");
}

type Kinds = readonly { readonly kind: "classes" | "values" }[];

/** The mix as it is given, or as outputs and labels call for. Throws a UserError where they do not fit it. */
export function chooseMix(text: string | undefined, outputs: Kinds, labels: readonly Label[] | undefined): LossMix {
  // texts are for metrics alone
  const mix = text === undefined ? defaultMix(outputs, labels?.some(isClasses) ?? false) : parseMix(text);
  if (mix.has("hard") && !labels) throw new UserError("--loss hard: give the labels with --labels");
  const needsClasses = (["soft", "reverse", "jsd"] as const).find((term) => mix.has(term));
  if (needsClasses !== undefined && !outputs.some(({ kind }) => kind === "classes")) {
    throw new UserError(
      `--loss ${needsClasses}: the outputs are no distributions over classes (no Softmax, no --labels); mse compares values`,
    );
  }
  return mix;
}

function isClasses(label: Label): boolean {
  return typeof label !== "string";
}

/** What a model's outputs call for. */
function defaultMix(outputs: Kinds, labelled: boolean): LossMix {
  const mix = new Map<OutputTerm | LayerTerm, number>();
  if (outputs.some(({ kind }) => kind === "classes")) {
    mix.set("soft", labelled ? 0.9 : 1);
    if (labelled) mix.set("hard", 0.1);
  }
  if (outputs.some(({ kind }) => kind === "values")) mix.set("mse", 1);
  return mix;
}
