import type { Argument, Call, HostVerdict } from "../facts.js";
import { hostOfPackage } from "../host.js";
import { hostOfFile, hostOfOptions, makersOf } from "./typescript-clients.js";
import { excerpt, primitiveOf } from "./typescript-code.js";
import { ts } from "./typescript-compiler.cjs";
import { readObject } from "./typescript-objects.js";
import type { Resolver } from "./typescript-resolve.js";
import { declarationOf, importOf } from "./typescript-scopes.js";
import { chainOf, requiredModule, withoutCasts } from "./typescript-syntax.js";
import { type Found, placeOf } from "./typescript-values.js";

/** Methods of which it matters what made the object they are called on. */
const makerNames = /^(bindTools|withStructuredOutput|bind|withConfig|generate|invoke|stream|call)$/;
/** Calls whose options are read though they come from no package. */
const optionNames =
  /(generate|create|complete|completion|chat|invoke|stream|parse|agent|deepseek|summar\w*|request|post|bind|structured)/i;

/** Any call, as far as it can be told without following every value. */
export function callOf(node: ts.CallExpression | ts.NewExpression, at: Found, resolver: Resolver): Call {
  const { root, names } = chainOf(node.expression);
  const name = names.at(-1) ?? excerpt(root);
  const from = importedRoot(root, names);
  const isConstruction = ts.isNewExpression(node);
  const given = [...(node.arguments ?? [])];
  const literal = given.find((one) => {
    const plain = withoutCasts(one);
    return ts.isObjectLiteralExpression(plain) && plain.properties.length > 0;
  });
  const options = literal ?? (isConstruction || from ? given[0] : undefined);
  const reads = options && (isConstruction || from || (literal && optionNames.test(name)));
  const object = reads ? readObject(options, at, resolver, "argument") : undefined;
  const maker =
    makerNames.test(name) && names.length > 0 && ts.isPropertyAccessExpression(node.expression)
      ? makersOf(node.expression.expression, at, resolver, () => true)[0]
      : undefined;
  return {
    callee: excerpt(node.expression),
    name,
    isConstruction,
    ...(from ? { from } : {}),
    ...(maker ? { maker: placeOf(maker.node, maker.module) } : {}),
    place: placeOf(node, at.module),
    calleePlace: placeOf(node.expression, at.module),
    arguments: given.map((argument) => argumentOf(argument, at)),
    parameters: object?.parameters ?? [],
    ...(object?.shape ? { object: object.shape } : {}),
    host: hostOf(node, from, at, resolver),
  };
}

function argumentOf(node: ts.Expression, at: Found): Argument {
  const literal = primitiveOf(node);
  return {
    text: excerpt(node),
    place: placeOf(node, at.module),
    ...(literal === undefined ? {} : { literal }),
  };
}

/** The package that the root of a callee is imported from. */
function importedRoot(root: ts.Expression, names: readonly string[]): Call["from"] {
  if (!ts.isIdentifier(root)) return undefined;
  const declaration = declarationOf(root.text, root);
  if (!declaration) return undefined;
  if (ts.isImportSpecifier(declaration) || ts.isImportClause(declaration) || ts.isNamespaceImport(declaration)) {
    const { specifier, name } = importOf(declaration);
    if (specifier.startsWith(".")) return undefined;
    return { package: specifier, name: name === "*" || name === "default" ? (names[0] ?? root.text) : name };
  }
  // const { X } = require("x"), const x = require("x")
  const holder = ts.isBindingElement(declaration) ? declaration.parent.parent : declaration;
  const value = ts.isVariableDeclaration(holder) && holder.initializer;
  const specifier = value && ts.isCallExpression(value) ? requiredModule(value) : undefined;
  if (specifier === undefined || specifier.startsWith(".")) return undefined;
  const bound = ts.isBindingElement(declaration) ? (declaration.propertyName ?? declaration.name).getText() : undefined;
  return { package: specifier, name: bound ?? names[0] ?? root.text };
}

function hostOf(
  node: ts.CallExpression | ts.NewExpression,
  from: Call["from"],
  at: Found,
  resolver: Resolver,
): HostVerdict {
  const byPackage = from && hostOfPackage(from.package);
  const fallback: HostVerdict = byPackage
    ? { host: byPackage, certainty: "certain", evidence: `${from.name} of ${from.package}` }
    : hostOfFile(at.module);
  if (!byPackage || !node.arguments?.[0]) return fallback;
  return hostOfOptions(node.arguments[0], at, resolver, ["baseURL", "baseUrl", "basePath"], fallback);
}
