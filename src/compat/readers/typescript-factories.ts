import type { HostVerdict, Value } from "../facts.js";
import { hostOfProvider, unknownHost } from "../host.js";
import { externalOf } from "./typescript-clients.js";
import { ts } from "./typescript-compiler.cjs";
import { memberExpression } from "./typescript-http.js";
import type { Resolver } from "./typescript-resolve.js";
import type { Module } from "./typescript-scopes.js";
import type { Found } from "./typescript-values.js";

/** A model object that LangChain makes from its name. */
export interface ChatModel {
  readonly model: Value;
  readonly options: ts.Expression | undefined;
  /** By its provider alone. */
  readonly host: HostVerdict;
}

/** `initChatModel("deepseek:deepseek-chat")`, `initChatModel("deepseek-chat", { modelProvider: "deepseek" })`. */
export function chatModelOf(
  node: ts.CallExpression | ts.NewExpression,
  at: Found,
  resolver: Resolver,
): ChatModel | undefined {
  const [id, options] = node.arguments ?? [];
  if (!id || !ts.isCallExpression(node) || !isNamedIn(at.module)) return undefined;
  const from = externalOf(node.expression, at, resolver);
  if (from?.name !== "initChatModel" || !/^(@langchain\/|langchain(\/|$))/.test(from.specifier)) return undefined;
  const model = resolver.value(id, at);
  const provider = options && memberExpression(options, ["modelProvider"], at, resolver);
  const host = provider
    ? hostOf(resolver.value(provider.node, provider.from), (text) => text, "modelProvider")
    : hostOf(model, (text) => /^(\w+):/.exec(text)?.[1], "the provider in");
  return { model, options, host };
}

const named = new WeakMap<Module, boolean>();

/** Does a file name the function at all? Most do not, and every call is asked. */
function isNamedIn(module: Module): boolean {
  let known = named.get(module);
  if (known === undefined) {
    known = module.text.includes("initChatModel");
    named.set(module, known);
  }
  return known;
}

/** The host of the provider in a value; several providers leave it open. */
function hostOf(value: Value, providerIn: (text: string) => string | undefined, words: string): HostVerdict {
  const hosts = new Set(
    value.candidates.map((one) => {
      const provider = providerIn(String(one.value));
      return provider === undefined ? "unknown" : (hostOfProvider(provider) ?? "other");
    }),
  );
  const [host, ...others] = hosts;
  if (!host || host === "unknown" || others.length > 0) return unknownHost;
  const certainty = value.certainty === "certain" ? "certain" : "possible";
  return { host, certainty, evidence: `${words} "${value.candidates[0]!.value}"` };
}
