import type { Span } from "./facts.js";

const candidate = /(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{16,}/g;
/** What people write where a key belongs. */
const placeholderWord =
  /x{4}|your|my[-_]|api[-_]?key|secret|example|sample|test|dummy|fake|mock|place|here|redacted|change|replace|todo|demo|123456|abcdef/i;

/** Is what follows `sk-` a key, as far as its look tells: random letters and digits, and no placeholder? */
function isRandom(body: string): boolean {
  // words in capitals or small letters are in names, not in keys: sk-estimator-doc-link-1
  const [run] = [...body.matchAll(/[A-Za-z0-9]{16,}/g)].map(([part]) => part);
  if (run === undefined || placeholderWord.test(body)) return false;
  return /\d/.test(run) && /[A-Za-z]/.test(run) && new Set(run).size >= 8 && !/(.)\1{4}/.test(run);
}

/** API keys in a text: `sk-` and 16 or more letters and digits. Placeholders are none. */
export function findKeys(text: string): readonly Span[] {
  return [...text.matchAll(candidate)]
    .filter(([key]) => isRandom(key.slice(3)))
    .map((match) => ({ start: match.index, end: match.index + match[0].length }));
}

/** A text in which nothing is left of its keys but `sk-`: for whatever is shown, stored or compared. */
export function redact(text: string): string {
  return text.includes("sk-") ? text.replace(/(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{8,}/g, "sk-…") : text;
}

/** Does a value look like a key of another form: one long word with letters and digits, no placeholder? */
export function looksLikeKey(value: string): boolean {
  return /^[A-Za-z0-9_-]{20,}$/.test(value) && isRandom(value);
}
