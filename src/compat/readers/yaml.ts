import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type ParsedNode,
  parseAllDocuments,
} from "yaml";
import type { FileFacts, Span } from "../facts.js";
import type { Sources } from "../sources.js";
import { addComments, draftOf, factsOf } from "./config-facts.js";
import { type ConfigNode, type Entry, isData, maximumDepth, maximumNodes, maximumText } from "./config-tree.js";
import { readTree } from "./settings.js";

/** Reads YAML files: all their documents, anchors and merge keys resolved to where the anchor stands. */
export function readYaml(sources: Sources, paths: readonly string[]): readonly FileFacts[] {
  return paths.flatMap((path) => {
    const text = sources.read(path);
    return text === undefined ? [] : [readFile(path, text)];
  });
}

function readFile(file: string, text: string): FileFacts {
  const draft = draftOf(file, "yaml", text);
  if (text.length > maximumText) return factsOf(draft);
  const { documents, errors } = parse(text);
  for (const { message, span } of errors) draft.syntaxErrors.push({ message, place: draft.place(span) });
  const roots = documents.flatMap((document) => treeOf(document, text) ?? []);
  if (!isData(file, roots)) readTree(draft, roots);
  addComments(draft, /(?<=^|\s)#/);
  return factsOf(draft);
}

interface Parsed {
  readonly documents: readonly Document.Parsed[];
  readonly errors: readonly { readonly message: string; readonly span: Span }[];
}

function parse(text: string): Parsed {
  if (nestsTooDeeply(text)) {
    return { documents: [], errors: [{ message: "nested too deeply to be read", span: { start: 0, end: 0 } }] };
  }
  try {
    const documents = parseAllDocuments(text, {
      merge: true,
      logLevel: "silent",
      uniqueKeys: false,
      prettyErrors: false,
    });
    const list = Array.isArray(documents) ? documents : [];
    return {
      documents: list,
      errors: list.flatMap((document) =>
        document.errors.map(({ message, pos: [start, end] }) => ({
          message: message.split("\n")[0]!,
          span: { start: Math.min(start, text.length), end: Math.min(Math.max(start, end), text.length) },
        })),
      ),
    };
  } catch (error) {
    // the parser gives up on some rubbish by throwing
    const message = error instanceof RangeError ? "nested too deeply to be read" : "no valid YAML";
    return { documents: [], errors: [{ message, span: { start: 0, end: 0 } }] };
  }
}

/** Brackets opened one in another beyond what the parser reads in a sensible time. */
function nestsTooDeeply(text: string): boolean {
  return /(?:[[{]\s*){300}|(?:- ){300}|(?:\? ){300}/.test(text);
}

/** Number of syntax errors in a YAML text. */
export function countSyntaxErrors(_file: string, text: string): number {
  return text.length > maximumText ? 0 : parse(text).errors.length;
}

function treeOf(document: Document.Parsed, text: string): ConfigNode | undefined {
  let count = 0;
  const convert = (given: unknown, depth: number): ConfigNode | undefined => {
    count += 1;
    if (depth > maximumDepth || count > maximumNodes) return undefined;
    const node = isAlias(given) ? given.resolve(document) : (given as Node | null);
    if (!node?.range) return undefined;
    const [start, end] = node.range;
    const span = { start, end };
    if (isScalar(node)) {
      const { value, type } = node;
      const quoted = type === "QUOTE_DOUBLE" || type === "QUOTE_SINGLE";
      const block = type === "BLOCK_LITERAL" ? "literal" : type === "BLOCK_FOLDED" ? "folded" : undefined;
      const lineEnd = block ? text.indexOf("\n", start) + 1 : 0;
      const inner = quoted
        ? { start: start + 1, end: Math.max(start + 1, end - 1) }
        : block
          ? { start: Math.max(start, lineEnd), end: Math.max(start, lineEnd, end) }
          : span;
      const plain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
      return { kind: "scalar", value: plain ? value : null, span, inner, ...(block ? { block } : {}) };
    }
    if (isSeq(node)) {
      return {
        kind: "sequence",
        span: trimmed(text, span),
        items: node.items.flatMap((item) => convert(item, depth + 1) ?? []),
      };
    }
    if (!isMap(node)) return undefined;
    const entries: Entry[] = [];
    const merged: Entry[] = [];
    for (const pair of node.items) {
      if (!isPair(pair)) continue;
      const { key, value } = pair as { key: unknown; value: unknown };
      if (!isScalar(key) || !key.range) continue;
      const inner = convert(value as ParsedNode, depth + 1);
      if (!inner) continue;
      const [from, to] = key.range;
      if (text.slice(from, to) === "<<") {
        const sources = inner.kind === "sequence" ? inner.items : [inner];
        for (const source of sources) if (source.kind === "mapping") merged.push(...source.entries);
        continue;
      }
      const quoted = key.type === "QUOTE_DOUBLE" || key.type === "QUOTE_SINGLE";
      // an alias stands elsewhere; the entry ends with its name
      const ends = isAlias(value) ? (value.range?.[1] ?? to) : inner.span.end;
      entries.push({
        key: String(key.value),
        keyOuter: { start: from, end: to },
        keySpan: quoted ? { start: from + 1, end: Math.max(from + 1, to - 1) } : { start: from, end: to },
        value: inner,
        span: { start: from, end: Math.max(from, ends) },
      });
    }
    const own = new Set(entries.map(({ key }) => key));
    const first = entries[0]?.span.start ?? start;
    const isFlow = node.flow === true;
    return {
      kind: "mapping",
      // what is merged in stands elsewhere
      syntax: merged.length > 0 ? undefined : isFlow ? "json" : "yaml",
      span: isFlow ? span : { start: first, end: Math.max(first, entries.at(-1)?.span.end ?? end) },
      entries: [...entries, ...merged.filter(({ key }) => !own.has(key))],
    };
  };
  return convert(document.contents, 0);
}

/** A block's range reaches to the next key; its text ends before the line breaks. */
function trimmed(text: string, { start, end }: Span): Span {
  return { start, end: start + text.slice(start, end).trimEnd().length };
}
