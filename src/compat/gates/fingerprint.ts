import { createHash } from "node:crypto";
import { type Facts, fileOf, type NamedSymbol, type Place } from "../facts.js";
import { redactText } from "../redact.js";

/** What a fingerprint is made of. */
export interface Fingerprinted {
  readonly rule: string;
  readonly place: Place;
}

/** Characters of a long snippet (a whole request) that count. */
const snippetLength = 400;

/** A snippet without what formatters change: blanks, kind of quotes, separators in numbers, commas before brackets. */
function normaliseSnippet(code: string): string {
  return code
    .replace(/(?<=\d)_(?=\d)/g, "")
    .replace(/["'`]+/g, '"')
    .replace(/\s+/g, "")
    .replace(/,(?=[}\])]|$)/g, "")
    .slice(0, snippetLength);
}

/** A symbol and those around it. */
interface Nested {
  readonly symbol: NamedSymbol;
  readonly outer: Nested | undefined;
}

/** Symbols by their start, each with the one around it. Cells have no names of their own. */
function nest(symbols: readonly NamedSymbol[]): readonly Nested[] {
  const nested: Nested[] = [];
  let outer: Nested | undefined;
  const sorted = symbols
    .filter(({ kind }) => kind !== "cell")
    .sort((one, other) => one.start - other.start || other.end - one.end);
  for (const symbol of sorted) {
    while (outer && outer.symbol.end < symbol.end) outer = outer.outer;
    outer = { symbol, outer };
    nested.push(outer);
  }
  return nested;
}

/** Names of the functions, classes and keys around a place, outermost first: `Agent/run`. */
function symbolPath(nested: readonly Nested[], { start, end }: Place): string {
  let low = 0;
  for (let high = nested.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (nested[middle]!.symbol.start <= start) low = middle + 1;
    else high = middle;
  }
  const names: string[] = [];
  for (let at = nested[low - 1]; at; at = at.outer) if (at.symbol.end >= end) names.unshift(at.symbol.name);
  return names.join("/");
}

/**
 * One fingerprint for each finding, in their order: 32 hex digits made of rule, snippet and enclosing symbol, a colon,
 * and the occurrence (from 1) among the findings of which all that is the same. Lines and file names are no part of it,
 * so it survives moved lines and renamed files; within a report it is unique. Secrets are masked before hashing.
 */
export function fingerprints(facts: Facts, findings: readonly Fingerprinted[]): readonly string[] {
  const seen = new Map<string, number>();
  const nestedIn = new Map<string, readonly Nested[]>();
  const symbolsOf = (file: string) => {
    const nested = nestedIn.get(file) ?? nest(fileOf(facts, file)?.symbols ?? []);
    nestedIn.set(file, nested);
    return nested;
  };
  return findings.map(({ rule, place }) => {
    const text = fileOf(facts, place.file)?.text ?? "";
    const snippet = normaliseSnippet(redactText(text.slice(place.start, place.end)));
    const parts = [rule, snippet, symbolPath(symbolsOf(place.file), place)].join("\0");
    const hash = createHash("sha256").update(parts).digest("hex").slice(0, 32);
    const occurrence = (seen.get(hash) ?? 0) + 1;
    seen.set(hash, occurrence);
    return `${hash}:${occurrence}`;
  });
}

/** The part of a fingerprint that equal findings share. */
export function hashOf(fingerprint: string): string {
  return fingerprint.split(":")[0]!;
}
