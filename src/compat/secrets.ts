import type { Span } from "./facts.js";

// What is a secret: for the rule that finds keys, and for the readers, which keep none. Reports are masked in redact.ts.

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

/** Does a value look like a key of another form: one long word with letters and digits, no placeholder? */
export function looksLikeKey(value: string): boolean {
  return /^[A-Za-z0-9_-]{20,}$/.test(value) && isRandom(value);
}

const secretName = /(^|[_.-])(api_?key|key|token|secret|password|passwd|pwd|credentials?|authorization|auth)$/i;
/** Words of a tokenizer's configuration, and keys that are no keys to anything. */
const plainName =
  /(^|[_.-])(bos|eos|pad|unk|sep|cls|mask|stop|end|start|special|begin|think|public|primary|foreign|sort|cache|partition|row|hot|short)_?(token|key)$/i;
const secretValue =
  /\b(sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bhf_[A-Za-z0-9]{20,}|\bAKIA[A-Z0-9]{12,}|\bxox[abprs]-[\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*|\bAIza[\w-]{20,}|\bglpat-[\w-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----/;
/** What stands where a person is to put a secret, and what leads to one that is kept elsewhere. */
const placeholder =
  /^$|^[<[{%].*[>\]}%]$|\$|\{\{|os\.environ|^env[.:/]|^secrets?[.:/]|^vault:|your[-_ ]?|(x{3}|\*{3}|\.{3}|…)|^(changeme|change-me|placeholder|empty|none|null|dummy|test|fake|example|todo|secret|token|key|ollama|lm-studio|local|true|false)$/i;

/** `apiKey`, `api-key` and `API_KEY` are one name. */
function plain(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2");
}

/** Does a name say that its value is a key, token or password? */
export function isSecretName(name: string): boolean {
  const words = plain(name);
  return secretName.test(words) && !plainName.test(words);
}

/** Does a text hold something that looks like a key or token, or a password in a URL? */
function holdsSecret(text: string): boolean {
  return secretValue.test(text) || /:\/\/[^\s/@:${}<]*:[^\s/@${}<…]+@/.test(text);
}

/** Is this a secret? A reference to one, or a placeholder, is not. */
export function isSecret(name: string, value: string): boolean {
  if (holdsSecret(value)) return !placeholder.test(value) || /[A-Za-z0-9]{24,}/.test(value);
  return isSecretName(name) && !placeholder.test(value.trim()) && !/^deepseek[-/]/i.test(value);
}

/** A text with what looks secret replaced by `…`. */
export function withoutSecrets(text: string): string {
  return text
    .replace(new RegExp(secretValue, "g"), "…")
    .replace(/(:\/\/)[^\s/@:]*:[^\s/@]+@/g, "$1…@")
    .replace(/\b(Bearer|Basic|Token)\s+(?![$<{…])[^\s"']+/gi, "$1 …")
    .replace(/\b((?:x-)?api-key\s*:\s*)(?![$<{…])[^\s"']+/gi, "$1…")
    .replace(/^([A-Za-z_]\w*=)(?![$<{…])(.+)$/s, (whole, name: string, value: string) =>
      isSecret(name.slice(0, -1), value) ? `${name}…` : whole,
    );
}
