import type { Alias, Document, Node } from "yaml";
import { UserError } from "../errors.js";

/** A key of a recipe and what stands behind it. */
export interface RecipeEntry {
  readonly key: string;
  /** From 1. */
  readonly line: number;
  /** As data. */
  readonly value: unknown;
  /** The value, or the values of a list, as they are written: a version 1.20 is not the number 1.2. Empty for anything else. */
  readonly texts: readonly string[];
}

/** The entries of a recipe, which is YAML or JSON; `name` is the file's. Throws a UserError with the line. */
export async function recipeEntries(text: string, name: string): Promise<readonly RecipeEntry[]> {
  const { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error) {
    const line = error.linePos?.[0].line;
    throw new UserError(`${name}${line ? `:${line}` : ""}: is not valid YAML or JSON: ${firstLine(error.message)}`);
  }
  const root: unknown = document.contents;
  if (!isMap(root) || root.items.length === 0) {
    throw new UserError(`${name}: holds no options; write one a line, such as \`prune: 0.3\``);
  }
  const target = (node: unknown): unknown => {
    if (!isAlias(node)) return node;
    const found = (node as Alias).resolve(document as Document);
    if (found) return found;
    const { line } = lines.linePos(node.range?.[0] ?? 0);
    throw new UserError(
      `${name}:${line}: *${node.source}: quote it: in YAML, * at the start means what &${node.source} names`,
    );
  };
  const textOf = (node: unknown): readonly string[] => {
    const one = target(node);
    if (!isScalar(one)) return [];
    return [typeof one.value === "number" && one.source !== undefined ? one.source : String(one.value)];
  };
  return root.items.map(({ key, value }) => {
    const node = target(value);
    const from = (key as Node).range?.[0] ?? 0;
    // first, as it knows the line of an alias that means nothing
    const texts = isSeq(node) ? node.items.flatMap(textOf) : textOf(node);
    return {
      key: textOf(key)[0] ?? String(key),
      line: lines.linePos(from).line,
      value: dataOf(node as Node | null, document as Document, name),
      texts,
    };
  });
}

function dataOf(node: Node | null | undefined, document: Document, name: string): unknown {
  try {
    return node?.toJS(document, { maxAliasCount: 100 }) ?? null;
  } catch (error) {
    throw new UserError(`${name}: ${firstLine(error instanceof Error ? error.message : String(error))}`);
  }
}

/** Longer messages quote half a file. */
const longest = 160;

/** What the parser says, without the place, which is said before, and the lines that show it. */
function firstLine(message: string): string {
  const line = message
    .split("\n")[0]!
    .replace(/ at line \d+, column \d+:?$/, "")
    .replace(/[:.]$/, "");
  return line.length > longest ? `${line.slice(0, longest)}...` : line;
}
