import { ts } from "./typescript-compiler.cjs";
import { declarationOf } from "./typescript-scopes.js";
import { classAround } from "./typescript-syntax.js";

/**
 * What the compiler holds a literal or a client against, as far as it is written out: `openai`, a type of that
 * package; `open`, one that takes any property; `other`, one of which nothing is known here.
 */
export type Declared = "openai" | "open" | "other";

/** The type written around an object literal, and whether it is a cast, which takes unknown properties. */
export function typeAround(
  literal: ts.ObjectLiteralExpression,
): { readonly declared: Declared; readonly cast: boolean } | undefined {
  let up: ts.Node = literal.parent;
  for (; ; up = up.parent) {
    if (ts.isParenthesizedExpression(up) || isConst(up)) continue;
    if (ts.isSatisfiesExpression(up)) return { declared: kindOf(up.type), cast: false };
    if (ts.isAsExpression(up) || ts.isTypeAssertionExpression(up)) return { declared: kindOf(up.type), cast: true };
    break;
  }
  return ts.isVariableDeclaration(up) && up.type ? { declared: kindOf(up.type), cast: false } : undefined;
}

function kindOf(type: ts.TypeNode): Declared {
  const text = type.getText();
  if (/^(any|unknown|object|Record<string,\s*(any|unknown)>)$/.test(text)) return "open";
  return /^[\w.]*\bChatCompletionCreateParams(NonStreaming|Streaming|Base)?$/.test(text) ? "openai" : "other";
}

/** `as const`, which the compiler looks through. */
export function isConst(node: ts.Node): boolean {
  return (ts.isAsExpression(node) || ts.isTypeAssertionExpression(node)) && node.type.getText() === "const";
}

/**
 * Has a client, seen where it is made and where it is used, the type of the `openai` package? Not so where an
 * annotation, a cast, a wrapper or an untyped `require` may have changed it.
 */
export function isOpenAITyped(made: ts.NewExpression, package_: string | undefined, used: ts.Expression): boolean {
  if (package_ !== undefined && package_ !== "openai") return false;
  const name = ts.isPropertyAccessExpression(made.expression) ? made.expression.expression : made.expression;
  if (ts.isIdentifier(name) && isRequired(declarationOf(name.text, name))) return false;
  if (ts.isIdentifier(used)) {
    const declaration = declarationOf(used.text, used);
    if (declaration && "type" in declaration && !names(declaration.type)) return false;
  }
  if (ts.isPropertyAccessExpression(used) && used.expression.kind === ts.SyntaxKind.ThisKeyword) {
    if (!isTypedTarget(used)) return false;
  }
  return keepsType(made);
}

/** Follows a client outwards from where it is made to the variable, field or function that holds it. */
function keepsType(made: ts.Expression): boolean {
  for (let node: ts.Node = made; ; node = node.parent) {
    const up = node.parent;
    if (ts.isAsExpression(up) || ts.isSatisfiesExpression(up) || ts.isTypeAssertionExpression(up)) {
      if (!names(up.type)) return false;
    } else if (ts.isVariableDeclaration(up) || ts.isPropertyDeclaration(up)) return names(up.type);
    else if (ts.isArrowFunction(up)) return names(up.type);
    else if (ts.isReturnStatement(up)) {
      let owner: ts.Node = up;
      while (!ts.isFunctionLike(owner) && owner.parent) owner = owner.parent;
      return !ts.isFunctionLike(owner) || names(owner.type);
    } else if (ts.isBinaryExpression(up) && up.right === node && isAssignment(up)) return isTypedTarget(up.left);
    else if (ts.isPropertyAccessExpression(up) || ts.isExportAssignment(up)) return true;
    else if (
      !ts.isParenthesizedExpression(up) &&
      !ts.isConditionalExpression(up) &&
      !ts.isBinaryExpression(up) &&
      !ts.isNonNullExpression(up) &&
      !ts.isPropertyAssignment(up) &&
      !ts.isObjectLiteralExpression(up)
    )
      return false;
  }
}

const isAssignment = ({ operatorToken: { kind } }: ts.BinaryExpression): boolean =>
  kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;

/** `client = ...` of a variable with a type, `this.client = ...` of a field with one or none. */
function isTypedTarget(target: ts.Expression): boolean {
  if (ts.isIdentifier(target)) {
    const declaration = declarationOf(target.text, target);
    return declaration !== undefined && ts.isVariableDeclaration(declaration) && declaration.type !== undefined
      ? names(declaration.type)
      : false;
  }
  if (!ts.isPropertyAccessExpression(target) || target.expression.kind !== ts.SyntaxKind.ThisKeyword) return false;
  const field = classAround(target)?.members.find((member) => member.name?.getText() === target.name.text);
  return !field || !ts.isPropertyDeclaration(field) || names(field.type);
}

/** Does a type annotation, or its absence, leave the client's own type? */
function names(type: ts.TypeNode | undefined): boolean {
  if (!type) return true;
  const text = type.getText();
  return /\bOpenAI\b/.test(text) && !/\b(any|unknown|Mock\w*|Pick|Omit|Partial)\b|&/.test(text);
}

function isRequired(declaration: ts.Node | undefined): boolean {
  let node = declaration;
  while (node && !ts.isVariableDeclaration(node) && !ts.isStatement(node)) node = node.parent;
  const value = node && ts.isVariableDeclaration(node) ? node.initializer?.getText() : undefined;
  return value !== undefined && /^require\s*\(/.test(value);
}
