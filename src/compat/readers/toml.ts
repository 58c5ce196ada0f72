// Long because the grammar of TOML is written out with positions: its library has none.
import { parse as parseToml } from "smol-toml";
import type { FileFacts, Primitive, Span } from "../facts.js";
import type { Sources } from "../sources.js";
import { addComments, draftOf, factsOf } from "./config-facts.js";
import { type ConfigNode, type Entry, isData, maximumText, type Scalar } from "./config-tree.js";
import { readTree } from "./settings.js";

/** Reads TOML files. What this reader and the library do not read alike is left out whole. */
export function readToml(sources: Sources, paths: readonly string[]): readonly FileFacts[] {
  return paths.flatMap((path) => {
    const text = sources.read(path);
    return text === undefined ? [] : [readFile(path, text)];
  });
}

function readFile(file: string, text: string): FileFacts {
  const draft = draftOf(file, "toml", text);
  if (text.length > maximumText) return factsOf(draft);
  const parsed = valuesOf(text);
  if ("error" in parsed) {
    const line = text
      .split("\n")
      .slice(0, parsed.line - 1)
      .join("\n").length;
    const start = Math.min(text.length, parsed.line > 1 ? line + 1 : 0);
    draft.syntaxErrors.push({ message: parsed.error, place: draft.place({ start, end: start }) });
  } else {
    const root = treeOf(text);
    if (root && agrees(root, parsed.value) && !isData(file, [root])) readTree(draft, [root]);
  }
  addComments(draft, /(?<=^|\s)#/);
  return factsOf(draft);
}

function valuesOf(text: string): { value: unknown } | { error: string; line: number } {
  try {
    return { value: parseToml(text.replace(/^\uFEFF/, " ")) };
  } catch (error) {
    const { message, line } = error as { message?: string; line?: number };
    return { error: (message ?? "no valid TOML").split("\n")[0]!, line: typeof line === "number" ? line : 1 };
  }
}

/** 1 where a text is no valid TOML. */
export function countSyntaxErrors(_file: string, text: string): number {
  return text.length <= maximumText && "error" in valuesOf(text) ? 1 : 0;
}

interface Table {
  readonly kind: "mapping";
  readonly syntax: undefined;
  readonly entries: Entry[];
  span: Span;
}

interface List {
  readonly kind: "sequence";
  readonly items: ConfigNode[];
  readonly span: Span;
}

interface Key {
  readonly key: string;
  readonly inner: Span;
  readonly outer: Span;
}

class Refusal extends Error {}

/** The tree with positions; undefined where this reader does not understand the text. */
function treeOf(text: string): ConfigNode | undefined {
  try {
    return new TomlScan(text).document();
  } catch (error) {
    if (error instanceof Refusal || error instanceof RangeError) return undefined;
    throw error;
  }
}

const table = (start: number): Table => ({
  kind: "mapping",
  syntax: undefined,
  entries: [],
  span: { start, end: start },
});

class TomlScan {
  private at = 0;
  constructor(private readonly text: string) {}

  document(): ConfigNode {
    const root = table(0);
    root.span = { start: 0, end: this.text.length };
    let current: Table = root;
    if (this.text.charCodeAt(0) === 0xfeff) this.at = 1;
    for (this.blanks(true); this.at < this.text.length; this.blanks(true)) {
      const start = this.at;
      if (this.text[this.at] === "[") {
        const isList = this.text.startsWith("[[", this.at);
        this.at += isList ? 2 : 1;
        const keys = this.keys();
        if (!this.text.startsWith(isList ? "]]" : "]", this.at)) throw new Refusal();
        this.at += isList ? 2 : 1;
        current = this.section(root, keys, isList, start);
      } else {
        const keys = this.keys();
        if (this.text[this.at] !== "=") throw new Refusal();
        this.at += 1;
        this.blanks(false);
        const value = this.value(0);
        this.put(current, keys, value, start);
        current.span = { ...current.span, end: Math.max(current.span.end, value.span.end) };
      }
      this.blanks(false);
      if (this.at < this.text.length && !/[\r\n]/.test(this.text[this.at]!)) throw new Refusal();
    }
    return root;
  }

  private section(root: Table, keys: readonly Key[], isList: boolean, start: number): Table {
    let parent = root;
    for (const key of keys.slice(0, -1)) parent = this.child(parent, key);
    const last = keys.at(-1)!;
    if (!isList) {
      const found = this.child(parent, last);
      found.span = { start: Math.min(found.entries.length > 0 ? found.span.start : start, start), end: this.at };
      return this.stretched(parent, last.key, found);
    }
    const fresh = table(start);
    fresh.span = { start, end: this.at };
    const list = parent.entries.find(({ key }) => key === last.key)?.value;
    if (list?.kind === "sequence") (list as List).items.push(fresh);
    else if (list) throw new Refusal();
    else {
      const value: List = { kind: "sequence", items: [fresh], span: fresh.span };
      parent.entries.push({ key: last.key, keySpan: last.inner, keyOuter: last.outer, value, span: fresh.span });
    }
    return fresh;
  }

  /** An entry's range is that of its table, which grows while it is read. */
  private stretched(parent: Table, key: string, value: Table): Table {
    const index = parent.entries.findIndex((entry) => entry.key === key);
    const old = parent.entries[index]!;
    parent.entries[index] = {
      ...old,
      get span() {
        return value.span;
      },
    };
    return value;
  }

  private child(parent: Table, { key, inner, outer }: Key): Table {
    const found = parent.entries.find((entry) => entry.key === key)?.value;
    if (found?.kind === "sequence") {
      const last = found.items.at(-1);
      if (last?.kind === "mapping") return last as Table;
    }
    if (found?.kind === "mapping") return found as Table;
    if (found) throw new Refusal();
    const value = table(outer.start);
    parent.entries.push({ key, keySpan: inner, keyOuter: outer, value, span: outer });
    return value;
  }

  private put(into: Table, keys: readonly Key[], value: ConfigNode, start: number): void {
    let parent = into;
    for (const key of keys.slice(0, -1)) parent = this.child(parent, key);
    const { key, inner, outer } = keys.at(-1)!;
    if (parent.entries.some((entry) => entry.key === key)) throw new Refusal();
    parent.entries.push({ key, keySpan: inner, keyOuter: outer, value, span: { start, end: value.span.end } });
  }

  private keys(): readonly Key[] {
    const keys: Key[] = [];
    for (;;) {
      this.blanks(false);
      const start = this.at;
      const sign = this.text[this.at];
      if (sign === '"' || sign === "'") {
        const { value, span, inner } = this.string();
        keys.push({ key: String(value), inner, outer: span });
      } else {
        const bare = /[A-Za-z0-9_-]+/y;
        bare.lastIndex = start;
        const found = bare.exec(this.text)?.[0];
        if (!found) throw new Refusal();
        this.at += found.length;
        const span = { start, end: this.at };
        keys.push({ key: found, inner: span, outer: span });
      }
      this.blanks(false);
      if (this.text[this.at] !== ".") return keys;
      this.at += 1;
    }
  }

  /** Over blanks, and over line breaks and comments too where they may stand. */
  private blanks(lines: boolean): void {
    const skip = lines ? /(?:[ \t\r\n]|#[^\n]*)*/y : /[ \t]*(?:#[^\r\n]*)?/y;
    skip.lastIndex = this.at;
    skip.exec(this.text);
    this.at = skip.lastIndex;
  }

  private value(depth: number): ConfigNode {
    if (depth > 100) throw new Refusal();
    const sign = this.text[this.at];
    const start = this.at;
    if (sign === '"' || sign === "'") return this.string();
    if (sign === "[") {
      this.at += 1;
      const items: ConfigNode[] = [];
      for (this.blanks(true); this.text[this.at] !== "]"; this.blanks(true)) {
        items.push(this.value(depth + 1));
        this.blanks(true);
        if (this.text[this.at] === ",") this.at += 1;
        else if (this.text[this.at] !== "]") throw new Refusal();
      }
      this.at += 1;
      return { kind: "sequence", items, span: { start, end: this.at } };
    }
    if (sign === "{") {
      this.at += 1;
      const inline = table(start);
      for (this.blanks(true); this.text[this.at] !== "}"; this.blanks(true)) {
        const from = this.at;
        const keys = this.keys();
        if (this.text[this.at] !== "=") throw new Refusal();
        this.at += 1;
        this.blanks(false);
        this.put(inline, keys, this.value(depth + 1), from);
        this.blanks(true);
        if (this.text[this.at] === ",") this.at += 1;
        else if (this.text[this.at] !== "}") throw new Refusal();
      }
      this.at += 1;
      inline.span = { start, end: this.at };
      return inline;
    }
    const word = /[^\s,\]}#]+(?: \d\d:[\d:.]+\S*)?/y;
    word.lastIndex = start;
    const found = word.exec(this.text)?.[0];
    if (!found) throw new Refusal();
    this.at += found.length;
    const span = { start, end: this.at };
    return { kind: "scalar", value: plainOf(found), span, inner: span };
  }

  private string(): Scalar {
    const start = this.at;
    const sign = this.text[start]!;
    const triple = this.text.startsWith(sign.repeat(3), start);
    const quote = triple ? sign.repeat(3) : sign;
    let end = start + quote.length;
    for (; ; end += 1) {
      if (end >= this.text.length || (!triple && this.text[end] === "\n")) throw new Refusal();
      if (sign === '"' && this.text[end] === "\\") end += 1;
      else if (this.text.startsWith(quote, end)) break;
    }
    // one or two quotes may stand before the closing three
    while (triple && this.text[end + 3] === sign) end += 1;
    const inner = { start: start + quote.length, end };
    this.at = end + quote.length;
    const source = this.text.slice(start, this.at);
    const value = (parseToml(`x = ${source}`) as { x: string }).x;
    return { kind: "scalar", value, span: { start, end: this.at }, inner };
  }
}

/** Numbers and booleans; dates are of no interest. */
function plainOf(word: string): Primitive | null {
  if (word === "true" || word === "false") return word === "true";
  const plain = word.replace(/_/g, "");
  return /^[+-]?(0x[\da-f]+|0o[0-7]+|0b[01]+|\d+(\.\d+)?(e[+-]?\d+)?)$/i.test(plain) ? Number(plain) : null;
}

/** Does the tree hold what the library read? */
function agrees(node: ConfigNode, value: unknown): boolean {
  if (node.kind === "scalar") return node.value === null ? typeof value !== "string" : node.value === value;
  if (node.kind === "sequence") {
    return (
      Array.isArray(value) &&
      value.length === node.items.length &&
      node.items.every((item, index) => agrees(item, value[index]))
    );
  }
  if (typeof value !== "object" || value === null) return false;
  const keys = Object.keys(value);
  return (
    keys.length === node.entries.length &&
    node.entries.every(
      (entry) => Object.hasOwn(value, entry.key) && agrees(entry.value, (value as Record<string, unknown>)[entry.key]),
    )
  );
}
