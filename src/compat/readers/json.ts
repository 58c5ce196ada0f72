import type { FileFacts } from "../facts.js";
import type { Sources } from "../sources.js";
import { addComments, type Draft, draftOf, factsOf } from "./config-facts.js";
import { type ConfigNode, isData, maximumText } from "./config-tree.js";
import { type JsonError, parseJson } from "./json-tree.js";
import { readTree } from "./settings.js";

/** Lines of a .jsonl file up to which it is a list of requests; beyond, it is data. */
const maximumLines = 1000;

/** Reads JSON, JSON with comments, and files of one JSON value a line. */
export function readJson(sources: Sources, paths: readonly string[]): readonly FileFacts[] {
  return paths.flatMap((path) => {
    const text = sources.read(path);
    return text === undefined ? [] : [readFile(path, text)];
  });
}

function readFile(file: string, text: string): FileFacts {
  const draft = draftOf(file, "json", text);
  if (text.length > maximumText) return factsOf(draft);
  const { roots, errors } = treesOf(file, text);
  for (const { message, span } of errors) draft.syntaxErrors.push({ message, place: draft.place(span) });
  if (!isData(file, roots)) readTree(draft, roots);
  addComments(draft, /\/\/|\/\*/, (offset) => isInString(draft, offset));
  return factsOf(draft);
}

function isInString({ text }: Draft, offset: number): boolean {
  const line = text.slice(text.lastIndexOf("\n", offset) + 1, offset);
  const opener = Math.max(line.lastIndexOf("//"), line.lastIndexOf("/*"));
  return (line.slice(0, opener).replace(/\\./g, "").split('"').length - 1) % 2 === 1;
}

function treesOf(file: string, text: string): { roots: readonly ConfigNode[]; errors: readonly JsonError[] } {
  if (!/\.(jsonl|ndjson)$/i.test(file)) {
    const { root, errors } = parseJson(text);
    return { roots: root ? [root] : [], errors };
  }
  const roots: ConfigNode[] = [];
  const errors: JsonError[] = [];
  const lines = text.split("\n");
  if (lines.length > maximumLines) return { roots, errors };
  let start = 0;
  for (const line of lines) {
    const from = start;
    start += line.length + 1;
    if (line.trim() === "") continue;
    const tree = parseJson(line, { at: (offset) => from + offset });
    if (tree.root) roots.push(tree.root);
    errors.push(...tree.errors);
  }
  return { roots, errors };
}

/** Number of syntax errors in a JSON text; comments and trailing commas are none. */
export function countSyntaxErrors(file: string, text: string): number {
  return text.length > maximumText ? 0 : treesOf(file, text).errors.length;
}
