import type { Place, Value } from "../facts.js";
import { ts } from "./typescript-compiler.cjs";
import type { Module } from "./typescript-scopes.js";
import { joined, type Read, valueOfEnds } from "./value-of-ends.js";

/** Where an expression leads: the node at which nothing more can be followed, and the way to it. */
export interface Found {
  readonly node: ts.Node;
  readonly module: Module;
  /** Nearest step first. */
  readonly path: readonly string[];
  /** The only place it can lead to. */
  readonly sure: boolean;
  /** What the parameters of the function around the node were called with. */
  readonly arguments?: Arguments;
  /** Name of the environment variable read here, or that replaces this default. */
  readonly environment?: string;
  /** What is imported from a package: `openai`, `default`. */
  readonly external?: { readonly specifier: string; readonly name: string };
}

/** Arguments by parameter, for following a value through a call. */
export type Arguments = ReadonlyMap<ts.ParameterDeclaration, Found>;

/** The place of a node, without leading comments. */
export function placeOf(node: ts.Node, module: Module): Place {
  return { file: module.file, start: node.getStart(module.source), end: node.end };
}

/** `NAME, src/file.ts:12`. */
export function stepOf(name: string, node: ts.Node, module: Module): string {
  const line = module.source.getLineAndCharacterOfPosition(node.getStart(module.source)).line + 1;
  return `${name}, ${module.file}:${line}`;
}

/** The number an expression writes out: literals, signs, products, powers of literals. */
export function numberOf(node: ts.Node): number | undefined {
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return numberOf(node.expression);
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken) {
    const value = numberOf(node.operand);
    return value === undefined ? undefined : -value;
  }
  if (!ts.isBinaryExpression(node)) return undefined;
  const left = numberOf(node.left);
  const right = numberOf(node.right);
  if (left === undefined || right === undefined) return undefined;
  switch (node.operatorToken.kind) {
    case ts.SyntaxKind.AsteriskToken:
      return left * right;
    case ts.SyntaxKind.SlashToken:
      return right === 0 ? undefined : left / right;
    case ts.SyntaxKind.AsteriskAsteriskToken:
      return left ** right;
    case ts.SyntaxKind.PlusToken:
      return left + right;
    case ts.SyntaxKind.MinusToken:
      return left - right;
    case ts.SyntaxKind.LessThanLessThanToken:
      return left << right;
    default:
      return undefined;
  }
}

/** Turns the ends of all ways into a value; `follow` resolves the parts of templates and sums. */
export function valueFrom(found: readonly Found[], follow: (node: ts.Expression, from: Found) => Value): Value {
  return valueOfEnds(
    found,
    (one) => primitiveOf(one, follow),
    (one) => placeOf(one.node, one.module),
  );
}

function primitiveOf(found: Found, follow: (node: ts.Expression, from: Found) => Value): Read | undefined {
  const { node } = found;
  const known = (part: ts.Expression): Value => follow(part, found);
  const plain = (value: Read["value"]): Read => ({ value, partial: false, path: [], environment: [], open: false });
  if (ts.isStringLiteralLike(node)) return plain(node.text);
  if (node.kind === ts.SyntaxKind.TrueKeyword) return plain(true);
  if (node.kind === ts.SyntaxKind.FalseKeyword) return plain(false);
  const number = numberOf(node);
  if (number !== undefined) return plain(number);
  if (ts.isTemplateExpression(node)) {
    const parts = node.templateSpans.flatMap((span) => [span.expression, span.literal.text]);
    return joined([node.head.text, ...parts], known);
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return joined([node.left, node.right], known);
  }
  if (ts.isNewExpression(node) && node.expression.getText() === "URL" && node.arguments?.length) {
    const [path, base] = node.arguments;
    const read = joined(base ? [base, "\n", path!] : [path!], known);
    return read && { ...read, value: resolvedUrl(String(read.value)) };
  }
  return undefined;
}

/** `https://host/v1\nbeta/x` -> `https://host/beta/x`: the first line is the base of the second, as `new URL()` reads it. */
function resolvedUrl(text: string): string {
  const [base = "", path] = text.split("\n");
  if (path === undefined) return text;
  if (/^[a-z][a-z\d+.-]*:/i.test(path)) return path;
  const [, origin = base, folder = "/"] = /^(\w+:\/\/[^/?#]*)(\/[^?#]*\/)?/.exec(base) ?? [];
  return path.startsWith("/") ? `${origin}${path}` : `${origin}${folder}${path.replace(/^\.\//, "")}`;
}
