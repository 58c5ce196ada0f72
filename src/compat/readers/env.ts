import type { FileFacts, HostVerdict, Span } from "../facts.js";
import { isDeepSeekId } from "../models.js";
import { isSecret, withoutSecrets } from "../secrets.js";
import type { Sources } from "../sources.js";
import { addComments, addMention, addVariable, type Draft, draftOf, factsOf, isTelling } from "./config-facts.js";
import { hostOfId, hostOfTree } from "./config-hosts.js";
import { type Entry, type Mapping, maximumText } from "./config-tree.js";

/** Reads `.env` files. Their grammar is that of dotenv, with `export` before a name and values of several lines. */
export function readEnv(sources: Sources, paths: readonly string[]): readonly FileFacts[] {
  return paths.flatMap((path) => {
    const text = sources.read(path);
    return text === undefined ? [] : [readFile(path, text)];
  });
}

interface Assignment {
  readonly name: string;
  readonly value: string;
  readonly nameSpan: Span;
  /** Without quotes. */
  readonly inner: Span;
  /** Quotes included. */
  readonly outer: Span;
}

function readFile(file: string, text: string): FileFacts {
  const draft = draftOf(file, "env", text);
  if (text.length > maximumText) return factsOf(draft);
  const assignments = parse(text, (start) =>
    draft.syntaxErrors.push({ message: "a quote is not closed", place: draft.place({ start, end: start + 1 }) }),
  );
  const root = mappingOf(assignments, text);
  const fileHost = hostOfTree([root]);
  const byName = new Map(assignments.map((one) => [one.name, one]));
  for (const one of assignments) {
    const value = expanded(one.value, byName);
    addVariable(draft, one.name, value, { value: one.inner, name: one.nameSpan });
    const fallback = /^\$\{\w+:?-([\w./:-]+)\}$/.exec(one.value)?.[1];
    const id = isDeepSeekId(one.value) ? one.value : fallback && isDeepSeekId(fallback) ? fallback : undefined;
    if (id) {
      const verdict = hostOfId(id, [{ mapping: root, key: "" }], one.name, fileHost);
      // the code that reads it may say otherwise
      const isOwn = verdict.evidence.startsWith("the id");
      const host: HostVerdict =
        verdict.certainty === "certain" && !isOwn ? { ...verdict, certainty: "possible" } : verdict;
      const start = one.inner.start + one.value.lastIndexOf(id);
      const span = id === one.value ? one.outer : { start, end: start + id.length };
      addMention(draft, id, id === one.value ? "setting" : "default", span, one.name, host);
    }
    if (isTelling(one.value) && !isSecret(one.name, one.value)) {
      const literal = { value: withoutSecrets(one.value), kind: "string" as const, name: one.name };
      draft.literals.push({ ...literal, place: draft.place(one.outer) });
    }
    addSymbol(draft, one);
  }
  addComments(draft, /(?<=^|\s)#/);
  return factsOf(draft);
}

function addSymbol(draft: Draft, { name, nameSpan, outer }: Assignment): void {
  draft.symbols.push({ name, kind: "key", start: nameSpan.start, end: outer.end });
}

function mappingOf(assignments: readonly Assignment[], text: string): Mapping {
  return {
    kind: "mapping",
    syntax: undefined,
    span: { start: 0, end: text.length },
    entries: assignments.map(({ name, value, nameSpan, inner, outer }): Entry => {
      const scalar = { kind: "scalar" as const, value, span: outer, inner };
      return { key: name, keySpan: nameSpan, keyOuter: nameSpan, value: scalar, span: { ...nameSpan, end: outer.end } };
    }),
  };
}

/** `${X}` and `$X` with the value of X, where the file gives it; `${X:-default}` with its default. */
function expanded(value: string, byName: ReadonlyMap<string, Assignment>, depth = 0): string {
  if (depth > 5 || !value.includes("$")) return value;
  return value.replace(
    /\$\{(\w+)(?::?-([^}]*))?\}|\$([A-Za-z_]\w*)/g,
    (whole, name: string, fallback: string, bare: string) => {
      const found = byName.get(name ?? bare);
      // a secret must not get into another's value
      if (!found || isSecret(found.name, found.value)) return fallback ?? whole;
      return found.value === value ? whole : expanded(found.value, byName, depth + 1);
    },
  );
}

const lineStart = /[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*/y;

function parse(text: string, report: (start: number) => void): readonly Assignment[] {
  const found: Assignment[] = [];
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (at < text.length) {
    lineStart.lastIndex = at;
    const head = lineStart.exec(text);
    const lineEnd = text.indexOf("\n", at);
    const stop = lineEnd < 0 ? text.length : lineEnd;
    at = stop + 1;
    if (!head) continue;
    const name = head[1]!;
    const start = lineStart.lastIndex;
    const nameStart = head.index + head[0].indexOf(name);
    const nameSpan = { start: nameStart, end: nameStart + name.length };
    const quote = text[start];
    if ((quote === '"' || quote === "'" || quote === "`") && start < stop) {
      const close = closing(text, start, quote);
      if (close === undefined) {
        report(start);
        continue;
      }
      const value = text.slice(start + 1, close);
      found.push({ name, value, nameSpan, inner: { start: start + 1, end: close }, outer: { start, end: close + 1 } });
      const next = text.indexOf("\n", close);
      at = next < 0 ? text.length : next + 1;
      continue;
    }
    const bare = text.slice(start, Math.max(start, stop));
    const value = (bare.startsWith("#") ? "" : (/^(.*?)(?=\s#|\r?$)/.exec(bare)?.[1] ?? bare)).trimEnd();
    const inner = { start, end: start + value.length };
    found.push({ name, value, nameSpan, inner, outer: inner });
  }
  return found;
}

/** Where a quoted value ends; it may go over lines. */
function closing(text: string, start: number, quote: string): number | undefined {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === "\\" && quote === '"') at += 1;
    else if (text[at] === quote) return at;
  }
  return undefined;
}

/** Number of quotes that are not closed. */
export function countSyntaxErrors(_file: string, text: string): number {
  let count = 0;
  if (text.length <= maximumText) {
    parse(text, () => {
      count += 1;
    });
  }
  return count;
}
