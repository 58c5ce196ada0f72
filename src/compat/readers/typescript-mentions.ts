import type { HostVerdict, Mention, MentionKind, NamedNumber, Place } from "../facts.js";
import { hostOfModel, unknownHost } from "../host.js";
import { isCurrentId, isDeepSeekId, splitId } from "../models.js";
import { atMostPossible, hostOfFile, hostOfObjects } from "./typescript-clients.js";
import { ts } from "./typescript-compiler.cjs";
import type { Project } from "./typescript-project.js";
import { providerCall } from "./typescript-providers.js";
import type { Resolver } from "./typescript-resolve.js";
import { declarationOf, importOf, type Module } from "./typescript-scopes.js";
import { propertyName, short, walk, withoutCasts } from "./typescript-syntax.js";
import { type Found, numberOf, placeOf } from "./typescript-values.js";

/** A mention as it stands in the file, before it is known which requests use it. */
export function mentionOf(
  node: ts.StringLiteralLike,
  at: Found,
  resolver: Resolver,
): Omit<Mention, "onlyRequests"> | undefined {
  if (!isDeepSeekId(node.text)) return undefined;
  const role = roleOf(node);
  if (!role) return undefined;
  const call = role.kind === "argument" && ts.isCallExpression(node.parent) ? node.parent : undefined;
  const byProvider = call && providerCall(call, at, resolver)?.host;
  const byId = hostOfModel(node.text);
  const host: HostVerdict =
    byProvider ??
    (byId
      ? { host: byId, certainty: "certain", evidence: `the id "${node.text}"` }
      : (hostBeside(node, at, resolver) ?? hostOfFile(at.module)));
  return { id: node.text, ...role, place: placeOf(node, at.module), host };
}

const urlName = /^(base_?url|base_?path|api_?base(_?url)?|api_?url|endpoint)$/i;

/** The host of a base URL in an entry around a literal, as tables of providers have it: `{ baseURL, models: ["id"] }`. */
function hostBeside(literal: ts.Node, at: Found, resolver: Resolver): HostVerdict | undefined {
  let levels = 0;
  for (let up = literal.parent; up && levels < 3 && !ts.isFunctionLike(up); up = up.parent) {
    if (!ts.isObjectLiteralExpression(up)) continue;
    levels += 1;
    const names = up.properties.map((one) => one.name?.getText() ?? "").filter((name) => urlName.test(name));
    if (names.length === 0) continue;
    const verdict = hostOfObjects([{ ...at, node: up }], resolver, names, unknownHost);
    return verdict.host === "unknown" || verdict.host === "other" ? undefined : atMostPossible(verdict);
  }
  return undefined;
}

/** Climbs over casts, defaults and conditionals to what the literal is for; undefined for imports and directives. */
function roleOf(literal: ts.StringLiteralLike): { kind: MentionKind; name: string } | undefined {
  let node: ts.Node = literal;
  let byDefault = false;
  for (;;) {
    const up: ts.Node = node.parent;
    const operator = ts.isBinaryExpression(up) ? up.operatorToken.kind : undefined;
    const defaulting = operator === ts.SyntaxKind.QuestionQuestionToken || operator === ts.SyntaxKind.BarBarToken;
    if (defaulting) byDefault = true;
    const through =
      defaulting ||
      ts.isAsExpression(up) ||
      ts.isSatisfiesExpression(up) ||
      ts.isParenthesizedExpression(up) ||
      ts.isNonNullExpression(up) ||
      ts.isConditionalExpression(up);
    if (!through) break;
    node = up;
  }
  const up = node.parent;
  const named = (kind: MentionKind, name: string) => ({ kind: byDefault ? ("default" as const) : kind, name });
  if (ts.isBinaryExpression(up)) {
    const operator = up.operatorToken.kind;
    const other = short(up.left === node ? up.right : up.left);
    if (operator >= ts.SyntaxKind.EqualsEqualsToken && operator <= ts.SyntaxKind.ExclamationEqualsEqualsToken) {
      return { kind: "comparison", name: other };
    }
    return operator === ts.SyntaxKind.EqualsToken ? named("constant", other) : { kind: "other", name: "" };
  }
  if (ts.isCaseClause(up)) return { kind: "switch case", name: "" };
  if (ts.isLiteralTypeNode(up) || ts.isPropertySignature(up)) return { kind: "type", name: "" };
  if (ts.isPropertyAssignment(up)) {
    // a table that leads from old names to today's
    const value = withoutCasts(up.initializer);
    if (up.name === literal && ts.isStringLiteralLike(value) && isCurrentId(splitId(value.text).name)) return undefined;
    return up.name === literal ? { kind: "table key", name: "" } : named("property", propertyName(up.name) ?? "");
  }
  if (ts.isPropertyDeclaration(up)) return { kind: "default", name: up.name.getText() };
  if (ts.isParameter(up) || ts.isBindingElement(up)) return { kind: "default", name: short(up.name) };
  if (ts.isVariableDeclaration(up)) return named("constant", short(up.name));
  if (ts.isEnumMember(up)) return named("constant", up.name.getText());
  if (ts.isReturnStatement(up) || ts.isArrowFunction(up)) return named("other", "");
  if (ts.isArrayLiteralExpression(up)) return { kind: "list", name: "" };
  if (ts.isElementAccessExpression(up)) return { kind: "table key", name: short(up.expression) };
  if (ts.isJsxAttribute(up) || ts.isJsxExpression(up)) return { kind: "attribute", name: "" };
  if (ts.isCallExpression(up) || ts.isNewExpression(up)) {
    const callee = short(up.expression).replace(/^.*\)(?=\.\w+$)/, "");
    if (/^(z|zod|v|t)\.literal$/.test(callee)) return { kind: "type", name: callee };
    return /\.(includes|startsWith|endsWith|indexOf|match|test|has)$/.test(callee)
      ? { kind: "text test", name: callee }
      : named("argument", callee);
  }
  if (ts.isImportDeclaration(up) || ts.isExportDeclaration(up) || ts.isExpressionStatement(up)) return undefined;
  return { kind: "other", name: "" };
}

/** A constant that a literal is the value of, and where its own file names it. */
export interface Constant {
  readonly name: string;
  readonly file: string;
  readonly uses: readonly Place[];
}

/** The constant a literal is the value of; undefined for other literals. */
export function constantOf(literal: ts.Node, module: Module): Constant | undefined {
  let node = literal;
  while (!ts.isVariableDeclaration(node)) {
    if (!node.parent || ts.isPropertyAssignment(node.parent) || ts.isFunctionLike(node.parent)) return undefined;
    node = node.parent;
  }
  if (!ts.isIdentifier(node.name) || !(node.parent.flags & ts.NodeFlags.Const)) return undefined;
  const name = node.name.text;
  const uses = usesIn(module, name, (one, at) => declarationOf(one, at) === node, node.name);
  return { name, file: module.file, uses };
}

/** Every place in the project that names a constant; undefined where that cannot be told. */
export function constantUses({ name, file, uses }: Constant, project: Project): readonly Place[] | undefined {
  const found = [...uses];
  for (const other of project.importersOf(file)) {
    if (other.file === file) continue;
    for (const local of importedAs(other, file, name, project)) {
      // re-exports and namespaces lead further than we look
      if (local === undefined) return undefined;
      found.push(...usesIn(other, local.text, () => true, local));
    }
  }
  return found;
}

function usesIn(module: Module, name: string, isIt: (name: string, at: ts.Node) => boolean, own: ts.Node): Place[] {
  const uses: Place[] = [];
  walk(module.source, (node) => {
    if (ts.isIdentifier(node) && node.text === name && node !== own) {
      const isProperty =
        (ts.isPropertyAccessExpression(node.parent) && node.parent.name === node) ||
        (ts.isPropertyAssignment(node.parent) && node.parent.name === node);
      if (!isProperty && !ts.isImportSpecifier(node.parent) && isIt(name, node)) uses.push(placeOf(node, module));
    }
  });
  return uses;
}

function importedAs(from: Module, target: string, name: string, project: Project): (ts.Identifier | undefined)[] {
  const found: (ts.Identifier | undefined)[] = [];
  for (const statement of from.source.statements) {
    const specifier =
      (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) && statement.moduleSpecifier;
    if (!specifier || !ts.isStringLiteral(specifier) || project.linked(from.file, specifier.text) !== target) continue;
    const bindings = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : undefined;
    if (!bindings || !ts.isNamedImports(bindings)) {
      if (!(ts.isImportDeclaration(statement) && statement.importClause?.name && !bindings)) found.push(undefined);
      continue;
    }
    for (const one of bindings.elements) if (importOf(one).name === name) found.push(one.name);
  }
  return found;
}

/** What numbers are compared with that stands for a size in tokens. */
const limitName = /context|window|max_?(input|output|completion|new)?_?tokens|token_?limit/i;
/** The words of the server's refusal, with the size of V3.0 written out. */
const oldErrorText = /context length\D{0,20}65,?536|\b65,?536\b tokens/i;

function literalText(node: ts.Node): string {
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isRegularExpressionLiteral(node) ? node.text : "";
}

/** Numbers without a name below this say nothing. */
const leastUnnamed = 1000;

const contextSizes = new Set([64_000, 65_536, 128_000, 131_072]);

/** A number that is a named limit, or is compared with something named like a context window. */
export function numberFact(node: ts.Expression, at: Found): NamedNumber | undefined {
  if (oldErrorText.test(literalText(node))) {
    return {
      name: "error text",
      value: 65_536,
      text: node.getText(),
      place: placeOf(node, at.module),
      form: "error text",
      owner: undefined,
      host: hostOfFile(at.module),
    };
  }
  const up = node.parent;
  // the whole of a sum or product counts, and it alone is worked out
  if (ts.isBinaryExpression(up) && !isTest(up) && up.operatorToken.kind !== ts.SyntaxKind.EqualsToken) return undefined;
  const value = numberOf(node);
  if (value === undefined) return undefined;
  const number = withoutCasts(node);
  const fact = (name: string, form: NamedNumber["form"]): NamedNumber => ({
    name,
    value,
    text: number.getText(),
    place: placeOf(number, at.module),
    form,
    owner: ownerOf(node),
    host: hostOfFile(at.module),
  });
  const tested = (name: string, form: NamedNumber["form"]) => (limitName.test(name) ? fact(name, form) : undefined);
  if (ts.isPropertyAssignment(up) && up.initializer === node) return fact(propertyName(up.name) ?? "", "property");
  if (ts.isPropertyDeclaration(up)) return fact(up.name.getText(), "property");
  if (ts.isVariableDeclaration(up)) return fact(up.name.getText(), "constant");
  if (ts.isCaseClause(up) && contextSizes.has(value)) return tested(short(up.parent.parent.expression), "switch case");
  if (ts.isBinaryExpression(up)) {
    const other = up.left === node ? up.right : up.left;
    const { kind } = up.operatorToken;
    if (kind === ts.SyntaxKind.EqualsToken && up.right === node) return fact(short(up.left), "assignment");
    if (isTest(up) && contextSizes.has(value)) return tested(short(other), "comparison");
    return value >= leastUnnamed && isTest(up) ? fact(short(other), "comparison") : undefined;
  }
  if (value < leastUnnamed) return undefined;
  if (ts.isArrayLiteralExpression(up)) return fact("", "list");
  return ts.isCallExpression(up) || ts.isNewExpression(up) ? fact(short(up.expression), "argument") : undefined;
}

/** `a === b` and the like, either way round. */
function isTest({ operatorToken: { kind } }: ts.BinaryExpression): boolean {
  return kind >= ts.SyntaxKind.EqualsEqualsToken && kind <= ts.SyntaxKind.ExclamationEqualsEqualsToken;
}

const idNames = /^(id|model|modelId|modelName|model_id|name|value|key|slug)$/;

/** The DeepSeek id or name that a number belongs to; the nearest entry decides. */
export function ownerOf(node: ts.Node): string | undefined {
  for (let up: ts.Node = node; up.parent; up = up.parent) {
    const holder = up.parent;
    if (ts.isObjectLiteralExpression(holder)) {
      const id = idOf(holder);
      if (id !== undefined) return /deepseek/i.test(id) ? id : undefined;
    }
    if (ts.isPropertyAssignment(holder) && holder.initializer === up) {
      const key = propertyName(holder.name) ?? "";
      if (/deepseek/i.test(key)) return key;
      if (ts.isStringLiteral(holder.name)) return undefined;
    }
    if (ts.isVariableDeclaration(holder) && /deep_?seek/i.test(holder.name.getText())) return holder.name.getText();
    if (ts.isClassLike(holder) && /deepseek/i.test(holder.name?.text ?? "")) return holder.name!.text;
    if (ts.isIfStatement(holder) && holder.thenStatement === up) {
      const word = /["'`]([^"'`]*deepseek[^"'`]*)["'`]/i.exec(holder.expression.getText())?.[1];
      if (word) return word;
    }
    if (
      ts.isCaseClause(holder) &&
      ts.isStringLiteralLike(holder.expression) &&
      /deepseek/i.test(holder.expression.text)
    ) {
      return holder.expression.text;
    }
  }
  return undefined;
}

const ids = new WeakMap<ts.ObjectLiteralExpression, { readonly id: string | undefined }>();

/** The text of an entry's `id:`, `model:` or the like; a long table is asked once for each of its rows. */
function idOf(object: ts.ObjectLiteralExpression): string | undefined {
  let known = ids.get(object);
  if (!known) {
    known = { id: undefined };
    for (const property of object.properties) {
      if (!ts.isPropertyAssignment(property) || !idNames.test(property.name.getText())) continue;
      const value = ts.isAsExpression(property.initializer) ? property.initializer.expression : property.initializer;
      const text = ts.isCallExpression(value) ? value.arguments[0] : value;
      if (!text || !ts.isStringLiteralLike(text)) continue;
      known = { id: text.text };
      break;
    }
    ids.set(object, known);
  }
  return known.id;
}
