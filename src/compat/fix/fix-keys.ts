import { type Facts, textOf } from "../facts.js";
import type { Finding, Scan } from "../scan.js";

/** Characters before an edit by which its place is known again after others have moved it. */
const contextLength = 40;

/**
 * The keys of a scan's fixes: what a fix does and where, without offsets, which others before it move, then its number
 * among equal ones, which stays as those before it are applied. `taken` are the numbers of those.
 */
export function keysOf(
  { findings, facts }: Scan,
  taken: ReadonlyMap<string, ReadonlySet<number>>,
): ReadonlyMap<Finding, string> {
  const next = new Map<string, number>();
  const digests = new Map<string, string>();
  const keys = new Map<Finding, string>();
  for (const finding of findings) {
    if (!finding.fix) continue;
    const parts = partsOf(finding, facts);
    const digest = digests.get(parts) ?? digestOf(parts);
    digests.set(parts, digest);
    const head = `${finding.rule}:${digest}`;
    let number = next.get(head) ?? 0;
    while (taken.get(head)?.has(number)) number += 1;
    next.set(head, number + 1);
    keys.set(finding, `${head}#${number}`);
  }
  return keys;
}

function partsOf({ fix }: Finding, facts: Facts): string {
  const parts = fix!.edits.map(({ file, start, end, text }) =>
    [file, textOf(facts, file).slice(Math.max(0, start - contextLength), end), text].join("\u0000"),
  );
  return parts.join("\u0001");
}

/** A short digest, so that a key shows no code (FNV-1a, twice with different starts). */
function digestOf(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 0x01000193) >>> 0;
    b = Math.imul(b ^ code, 0x85ebca6b) >>> 0;
  }
  return a.toString(16).padStart(8, "0") + b.toString(16).padStart(8, "0");
}
