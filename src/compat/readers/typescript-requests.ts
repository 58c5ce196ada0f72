import type { ClientKind, HostVerdict, Request, Value } from "../facts.js";
import { hostOfBaseUrl, hostOfPackage, unknownHost } from "../host.js";
import { hostByModel, settledModel } from "./requests-of-file.js";
import {
  commonHost,
  externalOf,
  hostOfFile,
  hostOfObjects,
  hostOfOptions,
  makersOf,
  urlOfMaker,
  urlOfObjects,
} from "./typescript-clients.js";
import { ts } from "./typescript-compiler.cjs";
import { chatModelOf } from "./typescript-factories.js";
import { hostOfInstance, isHttpClient, memberExpression, stringified } from "./typescript-http.js";
import { type ReadObject, readObject } from "./typescript-objects.js";
import { isAgent, providerCall } from "./typescript-providers.js";
import type { Resolver } from "./typescript-resolve.js";
import { chainOf, expressionAt, short } from "./typescript-syntax.js";
import { isOpenAITyped } from "./typescript-types.js";
import { type Found, placeOf } from "./typescript-values.js";

type CallLike = ts.CallExpression | ts.NewExpression;

/** A recogniser: a request made by this call, or undefined where the call is none of its kind. */
type Recogniser = (node: CallLike, at: Found, resolver: Resolver) => Request | undefined;

const recognisers: readonly Recogniser[] = [sdkRequest, aiSdkRequest, constructorRequest, factoryRequest, httpRequest];

/** The request a call or `new` makes. */
export function requestOf(node: CallLike, at: Found, resolver: Resolver): Request | undefined {
  for (const recognise of recognisers) {
    const request = recognise(node, at, resolver);
    if (request) return request;
  }
  return undefined;
}

const modelNames = ["model", "modelName", "modelId"];

function build(
  client: ClientKind,
  node: CallLike,
  at: Found,
  host: HostVerdict,
  object: ReadObject,
  baseUrl?: Value,
): Request {
  const modelProperty = object.parameters.find(({ name }) => modelNames.includes(name));
  return {
    client,
    host: hostByModel(host, modelProperty),
    place: placeOf(node, at.module),
    callee: short(node.expression),
    endpoint: chainOf(node.expression).names.join("."),
    ...(baseUrl ? { baseUrl } : {}),
    model: modelProperty && settledModel(modelProperty),
    modelProperty,
    parameters: object.parameters,
    spreads: object.spreads,
    object: object.shape,
  };
}

const sdkMethods = /^(?:create|stream|parse|runTools)$/;
const sdkCalls =
  /^((beta\.)?chat\.completions|completions|responses|messages|beta\.messages)\.(create|stream|parse|runTools)$/;

/** `client.chat.completions.create({...})` of openai-node and clients made like it, `client.messages.create({...})`. */
function sdkRequest(node: CallLike, at: Found, resolver: Resolver): Request | undefined {
  const [argument] = node.arguments ?? [];
  if (!ts.isCallExpression(node) || !argument) return undefined;
  const { root, names } = chainOf(node.expression);
  if (!sdkMethods.test(names.at(-1) ?? "")) return undefined;
  let depth = 0;
  while (depth < names.length && !sdkCalls.test(names.slice(depth).join("."))) depth += 1;
  if (depth === names.length) return undefined;
  // stream(), parse() and runTools() infer their parameter's type, so that it takes any property
  const object = readObject(argument, at, resolver, names.at(-1) === "create" ? "argument" : "untyped");
  if (!object) return undefined;
  const isAnthropic = names.includes("messages");
  const client = memberOfRoot(node.expression, names.length - depth) ?? root;
  const makers = makersOf(client, at, resolver, ts.isNewExpression);
  const host =
    commonHost(makers, (maker) => ofMaker("host", maker, resolver, () => hostOfClass(maker, resolver))) ??
    hostOfFile(at.module);
  const isTyped = makers.every((maker) => {
    const made = maker.node as ts.NewExpression;
    return isOpenAITyped(made, externalOf(made.expression, maker, resolver)?.specifier, client);
  });
  const body = at.module.isTypeScript && !isTyped ? doubted(object) : object;
  const only = makers.length === 1 ? makers[0] : undefined;
  const url = only && ofMaker("url", only, resolver, () => urlOfMaker(only, urlNames, resolver));
  return build(isAnthropic ? "anthropic" : "openai-node", node, at, host, body, url);
}

/** What is asked of the one place where a client is made, for all its requests. */
function ofMaker<Answer>(question: string, maker: Found, resolver: Resolver, answer: () => Answer): Answer {
  return maker.arguments ? answer() : resolver.once(question, maker.node, answer);
}

/** An object into which only a person should put something. */
function doubted(object: ReadObject): ReadObject {
  return object.shape ? { ...object, shape: { ...object.shape, directives: true } } : object;
}

function memberOfRoot(callee: ts.Expression, levels: number): ts.Expression | undefined {
  let node: ts.Expression = callee;
  for (let level = 0; level < levels; level += 1) {
    while (ts.isNonNullExpression(node) || ts.isParenthesizedExpression(node)) node = node.expression;
    if (!ts.isPropertyAccessExpression(node)) return undefined;
    node = node.expression;
  }
  return node;
}

const urlNames = ["baseURL", "basePath", "baseUrl", "endpoint"];

/** The host of `new OpenAI({...})` and its relatives. */
function hostOfClass(maker: Found, resolver: Resolver): HostVerdict {
  const made = maker.node as ts.NewExpression;
  const name = short(made.expression);
  const from = externalOf(made.expression, maker, resolver);
  const byPackage = from && hostOfPackage(from.specifier);
  const fallback: HostVerdict = /azure/i.test(name)
    ? { host: "azure", certainty: "certain", evidence: `new ${name}()` }
    : byPackage
      ? { host: byPackage, certainty: "certain", evidence: `new ${name}() of ${from.specifier}` }
      : { ...unknownHost, evidence: `new ${name}() without a base URL that is known here` };
  const verdict = hostOfOptions(made.arguments?.[0], maker, resolver, urlNames, fallback);
  // a class of the project's own may do anything with its options
  const own = resolver.followFrom(made.expression, maker).some(({ node }) => ts.isClassLike(node));
  return own && verdict.certainty === "certain" ? { ...verdict, certainty: "possible" } : verdict;
}

const aiSdkCalls = /^(experimental_)?(generateText|streamText|generateObject|streamObject|streamUI)$/;

/** `generateText({ model: deepseek("deepseek-chat"), ... })` of the AI SDK. */
function aiSdkRequest(node: CallLike, at: Found, resolver: Resolver): Request | undefined {
  const [argument] = node.arguments ?? [];
  const name = chainOf(node.expression).names.at(-1) ?? node.expression.getText();
  if (!argument || !(ts.isCallExpression(node) ? aiSdkCalls.test(name) : isAgent(node, name, at, resolver)))
    return undefined;
  const object = readObject(argument, at, resolver, "argument");
  const property = object?.parameters.find(({ name }) => name === "model");
  if (!object || !property) return undefined;
  const expression = expressionAt(node.getSourceFile(), property.valuePlace.start, property.valuePlace.end);
  const isModel = (one: CallLike) => ts.isCallExpression(one) && !/wrapLanguageModel$/.test(one.expression.getText());
  const makers = (expression ? makersOf(expression, at, resolver, isModel) : []).flatMap((maker) => {
    const provider = providerCall(maker.node as ts.CallExpression, maker, resolver);
    const [id] = (maker.node as ts.CallExpression).arguments;
    return provider && id ? [{ maker, provider, value: resolver.value(id, maker) }] : [];
  });
  const [first] = makers;
  if (!first) return undefined;
  const host = commonHost(
    makers.map(({ maker }) => maker),
    (maker) => makers.find((one) => one.maker === maker)!.provider.host,
  )!;
  const sure = makers.length === 1 && first.maker.sure;
  const value: Value = {
    certainty: sure ? first.value.certainty : "possible",
    open: makers.some((one) => one.value.open),
    candidates: makers.flatMap(({ maker, value: { candidates } }) =>
      candidates.map((one) => ({ ...one, path: [...maker.path, ...one.path] })),
    ),
    environment: makers.flatMap((one) => one.value.environment),
  };
  const parameters = object.parameters.map((one) => (one === property ? { ...one, value } : one));
  return {
    ...build("ai-sdk", node, at, host, { ...object, parameters }),
    package: first.provider.specifier,
    ...(first.provider.name && makers.length === 1 ? { providerName: first.provider.name } : {}),
  };
}

const langChainNames = /^(AzureChat|Chat|Azure)?(OpenAI|DeepSeek)$/;
const llamaIndexNames = /^(DeepSeekLLM|deepseek|OpenAI|openai)$/;

/** Is an expression a literal, list or function, that leads to no object wherever it stands? */
function isNoObject(node: ts.Expression): boolean {
  return (
    ts.isLiteralExpression(node) ||
    ts.isTemplateExpression(node) ||
    ts.isArrayLiteralExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isFunctionExpression(node)
  );
}

/** Clients that take the model and its parameters when they are made: LangChain, LlamaIndex. */
function constructorRequest(node: CallLike, at: Found, resolver: Resolver): Request | undefined {
  const [argument] = node.arguments ?? [];
  if (!argument || isNoObject(argument)) return undefined;
  // of `a.b.c()` only the name counts, and most are ruled out by it without following anything
  if (ts.isPropertyAccessExpression(node.expression)) {
    const { text } = node.expression.name;
    if (!langChainNames.test(text) && !llamaIndexNames.test(text)) return undefined;
  }
  const from = externalOf(node.expression, at, resolver);
  if (!from) return undefined;
  const isLangChain = ts.isNewExpression(node) && /^(@langchain\/|langchain\/)/.test(from.specifier);
  const isLlamaIndex = /^(@llamaindex\/|llamaindex)/.test(from.specifier) && llamaIndexNames.test(from.name);
  if (!(isLangChain && langChainNames.test(from.name)) && !isLlamaIndex) return undefined;
  const object = readObject(argument, at, resolver, "argument");
  if (!object) return undefined;
  const byPackage = hostOfPackage(from.specifier);
  const fallback: HostVerdict = byPackage
    ? { host: byPackage, certainty: "certain", evidence: `${from.name} of ${from.specifier}` }
    : { ...unknownHost, evidence: `${from.name} without a base URL that is known here` };
  const { host, url } = hostOfModelOptions(argument, node.arguments?.[1], at, resolver, fallback);
  return build(isLlamaIndex ? "llamaindex" : "langchain", node, at, host, object, url);
}

/** `initChatModel("deepseek:deepseek-chat", {...})` of LangChain. */
function factoryRequest(node: CallLike, at: Found, resolver: Resolver): Request | undefined {
  const made = chatModelOf(node, at, resolver);
  if (!made) return undefined;
  const { options, model } = made;
  const read = options && readObject(options, at, resolver, "untyped");
  const unread = options ? [{ place: placeOf(options, at.module), known: false }] : [];
  const object: ReadObject = read ?? { parameters: [], spreads: unread, shape: undefined };
  if (!options) return { ...build("langchain", node, at, made.host, object), model };
  const { host, url } = hostOfModelOptions(options, undefined, at, resolver, made.host);
  return { ...build("langchain", node, at, host, object, url), model };
}

/** The host of a model object by its options, its own or those for the client inside it, which may come second. */
function hostOfModelOptions(
  options: ts.Expression,
  second: ts.Expression | undefined,
  at: Found,
  resolver: Resolver,
  fallback: HostVerdict,
): { host: HostVerdict; url: Value | undefined } {
  const nested = nestedOptions(options, at, resolver);
  const inner = nested.length > 0 || !second ? nested : resolver.followFrom(second, at);
  const host = inner.length > 0 ? hostOfObjects(inner, resolver, ["baseURL", "basePath"], fallback) : fallback;
  return {
    host: host === fallback ? hostOfOptions(options, at, resolver, ["baseURL", "openAIApiBase"], fallback) : host,
    url:
      urlOfObjects(inner, ["baseURL", "basePath"], resolver) ??
      urlOfObjects(resolver.followFrom(options, at), ["baseURL", "openAIApiBase"], resolver),
  };
}

/** Where `configuration:` (LangChain) or `additionalSessionOptions:` (LlamaIndex) leads. */
function nestedOptions(argument: ts.Expression, at: Found, resolver: Resolver): readonly Found[] {
  const objects = resolver.followFrom(argument, at).filter((one) => ts.isObjectLiteralExpression(one.node));
  return ["configuration", "additionalSessionOptions", "clientConfig"].flatMap((name) =>
    objects.flatMap((object) => resolver.member(object, name)),
  );
}

/** `fetch(url, { body: JSON.stringify({...}) })`, `axios.post(url, {...})`, `ky.post(url, { json: {...} })`. */
function httpRequest(node: CallLike, at: Found, resolver: Resolver): Request | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const [first, second] = node.arguments;
  if (!first) return undefined;
  const { root, names } = chainOf(node.expression);
  const method = names.at(-1);
  const isFetch = /fetch$/i.test(method ?? node.expression.getText()) && second !== undefined;
  const isPost = /^(post|request)$/.test(method ?? "") || /^(axios|got|ky|request)$/.test(node.expression.getText());
  if (!isFetch && !isPost) return undefined;
  // a mock's `post(url, reply)` sends nothing
  if (/mock|nock|msw|stub|fake|intercept/i.test(node.expression.getText())) return undefined;
  const single = isPost && !second;
  const options = single ? first : second;
  const body =
    options &&
    (memberExpression(options, ["body", "json", "data"], at, resolver) ??
      (isPost && !single ? { node: options, from: at } : undefined));
  const payload = body && stringified(body, resolver);
  if (!payload) return undefined;
  const read = readObject(payload.node, payload.from, resolver, "untyped");
  // axios.post<Answer, Response, Body>
  const object = read && (payload.isFiltered || (node.typeArguments?.length ?? 0) > 2) ? doubted(read) : read;
  if (!object?.parameters.some(({ name }) => name === "model" || name === "messages")) return undefined;
  const url = single ? memberExpression(first, ["url"], at, resolver) : { node: first, from: at };
  const value = url && resolver.value(url.node, url.from);
  const byUrl = value && hostOfBaseUrl(value, "URL");
  // a path only: the instance knows the rest
  const host =
    byUrl && byUrl.host !== "unknown" ? byUrl : (hostOfInstance(root, at, resolver) ?? hostOfFile(at.module));
  const sender: HostVerdict =
    isFetch || host.certainty !== "certain" || isHttpClient(root, at, resolver)
      ? host
      : { ...host, certainty: "possible", evidence: `${host.evidence}, if ${short(node.expression)} sends it` };
  return build(isFetch ? "fetch" : "axios", node, at, sender, object, value);
}
