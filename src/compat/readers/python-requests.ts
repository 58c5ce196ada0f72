// Long because each client of Python is a few lines, and all are told apart in one place.
// Long because each way of asking a model is a short recogniser, and they share what they read.
import type { ClientKind, HostVerdict, Request, Value } from "../facts.js";
import { hostOfProvider, hostOfPython, unknownHost } from "../host.js";
import {
  atMostPossible,
  calleeChain,
  commonHost,
  externalOf,
  hostOfFile,
  hostOfMaker,
  hostOfModule,
  hostOfOptions,
  makersOf,
  urlOf,
} from "./python-clients.js";
import { httpRequest } from "./python-http.js";
import { positionalParameter, type ReadObject, readKeywords } from "./python-objects.js";
import type { Resolver } from "./python-resolve.js";
import { build, modelNames } from "./python-sketch.js";
import { argumentsOf, keyword, lastName, stringOf, unwrap } from "./python-syntax.js";
import { child, codeOf, type PyNode, placeOf, short } from "./python-tree.js";

/** A recogniser: a request made by this call, or undefined where the call is none of its kind. */
type Recogniser = (node: PyNode, resolver: Resolver) => Request | undefined;

const recognisers: readonly Recogniser[] = [sdkRequest, litellmRequest, modelRequest, httpRequest];

/** The request a call makes. */
export function requestOf(node: PyNode, resolver: Resolver): Request | undefined {
  for (const recognise of recognisers) {
    const request = recognise(node, resolver);
    if (request) return request;
  }
  return undefined;
}

const sdkCall =
  /^((beta\.)?chat\.completions|completions|responses|messages|beta\.messages|ChatCompletion|Completion)\.(with_raw_response\.|with_streaming_response\.)?(create|acreate|stream|parse)$/;

const sentNames = /^(model|engine|messages|prompt|input|deployment_id)$/;

function mayBeRequest(node: PyNode): boolean {
  const { list, keywords } = argumentsOf(node);
  return (
    [...keywords.keys()].some((name) => sentNames.test(name)) ||
    (list?.children.some(({ type }) => type === "dictionary_splat") ?? false)
  );
}

/** Where the called names of an SDK begin in a chain; -1 where there are none. */
function sdkStart(names: readonly string[]): number {
  for (let depth = 0; depth < names.length; depth += 1) if (sdkCall.test(names.slice(depth).join("."))) return depth;
  return -1;
}

/** The keywords of a call that is given a method: of partial() others may replace them when the result is called. */
function passedOn(node: PyNode, callee: PyNode, read: ReadObject): ReadObject {
  const code = codeOf(callee);
  if (/to_thread$/.test(code)) return read;
  if (!/^(functools\.)?partial$/.test(code)) return { ...read, shape: undefined };
  const { file, end } = placeOf(node);
  return { ...read, spreads: [...read.spreads, { place: { file, start: end, end }, known: false }] };
}

/** `client.chat.completions.create(...)` of openai-python and clients made like it, `client.messages.create(...)`. */
function sdkRequest(node: PyNode, resolver: Resolver): Request | undefined {
  const callee = child(node, "function");
  // most calls give nothing that a request has, and need not be followed
  if (!callee || !mayBeRequest(node)) return undefined;
  let chain = calleeChain(callee, resolver);
  let start = sdkStart(chain.names);
  let passed: PyNode | undefined;
  if (start < 0) {
    // the method is passed on: partial(create, model=...), to_thread(create, model=...)
    for (const one of argumentsOf(node).positional.slice(0, 2)) {
      if (one.type !== "attribute") continue;
      const inner = calleeChain(one, resolver);
      if (sdkStart(inner.names) < 0) continue;
      [chain, passed, start] = [inner, one, sdkStart(inner.names)];
    }
  }
  if (start < 0) return undefined;
  const read = readKeywords(node, resolver);
  const names = chain.names.slice(start);
  const isSent = read.parameters.some(({ name }) => sentNames.test(name));
  if (!isSent && (passed || read.spreads.length === 0)) return undefined;
  const isAnthropic = names.includes("messages");
  // Twilio and others have messages.create() too
  if (isAnthropic && read.parameters.some(({ name }) => /^(to|from_|body|recipient)$/.test(name))) return undefined;
  const object = passed ? passedOn(node, callee, read) : read;
  const client = start === 0 ? chain.root : (receiver(chain.node, chain.names.length - start) ?? chain.root);
  const host = hostOfClient(node, client, resolver);
  return build({
    client: isAnthropic ? "anthropic-python" : "openai-python",
    node,
    callee: short(passed ?? callee),
    endpoint: chain.names.join("."),
    host: host.verdict,
    baseUrl: host.baseUrl,
    object,
    package: host.package ?? (isAnthropic ? "anthropic" : undefined),
  });
}

/** The object that the last `levels` names are called on. */
function receiver(callee: PyNode, levels: number): PyNode | undefined {
  let node = unwrap(callee);
  for (let level = 0; level < levels; level += 1) {
    const object = node.type === "attribute" ? child(node, "object") : undefined;
    if (!object) return undefined;
    node = unwrap(object);
  }
  return node;
}

interface ClientHost {
  readonly verdict: HostVerdict;
  readonly baseUrl?: Value | undefined;
  readonly package?: string | undefined;
}

function hostOfClient(node: PyNode, client: PyNode, resolver: Resolver): ClientHost {
  const external = externalOf(client, resolver);
  if (external?.name === "*") {
    const byPackage = hostOfPython(external.package, "*");
    const fallback: HostVerdict = byPackage
      ? { host: byPackage, certainty: "certain", evidence: `the package ${external.package}` }
      : (hostOfModule(codeOf(client), resolver) ?? {
          ...unknownHost,
          evidence: `${external.package} without a base URL that is known here`,
        });
    // openai 0.x took the base URL in the call
    return {
      verdict: hostOfOptions(node, resolver, fallback),
      baseUrl: urlOf(node, resolver)?.value,
      package: external.package,
    };
  }
  const makers = makersOf(client, resolver);
  const verdict = commonHost(
    makers.map((maker) => hostOfMaker(maker, resolver)),
    makers.length === 1 && makers[0]!.found.sure && resolver.follow(client).length === 1,
  );
  const [first] = makers;
  if (!first || !verdict) return { verdict: hostOfFile(node.tree) };
  const callee = child(first.found.node, "function");
  const options = first.options.find((one) => urlOf(one.node, resolver, one));
  return {
    verdict,
    baseUrl: (options ? urlOf(options.node, resolver, options) : urlOf(first.found.node, resolver, first.found))?.value,
    package: callee && externalOf(callee, resolver, first.found)?.package.split(".")[0],
  };
}

/** The keyword arguments with the first positional one as the model. */
function withModel(node: PyNode, resolver: Resolver): ReadObject {
  const read = readKeywords(node, resolver);
  const [first] = argumentsOf(node).positional;
  if (!first || read.parameters.some(({ name }) => modelNames.includes(name))) return read;
  return { ...read, parameters: [positionalParameter("model", first, resolver), ...read.parameters] };
}

/** The provider before an id: `deepseek/deepseek-chat`, `deepseek:deepseek-chat`. */
function providerOf(object: ReadObject, separator: string): HostVerdict | undefined {
  const model = object.parameters.find(({ name }) => modelNames.includes(name))?.value;
  const hosts = new Set(
    (model?.candidates ?? []).map(({ value }) => hostOfProvider(String(value).split(separator)[0]!.toLowerCase())),
  );
  const [host, ...others] = hosts;
  if (!host || others.length > 0 || !model) return undefined;
  const [first] = model.candidates;
  return {
    host,
    certainty: model.certainty === "certain" ? "certain" : "possible",
    evidence: `the id "${first?.value}"${first?.path.length ? ` (${first.path.join(" -> ")})` : ""}`,
  };
}

/** `completion(model="deepseek/deepseek-chat", ...)` of litellm. */
function litellmRequest(node: PyNode, resolver: Resolver): Request | undefined {
  const callee = child(node, "function");
  if (!callee || !/^_?a?(text_)?(batch_)?completions?(_with_retries)?$|^a?responses$/.test(lastName(callee)))
    return undefined;
  const from = externalOf(callee, resolver);
  if (!from || !/^litellm(\.|$)/.test(from.package)) return undefined;
  const object = withModel(node, resolver);
  if (!object.parameters.some(({ name }) => name === "model" || name === "messages") && object.spreads.length === 0)
    return undefined;
  const fallback = providerOf(object, "/") ??
    providerKeyword(node, "custom_llm_provider", resolver) ?? {
      ...unknownHost,
      evidence: "litellm without a provider that is known here",
    };
  return build({
    client: "litellm",
    node,
    callee: short(callee),
    endpoint: lastName(callee),
    host: hostOfOptions(node, resolver, fallback),
    baseUrl: urlOf(node, resolver)?.value,
    object,
    package: "litellm",
  });
}

function providerKeyword(node: PyNode, name: string, resolver: Resolver): HostVerdict | undefined {
  const given = keyword(node, name);
  const value = given && resolver.value(given);
  const [first] = value?.candidates ?? [];
  const host = first && hostOfProvider(String(first.value).toLowerCase());
  if (!host || !value) return undefined;
  return {
    host,
    certainty: value.certainty === "certain" ? "certain" : "possible",
    evidence: `${name}="${first.value}"`,
  };
}

/** A row: which constructors of which packages name a model and its parameters. */
interface Constructors {
  readonly package: RegExp;
  readonly name: RegExp;
  readonly client: ClientKind;
}

const constructors: readonly Constructors[] = [
  {
    package: /^langchain/,
    name: /^(Azure)?(Base)?(Chat|Azure)?(OpenAI|DeepSeek|LiteLLM|OpenRouter|Together|Fireworks|Groq|Ollama|Anthropic|VLLMOpenAI|Bedrock(Converse)?|VertexAI|HuggingFace|NVIDIA)$/,
    client: "langchain-python",
  },
  { package: /^langchain/, name: /^init_chat_model$/, client: "langchain-python" },
  {
    package: /^llama_index\.llms\./,
    name: /^(DeepSeek|OpenAI|OpenAILike|OpenRouter|AzureOpenAI|LiteLLM|Ollama|Groq|TogetherLLM|Fireworks)$/,
    client: "llamaindex-python",
  },
  // they hand the id and what they do not know to litellm
  { package: /^crewai(\.|$)/, name: /^LLM$/, client: "litellm" },
  { package: /^dspy(\.|$)/, name: /^LM$/, client: "litellm" },
  { package: /^pydantic_ai/, name: /^(Agent|OpenAI(Chat|Responses)?Model|infer_model)$/, client: "pydantic-ai" },
];

/** Clients that take the model and its parameters when they are made: LangChain, LlamaIndex, pydantic-ai. */
function modelRequest(node: PyNode, resolver: Resolver): Request | undefined {
  const callee = child(node, "function");
  const name = callee ? lastName(callee) : "";
  if (!callee || !constructors.some((row) => row.name.test(name) || externalNameMayDiffer(name))) return undefined;
  const from = externalOf(callee, resolver);
  const row = from && constructors.find((one) => one.package.test(from.package) && one.name.test(from.name));
  if (!from || !row) return undefined;
  const isLangChainFactory = from.name === "init_chat_model";
  const takesModelFirst = row.client !== "langchain-python" || isLangChainFactory;
  const read = takesModelFirst ? withModel(node, resolver) : readKeywords(node, resolver);
  const model = read.parameters.find(({ name: one }) => modelNames.includes(one));
  // an agent given a model object, or none
  if (from.name === "Agent" && !model?.value.candidates.some(({ value }) => typeof value === "string"))
    return undefined;
  const byPackage = hostOfPython(from.package, from.name);
  const isLiteLlm = row.client === "litellm" || /LiteLLM/.test(from.name);
  const byProvider =
    row.client === "pydantic-ai" || isLangChainFactory || isLiteLlm
      ? (providerOf(read, isLiteLlm ? "/" : ":") ??
        providerKeyword(node, "model_provider", resolver) ??
        providerObject(node, resolver))
      : undefined;
  const fallback: HostVerdict =
    // settings of its own may send it elsewhere
    (byProvider && row.client === "litellm" ? atMostPossible(byProvider) : byProvider) ??
    (byPackage
      ? { host: byPackage, certainty: "certain", evidence: `${from.name} of ${from.package}` }
      : /azure/i.test(from.name)
        ? { host: "azure", certainty: "certain", evidence: `${from.name}()` }
        : { ...unknownHost, evidence: `${from.name} without a base URL that is known here` });
  return build({
    client: row.client,
    node,
    callee: short(callee),
    endpoint: from.name,
    host: hostOfOptions(node, resolver, fallback),
    baseUrl: urlOf(node, resolver)?.value,
    // what else such a wrapper hands on is its own affair: nothing is put into its call
    object: row.client === "litellm" ? { ...read, shape: undefined } : read,
    package: from.package.split(".")[0],
  });
}

/** A local name that may stand for an import under another: `from langchain_openai import ChatOpenAI as LLM`. */
const externalNameMayDiffer = (name: string): boolean => /^[A-Z]\w*$/.test(name);

/** `provider=DeepSeekProvider()`, `provider="deepseek"`, `provider=OpenAIProvider(base_url=...)` of pydantic-ai. */
function providerObject(node: PyNode, resolver: Resolver): HostVerdict | undefined {
  const given = keyword(node, "provider");
  if (!given) return undefined;
  const [found, ...others] = resolver.follow(given);
  if (!found || others.length > 0) return undefined;
  const text = stringOf(found.node);
  if (text !== undefined) {
    const host = hostOfProvider(text.toLowerCase());
    return host && { host, certainty: found.sure ? "certain" : "possible", evidence: `provider="${text}"` };
  }
  const [maker] = makersOf(given, resolver);
  if (!maker) return undefined;
  const verdict = hostOfMaker(maker, resolver);
  // the client may be given instead of a URL
  const client = keyword(maker.found.node, "openai_client");
  const inner =
    client &&
    commonHost(
      makersOf(client, resolver, maker.found).map((one) => hostOfMaker(one, resolver)),
      true,
    );
  const settled = verdict.host === "unknown" && inner ? inner : verdict;
  return maker.found.sure ? settled : atMostPossible(settled);
}
