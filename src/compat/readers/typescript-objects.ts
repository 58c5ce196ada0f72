import type { ObjectShape, Parameter, Spread } from "../facts.js";
import { ts } from "./typescript-compiler.cjs";
import { isOwn } from "./typescript-object-uses.js";
import type { Resolver } from "./typescript-resolve.js";
import { propertyName, withoutCasts } from "./typescript-syntax.js";
import { isConst, typeAround } from "./typescript-types.js";
import { type Found, numberOf, placeOf } from "./typescript-values.js";
import { either } from "./value-of-ends.js";

/** An object of a request with all its properties, those of objects spread into it included. */
export interface ReadObject {
  readonly parameters: readonly Parameter[];
  readonly spreads: readonly Spread[];
  /** Undefined where others use the same object, so that nothing may be put into it. */
  readonly shape: ObjectShape | undefined;
}

/** How the type checker sees a request's object: compared with a declared type, or not. */
export type Typing = "argument" | "untyped";

/** Reads the object an expression leads to; undefined where it is not one object literal. */
export function readObject(
  node: ts.Expression,
  from: Found,
  resolver: Resolver,
  typing: Typing,
): ReadObject | undefined {
  const read = (): ReadObject | undefined => {
    const found = resolver.followFrom(node, from);
    // several possible objects (a conditional) are not taken apart
    const objects = found.filter((one) => ts.isObjectLiteralExpression(one.node));
    const [object] = objects;
    if (!object || objects.length > 1 || !ts.isObjectLiteralExpression(object.node)) return undefined;
    const { parameters, spreads } = readProperties(object, object.node, resolver, { direct: true, sure: true });
    const own = isOwn(object.node, node, object);
    return {
      parameters,
      spreads: own ? spreads : [...spreads, { place: placeOf(object.node, object.module), known: false }],
      shape: own ? shapeOf(object.node, object, typing, node) : undefined,
    };
  };
  return from.arguments ? read() : resolver.once(typing, node, read);
}

/** How an object belongs to the request: its own or spread into it; always, or only under some condition. */
type Standing = Pick<Parameter, "direct" | "sure">;

type Properties = Pick<ReadObject, "parameters" | "spreads">;

/** Objects within objects that are read for one request: those that hold each other would never end. */
const mostObjects = 1000;
const reading = new Set<ts.Node>();
let objectsRead = 0;

function readProperties(
  object: Found,
  node: ts.ObjectLiteralExpression,
  resolver: Resolver,
  standing: Standing,
): Properties {
  objectsRead = reading.size === 0 ? 0 : objectsRead + 1;
  // `options = { ...options, model }`
  if (reading.has(node) || objectsRead > mostObjects) return { parameters: [], spreads: [] };
  reading.add(node);
  try {
    return propertiesOf(object, node, resolver, standing);
  } finally {
    reading.delete(node);
  }
}

function propertiesOf(
  object: Found,
  node: ts.ObjectLiteralExpression,
  resolver: Resolver,
  standing: Standing,
): Properties {
  const byName = new Map<string, Parameter>();
  const spreads: Spread[] = [];
  for (const property of node.properties) {
    if (ts.isSpreadAssignment(property)) {
      const inner = spreadObjects(property.expression, object, resolver);
      for (const one of inner.objects) {
        for (const parameter of readProperties(one, one.node as ts.ObjectLiteralExpression, resolver, {
          direct: false,
          sure: standing.sure && inner.sure,
        }).parameters) {
          const earlier = byName.get(parameter.name);
          byName.set(parameter.name, earlier && !parameter.sure ? either(earlier, parameter) : parameter);
        }
      }
      spreads.push({ place: placeOf(property, object.module), known: inner.known });
      continue;
    }
    const name = property.name && propertyName(property.name);
    const value = valueNode(property);
    if (name === undefined || !value) {
      // a computed name may be any name
      if (property.name && ts.isComputedPropertyName(property.name)) {
        spreads.push({ place: placeOf(property, object.module), known: false });
      }
      continue;
    }
    // an object with a name may be changed before it is sent
    const changed = object.path.length > 0 && resolver.isChanged(node, name);
    const own = changed ? { ...standing, sure: false } : standing;
    byName.set(name, readParameter(name, property, value, object, resolver, own));
  }
  return { parameters: [...byName.values()], spreads };
}

function readParameter(
  name: string,
  property: ts.ObjectLiteralElementLike | ts.Expression,
  value: ts.Expression,
  object: Found,
  resolver: Resolver,
  standing: Standing,
): Parameter {
  const plain = withoutCasts(value);
  const nested = ts.isObjectLiteralExpression(plain) ? plain : undefined;
  const inner = innerOf(plain, object, resolver, standing);
  return {
    name,
    place: placeOf(property, object.module),
    namePlace: placeOf(ts.isObjectLiteralElementLike(property) ? property.name! : property, object.module),
    valuePlace: placeOf(value, object.module),
    shorthand: ts.isShorthandPropertyAssignment(property as ts.Node),
    ...standing,
    value: resolver.value(value, object),
    literal: isLiteral(plain),
    ...(nested ? { object: shapeOf(nested, object, "untyped", value) } : {}),
    ...inner,
  };
}

/** Most items of an array that are read: long ones are data. */
const mostElements = 200;

/** What stands in an object or array, written on the spot or at the one place that a name leads to. */
function innerOf(
  value: ts.Expression,
  object: Found,
  resolver: Resolver,
  standing: Standing,
): Pick<Parameter, "parameters" | "elements" | "open"> {
  const onSpot = ts.isObjectLiteralExpression(value) || ts.isArrayLiteralExpression(value);
  const isName = ts.isIdentifier(value) || ts.isPropertyAccessExpression(value);
  if (!onSpot && !isName) return {};
  const found = onSpot ? [{ ...object, node: value }] : resolver.followFrom(value, object);
  const [only] = found;
  if (!only || found.length > 1 || !only.sure) return {};
  const own: Standing = onSpot ? standing : { direct: false, sure: standing.sure };
  if (ts.isObjectLiteralExpression(only.node)) {
    const { parameters, spreads } = readProperties(only, only.node, resolver, own);
    return { parameters, ...(spreads.every(({ known }) => known) ? {} : { open: true as const }) };
  }
  if (!ts.isArrayLiteralExpression(only.node)) return {};
  return {
    elements: only.node.elements
      .slice(0, mostElements)
      .map((element, index) => readElement(element, index, only, resolver, own)),
  };
}

/** An item of an array, named by its position; a spread is named `...`. */
function readElement(
  element: ts.Expression,
  index: number,
  array: Found,
  resolver: Resolver,
  standing: Standing,
): Parameter {
  if (ts.isSpreadElement(element)) {
    const place = placeOf(element, array.module);
    const value = { certainty: "unknown" as const, candidates: [], open: true, environment: [] };
    return {
      name: "...",
      place,
      namePlace: place,
      valuePlace: place,
      shorthand: false,
      ...standing,
      value,
      literal: false,
    };
  }
  return readParameter(String(index), element, element, array, resolver, standing);
}

/** The object literals a spread can stand for, and whether these are all. */
function spreadObjects(
  node: ts.Expression,
  from: Found,
  resolver: Resolver,
): { objects: readonly Found[]; known: boolean; sure: boolean } {
  const found = resolver.followFrom(node, from);
  const objects = found.filter((one) => ts.isObjectLiteralExpression(one.node));
  // `...(cond && { a })` spreads nothing where the condition does not hold
  const nothing = (one: Found) => /^(undefined|null|false)$/.test(one.node.getText());
  const known = found.every((one) => {
    if (!ts.isObjectLiteralExpression(one.node)) return nothing(one);
    return one.node.properties.every(
      (property) => !ts.isSpreadAssignment(property) && property.name && propertyName(property.name) !== undefined,
    );
  });
  return { objects, known, sure: found.length === 1 && found[0]!.sure };
}

function valueNode(property: ts.ObjectLiteralElementLike): ts.Expression | undefined {
  if (ts.isPropertyAssignment(property)) return property.initializer;
  return ts.isShorthandPropertyAssignment(property) ? property.name : undefined;
}

function isLiteral(node: ts.Expression): boolean {
  return (
    ts.isStringLiteralLike(node) ||
    node.kind === ts.SyntaxKind.TrueKeyword ||
    node.kind === ts.SyntaxKind.FalseKeyword ||
    numberOf(node) !== undefined
  );
}

function shapeOf(node: ts.ObjectLiteralExpression, from: Found, typing: Typing, use: ts.Expression): ObjectShape {
  const { source } = from.module;
  const start = node.getStart(source);
  const before = source.text.slice(lineBefore(source.text, start), start);
  const type = typeAround(node);
  const isArgument = typing === "argument" && isWrittenIn(node, use);
  return {
    syntax: "js",
    place: placeOf(node, from.module),
    properties: node.properties.map((property) => ({ start: property.getStart(source), end: property.end })),
    checked: from.module.isTypeScript && (type ? type.declared !== "open" && !type.cast : isArgument),
    directives:
      (from.module.isTypeScript && type?.declared === "other") ||
      (hasDirectives(source) &&
        /@ts-(ignore|expect-error|nocheck|check)/.test(
          `${source.text.slice(0, 500).split("import")[0]}${before}${node.getText()}`,
        )),
  };
}

const directed = new WeakMap<ts.SourceFile, boolean>();

/** Does a file have any comment that speaks to the compiler? Nearly none has. */
function hasDirectives(source: ts.SourceFile): boolean {
  const known = directed.get(source) ?? source.text.includes("@ts-");
  directed.set(source, known);
  return known;
}

/** Start of the line before the one an offset stands on. */
function lineBefore(text: string, offset: number): number {
  const line = offset === 0 ? -1 : text.lastIndexOf("\n", offset - 1);
  return line <= 0 ? 0 : text.lastIndexOf("\n", line - 1) + 1;
}

/** Is the literal itself the argument, but for parentheses and `as const`? */
function isWrittenIn(node: ts.ObjectLiteralExpression, use: ts.Expression): boolean {
  let outer: ts.Node = node;
  while (outer !== use && (ts.isParenthesizedExpression(outer.parent) || isConst(outer.parent))) outer = outer.parent;
  return outer === use;
}
