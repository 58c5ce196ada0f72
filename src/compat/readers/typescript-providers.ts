import type { HostVerdict } from "../facts.js";
import { hostOfPackage, unknownHost } from "../host.js";
import { atMostPossible, externalOf, hostOfOptions } from "./typescript-clients.js";
import { ts } from "./typescript-compiler.cjs";
import { memberExpression } from "./typescript-http.js";
import type { Resolver } from "./typescript-resolve.js";
import type { Found } from "./typescript-values.js";

/** The provider of a model object of the AI SDK. */
export interface Provider {
  readonly host: HostVerdict;
  readonly specifier: string;
  /** The name it was given, where that is certain. */
  readonly name?: string;
}

/** The provider of a call such as `deepseek("id")`, `provider.chat("id")`; undefined where it is no such call. */
export function providerCall(node: ts.CallExpression, at: Found, resolver: Resolver): Provider | undefined {
  let provider: ts.Expression = node.expression;
  const isMethod =
    ts.isPropertyAccessExpression(provider) &&
    /^(chat|languageModel|chatModel|completion|completionModel|responses)$/.test(provider.name.text);
  if (isMethod) provider = (provider as ts.PropertyAccessExpression).expression;
  const ways = resolver.followFrom(provider, at);
  const certainty = ways.length === 1 && ways[0]!.sure ? "certain" : "possible";
  for (const found of ways) {
    if (found.external) {
      const { specifier } = found.external;
      const host = hostOfPackage(specifier);
      if (host) return { specifier, host: { host, certainty, evidence: `the package ${specifier}` } };
      if (/^@ai-sdk\//.test(specifier)) return { specifier, host: { ...unknownHost, host: "other" } };
    }
    if (!ts.isCallExpression(found.node)) continue;
    const from = externalOf(found.node.expression, found, resolver);
    if (!from || !/^create[A-Z]/.test(from.name)) continue;
    const host = hostOfPackage(from.specifier);
    const fallback: HostVerdict = host
      ? { host, certainty, evidence: `${from.name}() of ${from.specifier}` }
      : { ...unknownHost, evidence: `${from.name}() without a base URL that is known here` };
    const verdict = hostOfOptions(found.node.arguments[0], found, resolver, ["baseURL"], fallback);
    const name = nameIn(found.node.arguments[0], found, resolver);
    return {
      specifier: from.specifier,
      host: certainty === "certain" ? verdict : atMostPossible(verdict),
      ...(name ? { name } : {}),
    };
  }
  return undefined;
}

/** `createOpenAICompatible({ name: "x" })`; what stands before a dot is the name of its options. */
function nameIn(options: ts.Expression | undefined, at: Found, resolver: Resolver): string | undefined {
  const member = options && memberExpression(options, ["name"], at, resolver);
  const value = member && resolver.value(member.node, member.from);
  const [only] = value?.certainty === "certain" ? value.candidates : [];
  return typeof only?.value === "string" && !only.partial ? only.value.split(".")[0]!.trim() : undefined;
}

/** `new ToolLoopAgent({ model, tools })`: it asks with what it was made with. */
export function isAgent(
  node: ts.CallExpression | ts.NewExpression,
  name: string,
  at: Found,
  resolver: Resolver,
): boolean {
  return /Agent$/.test(name) && externalOf(node.expression, at, resolver)?.specifier === "ai";
}
