/**
 * Masks the values of keys, tokens and passwords in any text: code, settings, messages, diffs. Pure, applied once to
 * everything a report holds. A mask is as long as what it hides, so that columns and underlines stay in place.
 */

/** Values that are secrets by their shape, wherever they stand. Group 1, where there is one, is kept. */
const shapes: readonly RegExp[] = [
  /\b(sk-|rk-|pk-)[A-Za-z0-9_-]{12,}/g,
  /\b(Bearer |Basic )(?![$<{])[A-Za-z0-9+/=._~-]{8,}/gi,
  /\b(AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /\b(gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}/g,
  /\b(glpat-|hf_|xox[abpros]-|npm_|gsk_|nvapi-|AIza)[A-Za-z0-9_-]{16,}/g,
  /\b(eyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
  /(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]+?(?=-----END|$)/g,
  // https://user:password@host
  /(:\/\/[^\s/:@"'`]{1,64}:)(?![$<{])[^\s/@"'`]{3,}(?=@)/g,
];

/**
 * A name that says its value is a secret. Names that only speak of tokens as a unit (max_tokens, token_count) or of a
 * key of something else (cache_key, primaryKey) are none.
 */
const secretName =
  "(?:[A-Za-z0-9_-]{0,60}(?:api[_-]?key|apikey|access[_-]?key|secret[_-]?key|private[_-]?key|auth[_-]?key|secret|passw(?:or)?d|passphrase|credentials?|authorization)[A-Za-z0-9_-]{0,60}|[A-Za-z0-9_-]{0,60}(?:token|key))";
const harmlessName =
  /(?:max|min|num|per|total|prompt|completion|input|output|context|cache|hit|miss|sort|primary|foreign|public|partition|group|query|map|object|dict|react|row|item|index|unique|hot|short|next_?page|page|eos|bos|pad|stop)[_-]?(?:tokens?|keys?)$/i;

/** `NAME: "v"`, `NAME = 'v'`, `"name": "v"`, `name="v"`, `NAME=v`, `name: v`; the value is group 4 or 5. */
const assignment = new RegExp(
  `(?<![A-Za-z0-9_-])(["'\\x60]?)(${secretName})\\1(\\s{0,4}(?:[:=]|=>|:=)\\s{0,4})(?:([frbu]{0,2}(?:"(?:\\\\.|[^"\\\\\\n])*"?|'(?:\\\\.|[^'\\\\\\n])*'?|\\x60[^\\x60]*\\x60?))|([^\\s"'\\x60,;(){}\\[\\]<>#]{6,}))`,
  "gi",
);

/** The second argument of a fallback or setter: `process.env.API_KEY ?? "v"`, `getenv("API_KEY", "v")`. */
const fallback = new RegExp(
  `(?<![A-Za-z0-9_-])(${secretName})(["'\\x60]?\\]?\\)?\\s{0,4}(?:\\?\\?=?|\\|\\||\\bor\\b|,)\\s{0,4})(["'])((?:\\\\.|(?!\\3)[^\\\\\\n])+)`,
  "gi",
);

/** A value that names a secret rather than being one: a reference, a placeholder, code. */
function isHarmless(value: string): boolean {
  const bare = value
    .replace(/^[frbu]{0,2}(["'`])([\s\S]*?)\1?$/i, "$2")
    .trim()
    .replace(/^(?:Bearer|Basic) /i, "");
  return (
    bare.length < 4 ||
    // masked already
    /\*{4,}$/.test(bare) ||
    /^(?:\$|<|\{\{|%\(|\.\.\.|your[-_ ]|xxx|changeme|example|placeholder|none$|null$|true$|false$|undefined$|string$|number$|boolean$|str$|!\w)/i.test(
      bare,
    ) ||
    // a price or share
    /^-?\d*\.\d+(?:e[-+]?\d+)?$|^\d+e-\d+$/i.test(bare) ||
    // the name of an environment variable, a place to read it from
    /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(bare) ||
    /^(?:process\.env|import\.meta|os\.|env\.|self\.|this\.|config\.|settings\.|secrets\.|options\.|args\.|new\b|await\b)/.test(
      bare,
    )
  );
}

/** Bare words in code are names of other things; only a value with a digit, or of an env line, can be a secret. */
function isBareSecret(value: string, separator: string): boolean {
  return /\d/.test(value) || (separator === "=" && !value.includes("."));
}

const mask = (value: string): string => value.replace(/[^\n\r]/g, "*");

function maskQuoted(value: string): string {
  const [, before, inner, after] = /^([frbu]{0,2}["'`]?)([\s\S]*?)(["'`]?)$/i.exec(value)!;
  return `${before}${mask(inner!)}${after}`;
}

/** Files in which bare words are values. */
const settingsFile =
  /(^|\/)(\.env[^/]*|Dockerfile[^/]*|[^/]*\.(ya?ml|toml|env|ini|cfg|conf|properties|sh|bash|zsh|http))$/i;

/** A text with every secret in it masked; same length, same lines. `file` says what it is part of, if it is of one. */
export function redactText(text: string, file = ""): string {
  const isSettings = settingsFile.test(file);
  let result = text;
  for (const shape of shapes) {
    result = result.replace(shape, (all: string, kept: unknown) => {
      const front = typeof kept === "string" ? kept : "";
      return front + mask(all.slice(front.length));
    });
  }
  // most lines speak of no secret: one look rules them out
  if (!/key|token|secret|passw|passphrase|credential|authorization/i.test(result)) return result;
  result = result.replace(
    assignment,
    (all: string, _quote: string, name: string, separator: string, quoted?: string, bare?: string) => {
      if (harmlessName.test(name)) return all;
      const value = quoted ?? bare ?? "";
      if (isHarmless(value) || (bare !== undefined && !isSettings && !isBareSecret(bare, separator))) return all;
      return all.slice(0, all.length - value.length) + (quoted ? maskQuoted(quoted) : mask(value));
    },
  );
  return result.replace(fallback, (all: string, name: string, _join: string, _quote: string, value: string) =>
    harmlessName.test(name) || isHarmless(value) ? all : all.slice(0, all.length - value.length) + mask(value),
  );
}

/** A plain value (report object) with every string in it masked. Keys and shape stay. */
export function redact<T>(value: T): T {
  return redactWith(value, { texts: new Map(), secretKeys: new Map() });
}

/** What was found out already: the findings of a report say the same words again and again. */
interface Known {
  readonly texts: Map<string, string>;
  readonly secretKeys: Map<string, boolean>;
}

function redactWith<T>(value: T, known: Known): T {
  if (typeof value === "string") {
    let masked = known.texts.get(value);
    if (masked === undefined) {
      masked = redactText(value);
      known.texts.set(value, masked);
    }
    return masked as T;
  }
  if (Array.isArray(value)) return value.map((item) => redactWith(item, known)) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      isSecretNamed(key, item, known) ? mask(item) : redactWith(item, known),
    ]),
  ) as T;
}

const wholeName = new RegExp(`^${secretName}$`, "i");

/** A string whose key says that it is a secret: the header of a request that is shown as data. */
function isSecretNamed(key: string, value: unknown, { secretKeys }: Known): value is string {
  if (typeof value !== "string") return false;
  let isSecretKey = secretKeys.get(key);
  if (isSecretKey === undefined) {
    isSecretKey = wholeName.test(key) && !harmlessName.test(key);
    secretKeys.set(key, isSecretKey);
  }
  return isSecretKey && !isHarmless(value);
}
