import type {
  Command,
  Comment,
  Comparison,
  Literal,
  NamedFlag,
  NamedSymbol,
  Primitive,
  Switch,
  Word,
} from "../facts.js";
import { markupFile } from "../sources.js";
import { hostOfFile } from "./typescript-clients.js";
import { ts } from "./typescript-compiler.cjs";
import { ownerOf } from "./typescript-mentions.js";
import type { Module } from "./typescript-scopes.js";
import { propertyName, withoutCasts } from "./typescript-syntax.js";
import { numberOf, placeOf } from "./typescript-values.js";

/** Code on one line, at most 200 characters. */
export function excerpt(node: ts.Node): string {
  const text = node.getText().slice(0, 2000).replace(/\s+/g, " ");
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

/** The value of a literal on the spot. */
export function primitiveOf(node: ts.Node): Primitive | undefined {
  const plain = ts.isExpression(node) ? withoutCasts(node) : node;
  if (ts.isStringLiteralLike(plain)) return plain.text;
  if (plain.kind === ts.SyntaxKind.TrueKeyword) return true;
  if (plain.kind === ts.SyntaxKind.FalseKeyword) return false;
  return numberOf(plain);
}

/** What the value of an expression is called: its property, constant or parameter; empty where there is none. */
function nameAround(node: ts.Node): string {
  let up = node.parent;
  let inner = node;
  while (
    up &&
    (ts.isAsExpression(up) ||
      ts.isParenthesizedExpression(up) ||
      ts.isSatisfiesExpression(up) ||
      ts.isBinaryExpression(up))
  ) {
    if (ts.isBinaryExpression(up) && up.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
      return up.right === inner ? lastName(up.left) : "";
    }
    // what is compared with a value is not called by the name of the answer
    if (ts.isBinaryExpression(up) && isComparison(up)) return "";
    inner = up;
    up = up.parent;
  }
  if (!up) return "";
  if (ts.isPropertyAssignment(up) && up.initializer === inner) return propertyName(up.name) ?? "";
  if (
    (ts.isPropertyDeclaration(up) || ts.isVariableDeclaration(up) || ts.isParameter(up) || ts.isEnumMember(up)) &&
    up.initializer === inner
  ) {
    return up.name.getText();
  }
  return ts.isJsxAttribute(up) ? up.name.getText() : "";
}

function isComparison({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return (
    (kind >= ts.SyntaxKind.EqualsEqualsToken && kind <= ts.SyntaxKind.ExclamationEqualsEqualsToken) ||
    (kind >= ts.SyntaxKind.LessThanToken && kind <= ts.SyntaxKind.GreaterThanEqualsToken)
  );
}

function lastName(node: ts.Node): string {
  return ts.isPropertyAccessExpression(node) ? node.name.text : ts.isIdentifier(node) ? node.text : "";
}

const longest = 20_000;

/** A string, template or regular expression; undefined for module names, directives and other nodes. */
export function literalOf(node: ts.Node, module: Module): Literal | undefined {
  if (ts.isStringLiteralLike(node)) {
    const { parent } = node;
    if (node.text.length > longest || ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent))
      return undefined;
    return { value: node.text, kind: "string", place: placeOf(node, module), name: nameAround(node) };
  }
  if (ts.isTemplateExpression(node)) {
    const value = node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join("");
    if (value.length > longest) return undefined;
    return { value, kind: "template", place: placeOf(node, module), name: nameAround(node) };
  }
  if (ts.isRegularExpressionLiteral(node)) {
    const value = node.text.slice(1, node.text.lastIndexOf("/"));
    return { value, kind: "regex", place: placeOf(node, module), name: nameAround(node) };
  }
  return undefined;
}

/** `name: true` and the like. */
export function flagOf(node: ts.Node, module: Module): NamedFlag | undefined {
  const value =
    node.kind === ts.SyntaxKind.TrueKeyword ? true : node.kind === ts.SyntaxKind.FalseKeyword ? false : undefined;
  if (value === undefined || ts.isLiteralTypeNode(node.parent)) return undefined;
  const name = nameAround(node);
  if (name === "") return undefined;
  return { name, value, place: placeOf(node, module), owner: ownerOf(node), host: hostOfFile(module) };
}

const contains = /^(includes|startsWith|endsWith|indexOf|has|match|test|search)$/;

/** A test of something against a literal, or of an error against a class. */
export function comparisonOf(node: ts.Node, module: Module): Comparison | undefined {
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    if (kind === ts.SyntaxKind.InstanceOfKeyword) {
      return {
        subject: excerpt(node.left),
        value: excerpt(node.right),
        operator: "instance",
        place: placeOf(node, module),
      };
    }
    const equal = kind === ts.SyntaxKind.EqualsEqualsToken || kind === ts.SyntaxKind.EqualsEqualsEqualsToken;
    const differs =
      kind === ts.SyntaxKind.ExclamationEqualsToken || kind === ts.SyntaxKind.ExclamationEqualsEqualsToken;
    if (!equal && !differs) return undefined;
    const [left, right] = [primitiveOf(node.left), primitiveOf(node.right)];
    const value = right ?? left;
    if (value === undefined || (left !== undefined && right !== undefined)) return undefined;
    return {
      subject: excerpt(right === undefined ? node.right : node.left),
      value,
      operator: equal ? "equals" : "differs",
      place: placeOf(node, module),
    };
  }
  // !chunk.choices.length
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
    const { operand } = node;
    if (!ts.isPropertyAccessExpression(operand) || operand.name.text !== "length") return undefined;
    return { subject: excerpt(operand), value: 0, operator: "equals", place: placeOf(node, module) };
  }
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
  const [argument] = node.arguments;
  if (!argument || !contains.test(node.expression.name.text)) return undefined;
  const { expression: subject } = node.expression;
  // /reasoner/.test(model) the other way round
  if (ts.isRegularExpressionLiteral(subject)) {
    return {
      subject: excerpt(argument),
      value: subject.text.slice(1, subject.text.lastIndexOf("/")),
      operator: "contains",
      place: placeOf(node, module),
    };
  }
  const value = ts.isRegularExpressionLiteral(argument)
    ? argument.text.slice(1, argument.text.lastIndexOf("/"))
    : primitiveOf(argument);
  if (typeof value !== "string") return undefined;
  return { subject: excerpt(subject), value, operator: "contains", place: placeOf(node, module) };
}

/** A `switch` over literals. */
export function switchOf(node: ts.Node, module: Module): Switch | undefined {
  if (!ts.isSwitchStatement(node)) return undefined;
  const cases = node.caseBlock.clauses.flatMap((clause) => {
    const value = ts.isCaseClause(clause) ? primitiveOf(clause.expression) : undefined;
    return ts.isCaseClause(clause) && value !== undefined ? [{ value, place: placeOf(clause.expression, module) }] : [];
  });
  if (cases.length === 0) return undefined;
  return {
    subject: excerpt(node.expression),
    cases,
    hasDefault: node.caseBlock.clauses.some(ts.isDefaultClause),
    place: { ...placeOf(node, module), end: node.expression.end + 1 },
  };
}

/** A named function, class or method. */
export function symbolOf(node: ts.Node, module: Module): NamedSymbol | undefined {
  // asked of every node: only a symbol's place is worked out
  const symbol = nameAndKind(node);
  if (!symbol) return undefined;
  const { start, end } = placeOf(node, module);
  return { ...symbol, start, end };
}

function nameAndKind(node: ts.Node): Pick<NamedSymbol, "name" | "kind"> | undefined {
  if (ts.isFunctionDeclaration(node) && node.name) return { name: node.name.text, kind: "function" };
  if (ts.isClassLike(node) && node.name) return { name: node.name.text, kind: "class" };
  if (
    (ts.isMethodDeclaration(node) || ts.isGetAccessorDeclaration(node) || ts.isSetAccessorDeclaration(node)) &&
    propertyName(node.name) !== undefined
  ) {
    return { name: propertyName(node.name)!, kind: "method" };
  }
  if (ts.isConstructorDeclaration(node)) return { name: "constructor", kind: "method" };
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return undefined;
  const name = nameAround(node);
  return name ? { name, kind: "function" } : undefined;
}

/** Comments that speak to this program. A scanner tells them from text in strings. */
export function commentsOf(module: Module): readonly Comment[] {
  const { source, file } = module;
  const marker = /deepseek-compat-ignore/g;
  const found: Comment[] = [];
  const seen = new Set<number>();
  for (let match = marker.exec(source.text); match; match = marker.exec(source.text)) {
    const range = commentAround(source, match.index);
    if (!range || seen.has(range.pos)) continue;
    seen.add(range.pos);
    const text = source.text
      .slice(range.pos, range.end)
      .replace(/^\/[/*]+|\*\/$/g, "")
      .trim();
    found.push({ text, place: { file, start: range.pos, end: range.end } });
  }
  return markupFile.test(file) ? [...found, ...markupComments(module)].sort(byStart) : found;
}

const byStart = (a: Comment, b: Comment): number => a.place.start - b.place.start;

/** Comments in the markup of a Vue, Svelte or Astro file that speak to this program: all but scripts is blank in `source`. */
function markupComments({ source, file, text }: Module): readonly Comment[] {
  const found = new Map<number, Comment>();
  for (const { index } of text.matchAll(/deepseek-compat-ignore/g)) {
    const start = text.lastIndexOf("<!--", index);
    const close = text.indexOf("-->", index);
    if (source.text[index] !== " " || start < 0 || close < 0 || text.lastIndexOf("-->", index) > start) continue;
    found.set(start, { text: text.slice(start + 4, close).trim(), place: { file, start, end: close + 3 } });
  }
  return [...found.values()];
}

function commentAround(source: ts.SourceFile, offset: number): ts.CommentRange | undefined {
  // the smallest node around it: comments stand in the blanks before or after its children
  let node: ts.Node = source;
  for (let next: ts.Node | undefined = source; next; ) {
    node = next;
    next = undefined;
    ts.forEachChild(node, (child) => {
      if (child.pos <= offset && offset < child.end) next = child;
    });
  }
  const inside = ({ pos, end }: ts.CommentRange) => pos <= offset && offset < end;
  const gaps: number[] = [node.pos, node.end];
  for (const child of node.getChildren(source)) gaps.push(child.pos, child.end);
  for (const gap of gaps) {
    const ranges = [
      ...(ts.getLeadingCommentRanges(source.text, gap) ?? []),
      ...(ts.getTrailingCommentRanges(source.text, gap) ?? []),
    ];
    const range = ranges.find(inside);
    if (range) return range;
  }
  return undefined;
}

/** A list of words that starts a program: `spawn("vllm", ["serve", "--port", "8000"])`, `["python", "-m", "x", "--y"]`. */
export function commandOf(node: ts.Node, module: Module): Command | undefined {
  if (!ts.isArrayLiteralExpression(node)) return undefined;
  const flags = node.elements.filter((one) => ts.isStringLiteralLike(one) && /^--[a-z]/.test(one.text));
  if (flags.length === 0 || node.elements.length > 500) return undefined;
  const call = ts.isCallExpression(node.parent) ? node.parent.arguments : undefined;
  const program = call?.[1] === node && ts.isStringLiteralLike(call[0]!) ? [call[0]!] : [];
  const all = [...program, ...node.elements];
  return {
    words: all.map((one) => wordOf(one, module)),
    place: { ...placeOf(node, module), start: placeOf(all[0]!, module).start },
    context: "list",
  };
}

function wordOf(node: ts.Expression, module: Module): Word {
  const place = placeOf(node, module);
  const value = primitiveOf(node);
  if (typeof value !== "string") return { text: value === undefined ? "…" : String(value), place };
  return { text: value, place: { ...place, start: place.start + 1, end: place.end - 1 } };
}
