import type { ObjectShape, Parameter, Place, Spread } from "../facts.js";
import type { Resolver } from "./python-resolve.js";
import { isSequence } from "./python-resolve.js";
import { isName, lookUp, scopeOf, statementOf } from "./python-scopes.js";
import { around, type Entry, entriesOf, isNone, primitive, unwrap } from "./python-syntax.js";
import { child, codeOf, type PyNode, placeOf, walk } from "./python-tree.js";
import { type Found, unknownValue } from "./python-values.js";
import { either } from "./value-of-ends.js";

/** A dict or the keyword arguments of a call, with all properties, those of dicts spread into it included. */
export interface ReadObject {
  readonly parameters: readonly Parameter[];
  readonly spreads: readonly Spread[];
  /** Undefined where others use the same dict, so that nothing may be put into it. */
  readonly shape: ObjectShape | undefined;
}

/** Levels of nested dicts and lists that are read. */
const maximumLevels = 6;
const maximumItems = 100;

/** Properties read for one object in all; tables that lead to tables would have no end. */
const maximumProperties = 300;
let properties = 0;
let reading = false;

/** One object: its properties are counted anew. */
function counted<Result>(read: () => Result): Result {
  if (reading) return read();
  reading = true;
  properties = 0;
  try {
    return read();
  } finally {
    reading = false;
  }
}

type Standing = Pick<Parameter, "direct" | "sure">;

/** Where properties can be put into a dict or an argument list. */
export function shapeOf(node: PyNode): ObjectShape | undefined {
  const holder = node.type === "call" ? child(node, "arguments") : node;
  if (holder?.type !== "dictionary" && holder?.type !== "argument_list") return undefined;
  return {
    syntax: holder.type === "dictionary" ? "dict" : "keywords",
    place: placeOf(holder),
    properties: holder.children
      .filter(({ type }) => type !== "line_continuation")
      .map(({ start, end }) => ({ start, end })),
    checked: false,
    directives: false,
  };
}

/** The keyword arguments of a call. */
export function readKeywords(call: PyNode, resolver: Resolver, from?: Found): ReadObject {
  const list = child(call, "arguments");
  if (list?.type !== "argument_list") return { parameters: [], spreads: [], shape: undefined };
  const object: Found = { ...(from ?? {}), node: list, path: [], sure: true };
  const read = counted(() => readEntries(object, resolver, { direct: true, sure: true }, 0));
  const positional = list.children.filter((one) => one.type === "list_splat");
  return {
    parameters: read.parameters,
    spreads: [...read.spreads, ...positional.map((one) => ({ place: placeOf(one), known: false }))],
    shape: shapeOf(list),
  };
}

/** Reads the dict an expression leads to; undefined where it is not one dict. */
export function readDict(node: PyNode, resolver: Resolver, use: PyNode, from?: Found): ReadObject | undefined {
  const found = resolver.follow(node, from);
  // several possible dicts (a conditional) are not taken apart
  const objects = found.filter((one) => entriesOf(one.node));
  const [object] = objects;
  if (!object || objects.length > 1) return undefined;
  const isAlone = found.length === 1 && object.sure;
  const read = counted(() => readEntries(object, resolver, { direct: true, sure: isAlone }, 0, use));
  const own = isOwn(object, node);
  return {
    parameters: read.parameters,
    spreads: own && isAlone ? read.spreads : [...read.spreads, { place: placeOf(object.node), known: false }],
    shape: own ? shapeOf(object.node) : undefined,
  };
}

interface Properties {
  readonly parameters: readonly Parameter[];
  readonly spreads: readonly Spread[];
}

function readEntries(object: Found, resolver: Resolver, standing: Standing, level: number, use?: PyNode): Properties {
  const byName = new Map<string, Parameter>();
  const spreads: Spread[] = [];
  const put = (parameter: Parameter) => {
    const earlier = byName.get(parameter.name);
    byName.set(parameter.name, earlier && !parameter.sure ? either(earlier, parameter) : parameter);
  };
  for (const entry of entriesOf(object.node) ?? []) {
    if (entry.kind === "entry" && object.without?.has(entry.name)) continue;
    if (entry.kind === "unknown") spreads.push({ place: placeOf(entry.node), known: false });
    else if (entry.kind === "entry") byName.set(entry.name, readEntry(entry, object, resolver, standing, level));
    else {
      const inner = spreadInto(entry.value, object, resolver, standing, level, use ?? entry.node);
      for (const one of inner.parameters) put(one);
      spreads.push({ place: placeOf(entry.node), known: inner.known });
    }
  }
  if (properties > maximumProperties) spreads.push({ place: placeOf(object.node), known: false });
  else if (level < maximumLevels && object.node.type !== "argument_list") {
    const later = writtenLater(object, resolver, standing, level, use);
    for (const one of later.parameters) put(one);
    spreads.push(...later.spreads);
  }
  return { parameters: [...byName.values()], spreads };
}

/** What a spread brings, and whether that is all. */
function spreadInto(
  value: PyNode,
  from: Found,
  resolver: Resolver,
  standing: Standing,
  level: number,
  use: PyNode,
): { readonly parameters: readonly Parameter[]; readonly known: boolean } {
  if (level >= maximumLevels || properties > maximumProperties) return { parameters: [], known: false };
  const found = resolver.follow(value, from);
  const sure = standing.sure && found.length === 1 && found[0]!.sure;
  const inner = found
    .filter((one) => entriesOf(one.node))
    .map((one): Properties => {
      // dicts that spread dicts that may be any of several have no end either
      properties += 1;
      return properties > maximumProperties
        ? { parameters: [], spreads: [{ place: placeOf(one.node), known: false }] }
        : readEntries(one, resolver, { direct: false, sure }, level + 1, use);
    });
  const known =
    found.every((one) => entriesOf(one.node) !== undefined || isNone(one.node)) &&
    inner.every(({ spreads }) => spreads.every((one) => one.known));
  return { parameters: inner.flatMap(({ parameters }) => parameters), known };
}

/** `payload["key"] = value` and `payload.update(...)` between a dict and its use. */
function writtenLater(
  object: Found,
  resolver: Resolver,
  standing: Standing,
  level: number,
  use: PyNode | undefined,
): Properties {
  const parameters: Parameter[] = [];
  const spreads: Spread[] = [];
  for (const write of resolver.writesInto(object.node)) {
    const near = use !== undefined && scopeOf(write.node) === scopeOf(use) && write.node.tree === use.tree;
    if (near && write.node.start > use.end && !around(use, "for_statement", "while_statement")) continue;
    const block = statementOf(write.node).parent;
    const always = near && block !== null && block !== undefined && block.start <= use.start && use.end <= block.end;
    const sure = standing.sure && always;
    if (write.key !== undefined) {
      const entry: Entry = {
        kind: "entry",
        node: write.node,
        key: write.node,
        name: write.key,
        value: write.value ?? write.node,
      };
      const read = readEntry(
        entry,
        { ...object, path: [] },
        resolver,
        { direct: false, sure: sure && write.value !== undefined },
        level,
      );
      parameters.push(write.value ? read : { ...read, value: unknownValue, literal: false });
      continue;
    }
    const inner = write.value
      ? spreadInto(write.value, object, resolver, { direct: false, sure }, level, write.node)
      : undefined;
    parameters.push(...(inner?.parameters ?? []));
    spreads.push({ place: placeOf(write.node), known: inner?.known ?? false });
  }
  return { parameters, spreads };
}

type Named = Extract<Entry, { readonly kind: "entry" }>;

function readEntry(entry: Named, object: Found, resolver: Resolver, standing: Standing, level: number): Parameter {
  return readValue(entry.name, entry.node, placeOf(entry.key), entry.value, object, resolver, standing, level);
}

function readValue(
  name: string,
  node: PyNode,
  namePlace: Place,
  value: PyNode,
  object: Found,
  resolver: Resolver,
  standing: Standing,
  level: number,
): Parameter {
  properties += 1;
  const isTooMuch = properties > maximumProperties;
  const plain = unwrap(value);
  const own = /^(dictionary)$/.test(plain.type) || (plain.type === "call" && entriesOf(plain) !== undefined);
  const common = {
    name,
    place: placeOf(node),
    namePlace,
    valuePlace: placeOf(value),
    shorthand: false,
    ...standing,
    value: isTooMuch ? unknownValue : resolver.value(value, object),
    literal: primitive(plain) !== undefined,
  };
  if (common.literal || level >= maximumLevels || isTooMuch) return common;
  const shape = own ? shapeOf(plain) : undefined;
  const [found, ...others] = own ? [{ ...object, node: plain }] : resolver.follow(value, object);
  if (!found || others.length > 0) return common;
  if (entriesOf(found.node)) {
    const inner = readEntries(
      found,
      resolver,
      { direct: own && standing.direct, sure: standing.sure && found.sure },
      level + 1,
      value,
    );
    const open = inner.spreads.every(({ known }) => known) ? {} : { open: true as const };
    return { ...common, ...(shape ? { object: shape } : {}), parameters: inner.parameters, ...open };
  }
  if (!isSequence(found.node)) return common;
  const direct = found.node === plain && standing.direct;
  return {
    ...common,
    elements: found.node.children
      .slice(0, maximumItems)
      .map((item, index) =>
        readValue(
          String(index),
          item,
          { ...placeOf(item), end: item.start },
          item,
          found,
          resolver,
          { direct, sure: standing.sure && found.sure },
          level + 1,
        ),
      ),
  };
}

/** An argument by position, as the parameter it stands for. */
export function positionalParameter(name: string, node: PyNode, resolver: Resolver, from?: Found): Parameter {
  const object: Found = from ?? { node, path: [], sure: true };
  const standing = { direct: true, sure: true };
  return counted(() =>
    readValue(name, node, { ...placeOf(node), end: node.start }, node, object, resolver, standing, 1),
  );
}

/** Is the dict used by this request only: written in the call, or a variable that is only filled and passed? */
function isOwn(found: Found, use: PyNode): boolean {
  const plain = unwrap(use);
  if (found.node.tree !== use.tree) return false;
  if (plain === found.node) return true;
  if (plain.type !== "identifier" || found.path.length > 1) return false;
  const name = codeOf(plain);
  const bound = lookUp(name, plain);
  if (!bound || bound.scope.type === "class_definition") return false;
  let uses = 0;
  walk(bound.scope, (node) => {
    if (!isName(node) || codeOf(node) !== name || bound.bindings.some(({ at }) => at === node)) return undefined;
    const up = node.parent;
    const isWrite =
      (up?.type === "subscript" && node.field === "value" && up.parent?.type === "assignment" && up.field === "left") ||
      (up?.type === "attribute" && /^(update|setdefault)$/.test(codeOf(child(up, "attribute") ?? up)));
    if (!isWrite) uses += 1;
    return undefined;
  });
  // a name of the module may be imported elsewhere
  return uses === 1 && bound.bindings.length === 1 && (bound.scope.type !== "module" || found.path.length === 1);
}
