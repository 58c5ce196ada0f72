import { createHash } from "node:crypto";
import { type Facts, fileOf, type Place } from "./facts.js";
import { redactText } from "./redact.js";

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

/** Names of the functions, classes and keys around a place, outermost first: `Agent/run`. Cells have no names of their own. */
function symbolPath(facts: Facts, { file, start, end }: Place): string {
  return (fileOf(facts, file)?.symbols ?? [])
    .filter((symbol) => symbol.kind !== "cell" && symbol.start <= start && end <= symbol.end)
    .sort((a, b) => a.start - b.start || b.end - a.end)
    .map(({ name }) => name)
    .join("/");
}

/**
 * One fingerprint for each finding, in their order: 32 hex digits made of rule, snippet and enclosing symbol, a colon,
 * and the occurrence (from 1) among the findings of which all that is the same. Lines and file names are no part of it,
 * so it survives moved lines and renamed files; within a report it is unique. Secrets are masked before hashing.
 */
export function fingerprints(facts: Facts, findings: readonly Fingerprinted[]): readonly string[] {
  const seen = new Map<string, number>();
  return findings.map(({ rule, place }) => {
    const text = fileOf(facts, place.file)?.text ?? "";
    const snippet = normaliseSnippet(redactText(text.slice(place.start, place.end)));
    const parts = [rule, snippet, symbolPath(facts, place)].join("\0");
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
