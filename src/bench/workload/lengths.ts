import { normal, uniform } from "../../data/random.js";
import { UserError } from "../../errors.js";
import { seedOf } from "./seeds.js";

/** How long texts are, in tokens, as a distribution of whole numbers of at least 1. */
export type Lengths =
  | { readonly kind: "fixed"; readonly tokens: number }
  | { readonly kind: "uniform"; readonly from: number; readonly to: number }
  /** Mean and standard deviation of the lengths themselves, for lognormal too. */
  | { readonly kind: "normal" | "lognormal"; readonly mean: number; readonly sd: number };

/** No context is longer, and a typing error of a few digits should not fill the memory. */
const mostTokens = 4_000_000;

const forms = "512, uniform:100:900, normal:512:100 or lognormal:512:300";

/** Reads `512`, `uniform:100:900`, `normal:512:100` and `lognormal:512:300`. `what` names the option in errors. */
export function parseLengths(text: string, what: string): Lengths {
  const [kind = "", ...rest] = text.trim().split(":");
  const wrong = (why: string) => new UserError(`${what}: ${why}; give ${forms}`);
  const numbers = (/^\d/.test(kind) ? [kind, ...rest] : rest).map((part) => {
    if (!/^\d+(\.\d+)?$/.test(part)) throw wrong(`"${part}" in "${text}" is not a number of tokens`);
    if (Number(part) > mostTokens) throw wrong(`${part} tokens are more than ${mostTokens}`);
    return Number(part);
  });
  const [first, second] = numbers;
  if (/^\d/.test(kind)) {
    if (numbers.length !== 1) throw wrong(`"${text}" has no distribution's name`);
    if (!Number.isInteger(first!) || first! < 1) throw wrong(`"${text}" is not a whole number from 1 on`);
    return { kind: "fixed", tokens: first! };
  }
  if (kind !== "uniform" && kind !== "normal" && kind !== "lognormal") throw wrong(`"${kind}" is no distribution`);
  if (first === undefined || second === undefined || numbers.length > 2) throw wrong(`"${text}" needs two numbers`);
  if (first < 1) throw wrong(`${first} in "${text}" is below 1 token`);
  if (kind === "uniform") {
    if (second < first) throw wrong(`"${text}" runs from more to less`);
    return { kind, from: Math.ceil(first), to: Math.max(Math.ceil(first), Math.floor(second)) };
  }
  return { kind, mean: first, sd: second };
}

/** The length at a place of a stream: the same for the same seeds. */
export function drawLength(lengths: Lengths, ...seeds: readonly (number | string)[]): number {
  if (lengths.kind === "fixed") return lengths.tokens;
  const seed = seedOf("length", ...seeds);
  if (lengths.kind === "uniform") {
    return lengths.from + Math.floor(uniform(seed)() * (lengths.to - lengths.from + 1));
  }
  const { mean, sd } = lengths;
  const z = normal(seed)();
  if (lengths.kind === "normal") return bounded(mean + sd * z);
  // moments of the lognormal: sigma^2 = ln(1 + sd^2 / mean^2), mu = ln(mean) - sigma^2 / 2
  const variance = Math.log(1 + (sd / mean) ** 2);
  return bounded(Math.exp(Math.log(mean) - variance / 2 + Math.sqrt(variance) * z));
}

function bounded(tokens: number): number {
  return Math.min(mostTokens, Math.max(1, Math.round(tokens)));
}
