import { fileURLToPath } from "node:url";
import type { Parser } from "web-tree-sitter";
import type { Place } from "../facts.js";
import { lastAtMost, lineStartsOf } from "../lines.js";

/**
 * A node of a Python program as a plain object, so that the parser's memory is free again once a file is read. Names
 * of types and fields are those of tree-sitter-python 0.25; comments are kept apart.
 */
export interface PyNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  /** Its name in the parent: `function`, `left`, `value`. */
  readonly field: string | undefined;
  readonly parent: PyNode | undefined;
  /** Named nodes and operators. */
  readonly children: readonly PyNode[];
  readonly tree: PyTree;
}

/** A parsed file. */
export interface PyTree {
  readonly file: string;
  readonly text: string;
  readonly root: PyNode;
  readonly comments: readonly PyNode[];
  readonly errors: readonly { readonly message: string; readonly place: Place }[];
}

/** Parses Python text; never throws, however broken the text is. */
export type ParsePython = (file: string, text: string) => PyTree;

/** Files after which the parser is made anew: its memory only grows. */
const filesPerParser = 2000;

const grammar = new URL("../../../grammars/tree-sitter-python.wasm", import.meta.url);

let loading: Promise<ParsePython> | undefined;

/** The parser, loaded once. */
export function loadPython(): Promise<ParsePython> {
  loading ??= load();
  return loading;
}

async function load(): Promise<ParsePython> {
  const { Language, Parser: Maker } = await import("web-tree-sitter");
  await Maker.init();
  const language = await Language.load(fileURLToPath(grammar));
  let parser: Parser | undefined;
  let files = 0;
  const renew = () => {
    try {
      parser?.delete();
    } catch {
      // a parser that ran out of memory cannot even be deleted
    }
    parser = undefined;
    files = 0;
  };
  return (file, text) => {
    if (files >= filesPerParser) renew();
    files += 1;
    try {
      if (!parser) {
        parser = new Maker();
        parser.setLanguage(language);
      }
      const tree = parser.parse(text);
      if (!tree) return emptyTree(file, text, "the file could not be parsed");
      try {
        return plainTree(file, text, tree.walk(), tree.rootNode.hasError);
      } finally {
        tree.delete();
      }
    } catch {
      // the parser's memory has an end; the next file gets a new one
      renew();
      return emptyTree(file, text, "the file is too large or nested too deeply to be read");
    }
  };
}

/** A file of which nothing could be read. */
function emptyTree(file: string, text: string, message?: string): PyTree {
  const tree = { file, text, comments: [], errors: [] as PyTree["errors"] } as unknown as {
    -readonly [K in keyof PyTree]: PyTree[K];
  };
  tree.root = { type: "module", start: 0, end: text.length, field: undefined, parent: undefined, children: [], tree };
  if (message) tree.errors = [{ message, place: { file, start: 0, end: 0 } }];
  return tree;
}

type Cursor = ReturnType<NonNullable<ReturnType<Parser["parse"]>>["walk"]>;
type Growing = { -readonly [K in keyof PyNode]: PyNode[K] };

/** The one list of all nodes with nothing below. */
const none: readonly PyNode[] = [];

/** Signs that never have a field: the parser need not be asked. */
const plainSigns = new Set(["(", ")", "[", "]", "{", "}", ",", ".", ":", "="]);
/** Types whose children have no fields, in a file without errors; but for the clauses in the block of a `match`. */
const withoutFields = new Set([
  "module",
  "block",
  "expression_statement",
  "argument_list",
  "parameters",
  "string",
  "string_content",
  "concatenated_string",
  "list",
  "tuple",
  "dictionary",
  "return_statement",
  "dotted_name",
  "parenthesized_expression",
]);
/** Types with nothing below them. */
const leaves = new Set(["identifier", "integer", "float", "comment", "string_start", "string_end", "escape_sequence"]);

/** What is known of a type of nodes. */
interface Kind {
  readonly type: string;
  readonly isNamed: boolean;
  readonly isPlain: boolean;
  readonly isLeaf: boolean;
  readonly hasFields: boolean;
}
/** By the parser's number: every question to it costs, and there are millions of nodes of few types. */
const kinds: Kind[] = [];

function kindOf(cursor: Cursor): Kind {
  const id = cursor.nodeTypeId;
  const known = kinds[id];
  if (known) return known;
  const type = cursor.nodeType;
  const isNamed = cursor.nodeIsNamed;
  const kind = {
    type,
    isNamed,
    isPlain: !isNamed && plainSigns.has(type),
    isLeaf: isNamed && leaves.has(type),
    hasFields: !withoutFields.has(type),
  };
  kinds[id] = kind;
  return kind;
}

/** Where a name of ASCII letters ends; 0 where there may be others in it. */
function endOfName(text: string, start: number): number {
  for (let at = start; ; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 127) return 0;
    const isPart =
      (code >= 97 && code <= 122) || code === 95 || (code >= 65 && code <= 90) || (code >= 48 && code <= 57);
    if (!isPart) return at;
  }
}

/** Walks the tree without recursion, so that no depth is too deep here. */
function plainTree(file: string, text: string, cursor: Cursor, hasErrors: boolean): PyTree {
  const tree = emptyTree(file, text) as { -readonly [K in keyof PyTree]: PyTree[K] };
  const comments: PyNode[] = [];
  const errors: { message: string; place: Place }[] = [];
  const note = (start: number, end: number, message: string) => {
    if (errors.length < 1000) errors.push({ message, place: { file, start, end } });
  };
  const make = (type: string, field: string | undefined, parent: Growing | undefined): Growing => {
    const start = cursor.startIndex;
    // every question to the parser costs, and half of all nodes are names
    const end = (type === "identifier" && !hasErrors ? endOfName(text, start) : 0) || cursor.endIndex;
    return { type, start, end, field, parent, children: none, tree };
  };
  const root = make(kindOf(cursor).type, undefined, undefined);
  const open: Growing[] = [root];
  const fielded: boolean[] = [true];
  /** What is below each open node so far. */
  const below: (PyNode[] | undefined)[] = [undefined];
  const close = () => {
    const node = open.pop()!;
    fielded.pop();
    // a list that grew holds more room than it needs, and there are millions
    const list = below.pop();
    if (list) node.children = list.slice();
  };
  if (root.type === "ERROR") note(root.start, root.end, "invalid syntax");
  let into = cursor.gotoFirstChild();
  /** The cursor stands on a node that is not among the open ones. */
  let skipped = false;
  while (open.length > 0) {
    if (!into) {
      // nothing below: on to the next beside, or up
      if (!skipped) close();
      skipped = false;
      if (open.length === 0) break;
      if (!cursor.gotoNextSibling()) {
        cursor.gotoParent();
        continue;
      }
    }
    const { type, isNamed, isPlain, isLeaf, hasFields } = kindOf(cursor);
    const isAsked = hasErrors || (!isPlain && (fielded[fielded.length - 1] || type === "case_clause"));
    const field = isAsked ? (cursor.currentFieldName ?? undefined) : undefined;
    // most signs are of no use
    if (!hasErrors && !isNamed && !field) {
      into = false;
      skipped = true;
      continue;
    }
    const node = make(type, field, open[open.length - 1]);
    if (hasErrors) {
      if (cursor.nodeIsMissing) note(node.start, node.end, `missing ${type}`);
      else if (type === "ERROR") note(node.start, node.end, "invalid syntax");
    }
    if (type === "comment") comments.push(node);
    // a backslash at the end of a line is no argument
    else if ((isNamed || field) && type !== "line_continuation") {
      const list = below[open.length - 1];
      if (list) list.push(node);
      else below[open.length - 1] = [node];
    }
    if (isLeaf && !hasErrors) {
      into = false;
      skipped = true;
      continue;
    }
    open.push(node);
    fielded.push(hasFields);
    below.push(undefined);
    into = cursor.gotoFirstChild();
  }
  cursor.delete();
  tree.root = root;
  tree.comments = comments;
  tree.errors = errors;
  return tree;
}

const lineStarts = new WeakMap<PyTree, readonly number[]>();

/** Line of an offset, from 1. */
export function lineOf(tree: PyTree, offset: number): number {
  let starts = lineStarts.get(tree);
  if (!starts) {
    starts = lineStartsOf(tree.text);
    lineStarts.set(tree, starts);
  }
  return lastAtMost(starts, offset) + 1;
}

/** The code of a node. */
export const codeOf = (node: PyNode): string => node.tree.text.slice(node.start, node.end);

/** The code of a node on one line, cut to 200 characters. */
export function short(node: PyNode): string {
  const code = node.tree.text.slice(node.start, Math.min(node.end, node.start + 2000)).replace(/\s+/g, " ");
  return code.length > 200 ? `${code.slice(0, 199)}…` : code;
}

/** The child in a field. */
export const child = (node: PyNode, field: string): PyNode | undefined =>
  node.children.find((one) => one.field === field);

/** All children in a field. */
export const childrenIn = (node: PyNode, field: string): readonly PyNode[] =>
  node.children.filter((one) => one.field === field);

/** The place of a node. */
export const placeOf = (node: PyNode): Place => ({ file: node.tree.file, start: node.start, end: node.end });

/** Visits a node and all below it, parents first; `false` leaves out what is below. */
export function walk(node: PyNode, visit: (node: PyNode) => boolean | undefined): void {
  const pending = [node];
  for (let one = pending.pop(); one; one = pending.pop()) {
    if (visit(one) === false) continue;
    for (let at = one.children.length - 1; at >= 0; at -= 1) pending.push(one.children[at]!);
  }
}
