import { type HistoryItem, type MemberUse, type Place, type Request, watchedMembers } from "../facts.js";
import { excerpt } from "./typescript-code.js";
import { ts } from "./typescript-compiler.cjs";
import type { Resolver } from "./typescript-resolve.js";
import { declarationOf, type Module } from "./typescript-scopes.js";
import { memberName, propertyName, withoutCasts } from "./typescript-syntax.js";
import { type Found, placeOf } from "./typescript-values.js";

/** A watched member that is read, removed or written. */
export function memberUseOf(node: ts.Node, module: Module): MemberUse | undefined {
  const name = memberName(node);
  if (name !== undefined) {
    if (!watchedMembers.has(name)) return undefined;
    const access = node as ts.PropertyAccessExpression | ts.ElementAccessExpression;
    const { parent } = node;
    const removed = ts.isDeleteExpression(parent);
    const written =
      ts.isBinaryExpression(parent) && parent.left === node && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
    const given = written && (parent as ts.BinaryExpression).right.getText();
    return {
      name,
      form: removed || given === "undefined" || given === "null" ? "remove" : written ? "write" : "read",
      object: excerpt(access.expression),
      place: placeOf(removed ? parent : node, module),
    };
  }
  if (ts.isBindingElement(node)) {
    const key = node.propertyName ?? node.name;
    const bound = ts.isIdentifier(key) || ts.isStringLiteral(key) ? key.text : "";
    if (!watchedMembers.has(bound) || !ts.isObjectBindingPattern(node.parent)) return undefined;
    // taken out, and the rest goes on
    const rest = node.parent.elements.some((element) => element.dotDotDotToken && element !== node);
    return { name: bound, form: rest ? "remove" : "read", object: "", place: placeOf(node, module) };
  }
  if ((ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) && node.name) {
    const key = propertyName(node.name) ?? "";
    if (!watchedMembers.has(key)) return undefined;
    const value = ts.isPropertyAssignment(node) ? node.initializer.getText() : "";
    return {
      name: key,
      form: value === "undefined" ? "remove" : "write",
      object: "",
      place: placeOf(node, module),
    };
  }
  return undefined;
}

const historyName = /(messages|history|conversation|context|turns|thread|chat)s?$/i;

/** Messages that an expression puts into a list: `messages.push(m)`, `[...messages, m]`, `messages.concat(m)`. */
export function historyOf(
  node: ts.Node,
  at: Found,
  resolver: Resolver,
  requests: readonly Request[],
): readonly HistoryItem[] {
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    const { name, expression } = node.expression;
    if (!/^(push|unshift|concat)$/.test(name.text) || !historyName.test(expression.getText())) return [];
    return node.arguments.flatMap((item) => itemOf(item, expression.getText(), at, resolver, requests));
  }
  if (ts.isArrayLiteralExpression(node)) {
    const list = node.elements.find(
      (element) => ts.isSpreadElement(element) && historyName.test(element.expression.getText()),
    ) as ts.SpreadElement | undefined;
    if (!list) return [];
    return node.elements.flatMap((item) =>
      ts.isSpreadElement(item) ? [] : itemOf(item, list.expression.getText(), at, resolver, requests),
    );
  }
  return [];
}

function itemOf(
  item: ts.Expression,
  list: string,
  at: Found,
  resolver: Resolver,
  requests: readonly Request[],
): readonly HistoryItem[] {
  const plain = withoutCasts(item);
  const place = placeOf(item, at.module);
  const common = { list: list.slice(0, 200), place, text: excerpt(item) };
  if (ts.isObjectLiteralExpression(plain)) {
    const names = plain.properties.flatMap((property) =>
      property.name ? [propertyName(property.name) ?? ""] : ["..."],
    );
    const role = plain.properties.find((property) => property.name && propertyName(property.name) === "role");
    const isAssistant =
      role && ts.isPropertyAssignment(role) && /^["'`]assistant["'`]/.test(withoutCasts(role.initializer).getText());
    if (!isAssistant) return [];
    const source = plain.properties.find((property) => property.name && propertyName(property.name) === "content");
    const from = source && ts.isPropertyAssignment(source) ? messageIn(source.initializer) : undefined;
    const request = from && requestBehind(from, at, resolver, requests);
    return [{ ...common, kind: "rebuilt", names, ...(request ? { request } : {}) }];
  }
  const message = messageOf(plain, 0);
  if (!message) return [];
  const request = requestBehind(message, at, resolver, requests);
  return [{ ...common, kind: "response", names: [], ...(request ? { request } : {}) }];
}

/** `res.choices[0].message`, or a variable that holds one; undefined for other expressions. */
function messageOf(node: ts.Expression, depth: number): ts.Expression | undefined {
  const plain = withoutCasts(node);
  if (/\bchoices\s*(\?\.)?\[\s*0\s*\]\s*(!|\?)?\.\s*message$/.test(plain.getText().slice(-80))) return plain;
  if (ts.isNonNullExpression(plain)) return messageOf(plain.expression, depth);
  if (!ts.isIdentifier(plain) || depth > 3) return undefined;
  const declaration = declarationOf(plain.text, plain);
  if (declaration && ts.isVariableDeclaration(declaration)) {
    return declaration.initializer && messageOf(declaration.initializer, depth + 1);
  }
  if (!declaration || !ts.isBindingElement(declaration)) return undefined;
  const name = (declaration.propertyName ?? declaration.name).getText();
  const holder = declaration.parent.parent;
  if (name !== "message" || !ts.isVariableDeclaration(holder) || !holder.initializer) return undefined;
  return /\bchoices\s*(\?\.)?\[\s*0\s*\]!?$/.test(holder.initializer.getText()) ? holder.initializer : undefined;
}

/** The message that `msg.content`, `res.choices[0].message.content` reads. */
function messageIn(node: ts.Expression): ts.Expression | undefined {
  const plain = withoutCasts(node);
  if (ts.isBinaryExpression(plain)) return messageIn(plain.left);
  if (!ts.isPropertyAccessExpression(plain) || plain.name.text !== "content") return undefined;
  return messageOf(plain.expression, 0);
}

/** The request whose answer an expression reads. */
function requestBehind(
  message: ts.Expression,
  at: Found,
  resolver: Resolver,
  requests: readonly Request[],
): Place | undefined {
  let root: ts.Expression = message;
  for (;;) {
    if (ts.isPropertyAccessExpression(root) || ts.isElementAccessExpression(root) || ts.isNonNullExpression(root)) {
      root = root.expression;
    } else break;
  }
  const found = lastBefore(message, resolver.followFrom(root, at));
  if (!found) return undefined;
  const place = placeOf(found.node, found.module);
  // requests of other files are not known yet, so only the place is compared
  if (!ts.isCallExpression(found.node)) return undefined;
  return found.module !== at.module || requests.some((one) => one.place.start === place.start) ? place : undefined;
}

/** Of several values that a variable is given in turn, the one it has at a place; undefined where that may be another. */
function lastBefore(place: ts.Node, ways: readonly Found[]): Found | undefined {
  const [only, ...others] = ways;
  if (others.length === 0) return only;
  const source = place.getSourceFile();
  if (!ways.every(({ node }) => ts.isCallExpression(node) && node.getSourceFile() === source)) return undefined;
  const last = ways.filter(({ node }) => node.end <= place.pos).sort((a, b) => b.node.end - a.node.end)[0];
  const after = ways.filter(({ node }) => node.end > place.pos);
  if (!last || after.some(({ node }) => around(node, isLoop).some((loop) => contains(loop, place)))) return undefined;
  // given before on every way here: its block is one that the place stands in too
  const [block] = around(last.node, (one) => ts.isBlock(one) || ts.isSourceFile(one) || ts.isCaseOrDefaultClause(one));
  const [own] = around(last.node, ts.isFunctionLike);
  return block && contains(block, place) && own === around(place, ts.isFunctionLike)[0] ? last : undefined;
}

const isLoop = (node: ts.Node): boolean => ts.isIterationStatement(node, false);

const contains = (outer: ts.Node, inner: ts.Node): boolean => outer.pos <= inner.pos && inner.end <= outer.end;

/** The nodes around one that a test holds for, innermost first. */
function around(node: ts.Node, test: (node: ts.Node) => boolean): readonly ts.Node[] {
  const found: ts.Node[] = [];
  for (let up: ts.Node | undefined = node.parent; up; up = up.parent) if (test(up)) found.push(up);
  return found;
}
