import type { HostVerdict, Value } from "../facts.js";
import { hostOfBaseUrl, hostOfEnvironment, hostOfPython, hostOfUrl, hostOfVariables, unknownHost } from "../host.js";
import type { Resolver } from "./python-resolve.js";
import { argumentsOf, chainOf, isNone, keyword, lastName, stringParts } from "./python-syntax.js";
import { child, codeOf, lineOf, type PyNode, type PyTree, short, walk } from "./python-tree.js";
import { type Found, valueFrom } from "./python-values.js";

/** The package and name an expression's value comes from: `openai`, `OpenAI`. */
export function externalOf(
  node: PyNode,
  resolver: Resolver,
  from?: Found,
): { readonly package: string; readonly name: string } | undefined {
  return resolver.follow(node, from).find((one) => one.external)?.external;
}

/** Names under which options give the base URL. */
const urlNames = [
  "base_url",
  "api_base",
  "openai_api_base",
  "azure_endpoint",
  "endpoint",
  "base_uri",
  "api_base_url",
  "openai_base_url",
  "deepseek_api_base",
];
const keyNames = ["api_key", "openai_api_key", "deepseek_api_key"];

const isMade = (node: PyNode): boolean =>
  node.type === "call" && /^_*[A-Z]/.test(lastName(child(node, "function") ?? node));

/** A call that makes a client, and the `with_options(...)` put on it afterwards. */
export interface Maker {
  readonly found: Found;
  readonly options: readonly Found[];
}

/** The calls that may have made a client, looking through wrappers such as `wrap_openai(OpenAI())`. */
export function makersOf(node: PyNode, resolver: Resolver, from?: Found, depth = 0): readonly Maker[] {
  return resolver.follow(node, from).flatMap((found): readonly Maker[] => {
    const made = found.node;
    if (made.type !== "call") return [];
    if (isMade(made)) return [{ found, options: [] }];
    const callee = child(made, "function");
    if (depth >= 3 || !callee) return [];
    const isCopy = callee.type === "attribute" && /^(with_options|copy)$/.test(lastName(callee));
    const inner = isCopy ? child(callee, "object") : argumentsOf(made).positional[0];
    if (!inner) return [];
    const makers = makersOf(inner, resolver, found, depth + 1);
    return makers.map((one) => ({
      found: found.sure ? one.found : { ...one.found, sure: false },
      options: isCopy ? [...one.options, found] : one.options,
    }));
  });
}

/** One verdict for a client that may be any of several; undefined where there is none. */
export function commonHost(verdicts: readonly HostVerdict[], sure: boolean): HostVerdict | undefined {
  const [first, ...others] = verdicts;
  if (!first) return undefined;
  if (others.some((other) => other.host !== first.host)) {
    const names = [...new Set(verdicts.map(({ host }) => host))];
    return { ...unknownHost, evidence: `the client may be one of several (${names.join(", ")})` };
  }
  return sure && others.length === 0 ? first : atMostPossible(first);
}

/** The same verdict, no longer certain. */
export function atMostPossible(verdict: HostVerdict): HostVerdict {
  return verdict.certainty === "certain" ? { ...verdict, certainty: "possible" } : verdict;
}

/** The base URL that a call's keywords give; undefined where they give none. */
export function urlOf(
  call: PyNode,
  resolver: Resolver,
  from?: Found,
): { name: string; value: Value; explicit: boolean } | undefined {
  const { list } = argumentsOf(call);
  if (!list) return undefined;
  const object: Found = { ...(from ?? { path: [], sure: true }), node: list, path: [], sure: true };
  for (const name of urlNames) {
    const own = keyword(call, name);
    const found = own ? resolver.follow(own, from) : resolver.member(object, name);
    if (found.length === 0 || found.every((one) => isNone(one.node))) continue;
    return { name, value: valueFrom(found, resolver.value), explicit: own !== undefined };
  }
  return undefined;
}

/** The host of a client by the keywords it is made with; `fallback` is what its class says where they name no URL. */
export function hostOfOptions(call: PyNode, resolver: Resolver, fallback: HostVerdict, from?: Found): HostVerdict {
  const url = urlOf(call, resolver, from);
  const byKey = () => hostOfKey(call, resolver, from);
  if (!url) return fallback.host === "unknown" ? (byKey() ?? fallback) : fallback;
  const verdict = hostOfBaseUrl(url.value, url.name);
  if (verdict) return verdict;
  // options that cannot be read may name any URL
  if (!url.explicit) return fallback.host === "unknown" ? (byKey() ?? fallback) : atMostPossible(fallback);
  return byKey() ?? { ...unknownHost, evidence: `${url.name} is not known here` };
}

function hostOfKey(call: PyNode, resolver: Resolver, from?: Found): HostVerdict | undefined {
  for (const name of keyNames) {
    const key = keyword(call, name);
    if (!key) continue;
    const variables = resolver.follow(key, from).flatMap((one) => (one.environment ? [one.environment] : []));
    const verdict = hostOfVariables(variables, name);
    if (verdict) return verdict;
  }
  return undefined;
}

/** The host of a client's maker: `OpenAI(base_url=...)` and its relatives. */
export function hostOfMaker({ found, options }: Maker, resolver: Resolver): HostVerdict {
  const made = found.node;
  const callee = child(made, "function") ?? made;
  const name = short(callee);
  const from = externalOf(callee, resolver, found);
  const byPackage = from && hostOfPython(from.package, from.name);
  const fallback: HostVerdict = /azure/i.test(name)
    ? { host: "azure", certainty: "certain", evidence: `${name}()` }
    : byPackage
      ? { host: byPackage, certainty: "certain", evidence: `${name}() of ${from.package}` }
      : { ...unknownHost, evidence: `${name}() without a base URL that is known here` };
  let verdict = hostOfOptions(made, resolver, fallback, found);
  for (const one of options)
    if (urlOf(one.node, resolver, one)) verdict = hostOfOptions(one.node, resolver, verdict, one);
  // a class of the project's own may do anything with its options
  const own = resolver.follow(callee, found).some(({ node }) => node.type === "class_definition");
  return own ? atMostPossible(verdict) : verdict;
}

/** The host of the openai module itself, by what is assigned to it. */
export function hostOfModule(module: string, resolver: Resolver): HostVerdict | undefined {
  for (const name of ["api_base", "base_url"]) {
    const found = resolver.assignedTo(module, name);
    const verdict = found.length > 0 ? hostOfBaseUrl(valueFrom(found, resolver.value), `${module}.${name}`) : undefined;
    // another file may assign it too, later
    if (verdict) return atMostPossible(verdict);
  }
  const keys = resolver.assignedTo(module, "api_key").flatMap((one) => (one.environment ? [one.environment] : []));
  return hostOfVariables(keys, `${module}.api_key`);
}

/** What a whole file speaks of: the URLs, packages and variables in it. Never more than `possible`. */
export function hostOfFile(tree: PyTree): HostVerdict {
  const known = fileHosts.get(tree);
  if (known) return known;
  const evidence = new Map<string, string>();
  const note = (host: string | undefined, words: string, node: PyNode) => {
    if (!host || ["unknown", "other", "self-hosted"].includes(host) || evidence.has(host)) return;
    evidence.set(host, `${words} in the same file, line ${lineOf(tree, node.start)}`);
  };
  walk(tree.root, (node) => {
    if (node.type === "string") {
      if (isDocumentation(node)) return false;
      const parts = stringParts(node);
      const text = typeof parts?.[0] === "string" ? parts[0] : "";
      if (/^https?:\/\//.test(text)) note(hostOfUrl(text), `"${text.slice(0, 80)}"`, node);
      else if (/^[A-Z][A-Z0-9_]+$/.test(text) && parts?.length === 1) note(hostOfEnvironment(text), text, node);
    } else if (node.type === "import_from_statement") {
      const from = child(node, "module_name");
      if (from && from.type !== "relative_import") {
        for (const one of node.children.filter(({ field }) => field === "name")) {
          const name = one.type === "aliased_import" ? child(one, "name") : one;
          if (name) note(hostOfPython(codeOf(from), codeOf(name)), `the package ${codeOf(from)}`, node);
        }
      }
    } else if (node.type === "import_statement") {
      for (const one of node.children) {
        const name = one.type === "aliased_import" ? child(one, "name") : one;
        if (name) note(hostOfPython(codeOf(name), "*"), `the package ${codeOf(name)}`, node);
      }
    } else if (node.type === "identifier") {
      const name = codeOf(node);
      if (/^[A-Z][A-Z0-9_]+$/.test(name)) note(hostOfEnvironment(name), name, node);
    }
    return undefined;
  });
  const [first, ...others] = [...evidence];
  const verdict: HostVerdict = !first
    ? unknownHost
    : others.length === 0
      ? { host: first[0] as HostVerdict["host"], certainty: "possible", evidence: first[1] }
      : { ...unknownHost, evidence: `the file speaks of several hosts (${[...evidence.keys()].join(", ")})` };
  fileHosts.set(tree, verdict);
  return verdict;
}

const fileHosts = new WeakMap<PyTree, HostVerdict>();

/** Is a string a docstring: a statement of its own? */
export function isDocumentation(node: PyNode): boolean {
  const { parent } = node;
  return (
    parent?.type === "expression_statement" &&
    (parent.parent?.type === "module" || parent.parent?.type === "block") &&
    parent.children.length === 1
  );
}

/** Root and names of a callee, with aliases followed: `create = client.chat.completions.create`. */
export function calleeChain(
  callee: PyNode,
  resolver: Resolver,
  from?: Found,
): { root: PyNode; names: readonly string[]; node: PyNode } {
  const chain = chainOf(callee);
  if (chain.root.type === "identifier" && chain.names.length <= 1) {
    const [found, ...others] = resolver.follow(callee, from);
    if (found && others.length === 0 && !found.external && found.node.type === "attribute") {
      return { ...chainOf(found.node), node: found.node };
    }
  }
  return { ...chain, node: callee };
}
