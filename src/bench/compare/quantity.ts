import type { Metric } from "../metrics.js";

type Unit = Metric["unit"];

/** What a number of each unit may be followed by, and what it is worth; "" where it may stand alone. */
const suffixes: Readonly<Record<Unit, Readonly<Record<string, number>>>> = {
  seconds: { s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, min: 60 },
  tokens: { "": 1, tokens: 1, tok: 1 },
  "tokens/s": { "": 1, "tok/s": 1, "tokens/s": 1, "/s": 1 },
  "requests/s": { "": 1, "req/s": 1, "requests/s": 1, "/s": 1 },
  "runs/s": { "": 1, "runs/s": 1, "/s": 1 },
  share: { "%": 0.01, "": 1 },
  bytes: { B: 1, KB: 1e3, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  dollars: { "": 1, $: 1 },
  ratio: { "": 1, x: 1 },
};

/** A number with an optional currency sign before it and a unit behind: `400ms`, `$0.5`, `2 tok/s`. */
export const quantityPattern = /^(\$?)\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)\s*([%$]|\/s|[A-Za-zµ]+(?:\/s)?)?/;

/** The number in base units, or what units are known where it has another or none. */
export function toBase(match: RegExpExecArray, unit: Unit): number | { readonly known: string } {
  const [, sign, digits, suffix = ""] = match;
  const known = suffixes[unit];
  const factor = sign
    ? unit === "dollars" && suffix === ""
      ? 1
      : undefined
    : Object.hasOwn(known, suffix)
      ? known[suffix]
      : undefined;
  if (factor === undefined) {
    const names = Object.keys(known).filter((name) => name !== "");
    return { known: names.length > 0 ? names.join(", ") : "a plain number" };
  }
  return Number(digits) * factor;
}
