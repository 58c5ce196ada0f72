import type { HostVerdict, Value } from "../facts.js";
import { hostOfBaseUrl, hostOfEnvironment, hostOfPackage, hostOfUrl, hostOfVariables, unknownHost } from "../host.js";
import { ts } from "./typescript-compiler.cjs";
import type { Resolver } from "./typescript-resolve.js";
import type { Module } from "./typescript-scopes.js";
import { short } from "./typescript-syntax.js";
import { type Found, stepOf, valueFrom } from "./typescript-values.js";

/** The package and name an expression's value comes from: `openai`, `default`. */
export function externalOf(
  node: ts.Expression,
  from: Found,
  resolver: Resolver,
): { specifier: string; name: string } | undefined {
  const plain = ts.isPropertyAccessExpression(node) ? node.expression : node;
  const found = resolver.followFrom(plain, from).find((one) => one.external);
  if (!found?.external) return undefined;
  return plain === node
    ? found.external
    : { specifier: found.external.specifier, name: (node as ts.PropertyAccessExpression).name.text };
}

/** The calls or `new`s that may have made a client, looking through wrappers such as `observeOpenAI(new OpenAI())`. */
export function makersOf(
  node: ts.Expression,
  from: Found,
  resolver: Resolver,
  isMaker: (node: ts.CallExpression | ts.NewExpression) => boolean,
  depth = 0,
): readonly Found[] {
  return resolver.followFrom(node, from).flatMap((found) => {
    const made = found.node;
    if ((ts.isNewExpression(made) || ts.isCallExpression(made)) && isMaker(made)) return [found];
    const [inner] = ts.isCallExpression(made) ? made.arguments : [];
    if (!inner || depth >= 3) return [];
    // wrapLanguageModel({ model }), Instructor({ client })
    const wrapped = ts.isObjectLiteralExpression(inner)
      ? inner.properties.find((one) => one.name && /^(model|client)$/.test(one.name.getText()))
      : undefined;
    const value = wrapped && ts.isPropertyAssignment(wrapped) ? wrapped.initializer : wrapped?.name;
    const next = value && ts.isExpression(value) ? value : inner;
    const makers = makersOf(next, found, resolver, isMaker, depth + 1);
    return found.sure ? makers : makers.map((maker) => ({ ...maker, sure: false }));
  });
}

/** One verdict for a client that may be any of several; undefined where there is none. */
export function commonHost(makers: readonly Found[], hostOf: (maker: Found) => HostVerdict): HostVerdict | undefined {
  const [first, ...others] = makers.map(hostOf);
  if (!first) return undefined;
  if (others.some((other) => other.host !== first.host)) {
    const names = [...new Set([first, ...others].map(({ host }) => host))];
    return { ...unknownHost, evidence: `the client may be one of several (${names.join(", ")})` };
  }
  const sure = makers.length === 1 && makers[0]!.sure;
  return sure || first.certainty !== "certain" ? first : { ...first, certainty: "possible" };
}

/** The base URL in the options that a client is made with; undefined where none is named. */
export function urlOfMaker(maker: Found, names: readonly string[], resolver: Resolver): Value | undefined {
  const [options] = (maker.node as ts.NewExpression).arguments ?? [];
  return options && urlOfObjects(resolver.followFrom(options, maker), names, resolver);
}

/** The same for options that are found already. */
export function urlOfObjects(
  options: readonly Found[],
  names: readonly string[],
  resolver: Resolver,
): Value | undefined {
  const [object] = options;
  if (!object || options.length > 1 || !ts.isObjectLiteralExpression(object.node)) return undefined;
  for (const name of names) {
    const found = resolver.member(object, name);
    if (found.length > 0) return valueOfMember(found, object, name, resolver);
  }
  return undefined;
}

/**
 * The host of a client made with an options object: its base URL first, then its API key's variable. `fallback` is
 * what the package says where the options name no URL.
 */
export function hostOfOptions(
  options: ts.Expression | undefined,
  from: Found,
  resolver: Resolver,
  urlNames: readonly string[],
  fallback: HostVerdict,
): HostVerdict {
  return options ? hostOfObjects(resolver.followFrom(options, from), resolver, urlNames, fallback) : fallback;
}

/** The same for options that are found already, with all the places they may come from. */
export function hostOfObjects(
  options: readonly Found[],
  resolver: Resolver,
  urlNames: readonly string[],
  fallback: HostVerdict,
): HostVerdict {
  const [first, ...others] = options
    .filter((one) => ts.isObjectLiteralExpression(one.node))
    .map((object) => hostOfObject(object, resolver, urlNames, fallback));
  // options that cannot be read may name any URL
  if (!first) return atMostPossible(fallback);
  if (others.some((other) => other.host !== first.host)) {
    return { ...unknownHost, evidence: "the options may be one of several, for different hosts" };
  }
  const isFixed =
    options.length === 1 && options[0]!.sure && !urlNames.some((name) => resolver.isChanged(options[0]!.node, name));
  return isFixed ? first : atMostPossible(first);
}

/** The same verdict, no longer certain. */
export function atMostPossible(verdict: HostVerdict): HostVerdict {
  return verdict.certainty === "certain" ? { ...verdict, certainty: "possible" } : verdict;
}

function hostOfObject(
  object: Found,
  resolver: Resolver,
  urlNames: readonly string[],
  fallback: HostVerdict,
): HostVerdict {
  for (const name of urlNames) {
    const found = resolver.member(object, name);
    if (found.length === 0) continue;
    const verdict = hostOfBaseUrl(valueOfMember(found, object, name, resolver), name);
    return verdict ?? hostOfKey(object, resolver) ?? { ...unknownHost, evidence: `${name} is not known here` };
  }
  return fallback.host === "unknown" ? (hostOfKey(object, resolver) ?? fallback) : fallback;
}

function valueOfMember(found: readonly Found[], object: Found, name: string, resolver: Resolver): Value {
  // the step to a property of the options themselves tells nothing
  const property = (object.node as ts.ObjectLiteralExpression).properties.find((one) => one.name?.getText() === name);
  const own = property && stepOf(name, property, object.module);
  const shown = found.map((one) => (one.path[0] === own ? { ...one, path: one.path.slice(1) } : one));
  return valueFrom(shown, resolver.value);
}

function hostOfKey(object: Found, resolver: Resolver): HostVerdict | undefined {
  const variables = resolver
    .member(object, "apiKey")
    .flatMap((found) => (found.environment ? [found.environment] : []));
  return hostOfVariables(variables, "apiKey");
}

/** What a whole file speaks of: the URLs, packages and variables in it. Never more than `possible`. */
export function hostOfFile(module: Module): HostVerdict {
  const known = fileHosts.get(module);
  if (known) return known;
  const evidence = new Map<string, string>();
  const note = (host: string | undefined, words: string, node: ts.Node) => {
    if (!host || ["unknown", "other", "self-hosted"].includes(host) || evidence.has(host)) return;
    const line = module.source.getLineAndCharacterOfPosition(node.getStart(module.source)).line + 1;
    evidence.set(host, `${words} in the same file, line ${line}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) {
      const importing =
        ts.isImportDeclaration(node.parent) || ts.isExportDeclaration(node.parent) || ts.isCallExpression(node.parent);
      if (node.text.includes("://")) note(hostOfUrl(node.text), `"${short(node).slice(1, -1)}"`, node);
      else if (importing) note(hostOfPackage(node.text), `the package ${node.text}`, node);
    } else if (ts.isTemplateHead(node)) note(hostOfUrl(node.text), `"${node.text}"`, node);
    else if (ts.isIdentifier(node) && /^[A-Z][A-Z0-9_]+$/.test(node.text))
      note(hostOfEnvironment(node.text), node.text, node);
    ts.forEachChild(node, visit);
  };
  visit(module.source);
  const verdict = verdictOf(evidence);
  fileHosts.set(module, verdict);
  return verdict;
}

const fileHosts = new WeakMap<Module, HostVerdict>();

function verdictOf(evidence: ReadonlyMap<string, string>): HostVerdict {
  const [first, ...others] = [...evidence];
  if (!first) return unknownHost;
  if (others.length === 0) return { host: first[0] as HostVerdict["host"], certainty: "possible", evidence: first[1] };
  return { ...unknownHost, evidence: `the file speaks of several hosts (${[...evidence.keys()].join(", ")})` };
}
