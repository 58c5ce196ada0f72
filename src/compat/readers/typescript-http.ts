import type { HostVerdict } from "../facts.js";
import { unknownHost } from "../host.js";
import { commonHost, hostOfOptions, makersOf } from "./typescript-clients.js";
import { ts } from "./typescript-compiler.cjs";
import type { Resolver } from "./typescript-resolve.js";
import { chainOf, isNothing } from "./typescript-syntax.js";
import type { Found } from "./typescript-values.js";

const httpClients = /^(axios|ky|got|request|superagent|needle)$/;

/** Does a call's root come from a package that sends requests, or is it an instance that one made? */
export function isHttpClient(root: ts.Expression, at: Found, resolver: Resolver): boolean {
  return resolver.followFrom(root, at).some(({ node, external, module }) => {
    if (external) return httpClients.test(external.specifier);
    if (!ts.isCallExpression(node)) return ts.isIdentifier(node) && httpClients.test(node.text);
    const { root: maker, names } = chainOf(node.expression);
    const from = { node, module, path: [], sure: true };
    return (
      /^(create|extend|instance)$/.test(names.at(-1) ?? "") && maker !== root && isHttpClient(maker, from, resolver)
    );
  });
}

/** The host of the instance that a path is asked of: `axios.create({ baseURL })`. */
export function hostOfInstance(root: ts.Expression, at: Found, resolver: Resolver): HostVerdict | undefined {
  const makers = makersOf(root, at, resolver, (one) => /\b(create|extend|instance)$/.test(one.expression.getText()));
  const verdict = commonHost(makers, (maker) =>
    hostOfOptions(
      (maker.node as ts.CallExpression).arguments[0],
      maker,
      resolver,
      ["baseURL", "prefixUrl"],
      unknownHost,
    ),
  );
  return verdict?.host === "unknown" ? undefined : verdict;
}

/** An expression and where it stands. */
export interface Reference {
  readonly node: ts.Expression;
  readonly from: Found;
}

/** The expression behind one of these properties of an options object. */
export function memberExpression(
  options: ts.Expression,
  names: readonly string[],
  at: Found,
  resolver: Resolver,
): Reference | undefined {
  for (const object of resolver.followFrom(options, at)) {
    if (!ts.isObjectLiteralExpression(object.node)) continue;
    for (const property of object.node.properties) {
      if (!property.name || !names.includes(property.name.getText())) continue;
      if (ts.isPropertyAssignment(property)) return { node: property.initializer, from: object };
      if (ts.isShorthandPropertyAssignment(property)) return { node: property.name, from: object };
    }
  }
  return undefined;
}

/** What `JSON.stringify(x)` was given, or the expression itself. */
export function stringified(
  body: Reference,
  resolver: Resolver,
): (Reference & { readonly isFiltered: boolean }) | undefined {
  const [found] = resolver.followFrom(body.node, body.from);
  if (!found || !ts.isCallExpression(found.node)) return { ...body, isFiltered: false };
  const [argument, replacer] = found.node.arguments;
  if (found.node.expression.getText() !== "JSON.stringify" || !argument) return undefined;
  return { node: argument, from: found, isFiltered: replacer !== undefined && !isNothing(replacer) };
}
