import type { ClientKind, Parameter, Primitive, Request, Value } from "../facts.js";
import { splitId } from "../models.js";
import type { Endpoint } from "./schemas.js";

/** A part of a request body; `hole`: it is sent, but what it holds is not known; `isAll`: it has no other value than these. */
export type Node =
  | { readonly kind: "value"; readonly values: readonly Primitive[]; readonly isAll: boolean }
  | { readonly kind: "object"; readonly fields: Readonly<Record<string, Field>> }
  | { readonly kind: "array"; readonly items: readonly Node[] }
  | { readonly kind: "hole" };

export interface Field {
  readonly node: Node;
  /** False where it is sent under a condition only. */
  readonly sure: boolean;
}

/** The body a call site would send, as far as its facts tell. */
export interface Body {
  readonly endpoint: Endpoint;
  readonly fields: Readonly<Record<string, Field>>;
  /** Fields may be missing here: something that is not known is spread into the request. */
  readonly open: boolean;
  /** Does the base URL end in /beta? undefined where it is not known. */
  readonly beta: boolean | undefined;
}

const hole: Node = { kind: "hole" };

/** How clients name what the API reads; `null`: it is the client's own and not sent. */
const renames: Readonly<Record<string, string | null>> = {
  // camel case, of the AI SDK and LangChain
  modelName: "model",
  model_name: "model",
  modelId: "model",
  maxTokens: "max_tokens",
  maxOutputTokens: "max_tokens",
  topP: "top_p",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  stopSequences: "stop",
  topLogprobs: "top_logprobs",
  toolChoice: "tool_choice",
  reasoningEffort: "reasoning_effort",
  responseFormat: "response_format",
  streaming: "stream",
  // what makes the messages
  prompt: "messages",
  system: "messages",
};

/** Options of the clients that never reach the body. */
const ownOptions =
  /^(api_?key|api_?base|base_?url|configuration|client_?options|timeout|max_?retries|num_retries|callbacks?|verbose|cache|tags|metadata|headers|extra_headers|extra_query|http_?client|organization|custom_llm_provider|abort_?signal|experimental_\w+|on[A-Z]\w*|maxSteps|stopWhen|schema|schemaName|schemaDescription|output|mode|openai_api_key|openai_api_base|additional_kwargs|model_kwargs|extra_body|modelKwargs|additionalChatOptions|providerOptions|model_settings)$/i;

/** Objects whose properties a client puts into the body: the path to each. */
const merged: Readonly<Partial<Record<ClientKind, readonly (readonly string[])[]>>> = {
  "openai-python": [["extra_body"]],
  "anthropic-python": [["extra_body"]],
  "ai-sdk": [["providerOptions", "deepseek"]],
  langchain: [["modelKwargs"]],
  "langchain-python": [["model_kwargs"], ["extra_body"]],
  llamaindex: [["additionalChatOptions"]],
  "llamaindex-python": [["additional_kwargs"], ["additional_kwargs", "extra_body"]],
  litellm: [["extra_body"]],
  "pydantic-ai": [["model_settings"], ["model_settings", "extra_body"]],
};

/** Clients that pass parameters on under the names they are given. */
const verbatim: ReadonlySet<ClientKind> = new Set(["openai-node", "fetch", "axios", "http", "anthropic"]);

/** Rebuilds the body that a call site would send to the official API. Pure; what is not known is a hole. */
export function bodyOf(request: Request): Body {
  const fields: Record<string, Field> = {};
  let open = request.spreads.some(({ known }) => !known);
  const put = (parameters: readonly Parameter[], sure: boolean, isInner: boolean) => {
    for (const parameter of parameters) {
      const name = sentName(request.client, parameter.name, isInner);
      if (name === undefined) continue;
      const isPrompt = name === "messages" && parameter.name !== "messages";
      const earlier = fields[name];
      const node = isPrompt || (earlier && name === "messages") ? hole : nodeOf(parameter);
      fields[name] = { node, sure: (sure && parameter.sure) || earlier?.sure === true };
    }
  };
  put(request.parameters, true, false);
  for (const path of merged[request.client] ?? []) {
    const found = at(request.parameters, path);
    if (!found) continue;
    if (found.parameters) put(found.parameters, found.sure, true);
    else open = true;
  }
  if (request.model) {
    const values = request.model.candidates.filter(({ partial }) => !partial).map(({ value }) => bareId(value));
    const isAll = isComplete(request.model, values.length) && request.modelProperty?.sure !== false;
    fields["model"] = {
      node: values.length > 0 ? { kind: "value", values: [...new Set(values)], isAll } : hole,
      sure: true,
    };
  }
  if (request.client === "ai-sdk") addAiSdk(request, fields);
  const format = fields["response_format"];
  // what parse() of the openai clients takes is made of a schema
  if (/\.parse$/.test(request.endpoint) && format?.node.kind === "hole") {
    fields["response_format"] = { ...format, node: objectOf("json_schema") };
  }
  if (request.client.startsWith("langchain")) fields["messages"] ??= { node: hole, sure: true };
  return { endpoint: endpointOf(request), fields, open, beta: betaOf(request) };
}

/** The name of the API without what litellm and others put before it. */
function bareId(value: Primitive): Primitive {
  return typeof value === "string" ? splitId(value).name : value;
}

function sentName(client: ClientKind, name: string, isInner: boolean): string | undefined {
  if (verbatim.has(client)) return name;
  // LangChain and the AI SDK have a prompt; openai-python's completions has one that is sent
  const rename = Object.hasOwn(renames, name) ? renames[name] : undefined;
  if (rename && !(client === "openai-python" || client === "anthropic-python" || isInner)) return rename;
  if (isInner && name === "reasoningEffort") return "reasoning_effort";
  return ownOptions.test(name) ? undefined : name;
}

const objectOf = (type: string): Node => ({
  kind: "object",
  fields: { type: { node: { kind: "value", values: [type], isAll: true }, sure: true } },
});

/** What the calls of the AI SDK add of their own. */
function addAiSdk(request: Request, fields: Record<string, Field>): void {
  const value = (only: Primitive): Node => ({ kind: "value", values: [only], isAll: true });
  if (/stream/i.test(request.callee)) fields["stream"] = { node: value(true), sure: true };
  if (/Object$/.test(request.callee) && request.package === "@ai-sdk/deepseek") {
    fields["response_format"] = { node: objectOf("json_object"), sure: true };
  }
  if (fields["tools"]) fields["tools"] = { ...fields["tools"], node: hole };
}

function nodeOf(parameter: Parameter): Node {
  if (parameter.elements) return { kind: "array", items: parameter.elements.map(nodeOf) };
  if (parameter.parameters) {
    const fields: Record<string, Field> = {};
    for (const one of parameter.parameters) fields[one.name] = { node: nodeOf(one), sure: one.sure };
    return { kind: "object", fields };
  }
  const { candidates } = parameter.value;
  const values = candidates.filter(({ partial }) => !partial).map(({ value }) => value);
  return values.length > 0 && values.length === candidates.length
    ? { kind: "value", values, isAll: isComplete(parameter.value, values.length) }
    : hole;
}

/** Are the known values all there can be? One of several that are written out is; a lone one that may be another is not. */
function isComplete({ certainty, open, environment }: Value, count: number): boolean {
  return certainty === "certain" ? !open : certainty === "possible" && !open && environment.length === 0 && count > 1;
}

function at(parameters: readonly Parameter[] | undefined, [name, ...rest]: readonly string[]): Parameter | undefined {
  const found = parameters?.find((parameter) => parameter.name === name);
  return rest.length === 0 ? found : at(found?.parameters, rest);
}

function endpointOf(request: Request): Endpoint {
  if (request.client.startsWith("anthropic")) return "anthropic";
  const url = urlOf(request) ?? "";
  if (/(^|\.)responses\./.test(request.endpoint) || /\/responses\b/.test(url)) return "responses";
  if (/\/anthropic\b/.test(url)) return "anthropic";
  const isChat = /chat\.completions\./.test(request.endpoint) || /chat\/completions/.test(url);
  const isFim = /(^|\.)completions\.create$/.test(request.endpoint) || /\/completions\b/.test(url);
  return !isChat && isFim ? "fim" : "chat";
}

/** Is a request meant for DeepSeek: its host is certainly the official API, or its model may be one of DeepSeek's? */
export function concernsDeepSeek({ host, model }: Request): boolean {
  const names = model?.candidates ?? [];
  if (names.some(({ value }) => /deepseek/i.test(String(value)))) return true;
  return host.host === "official" && (host.certainty === "certain" || names.length === 0);
}

/**
 * The base URL of a request, or the URL it is sent to, where there is one only. Readers that give no base URL name it
 * in the evidence for the host.
 */
export function urlOf(request: Request): string | undefined {
  const urls = (request.baseUrl?.candidates ?? []).map(({ value }) => String(value));
  if (urls.length > 0) return urls.length === 1 ? urls[0] : undefined;
  return /"(https?:\/\/[^"]+)"/.exec(request.host.evidence)?.[1];
}

function betaOf(request: Request): boolean | undefined {
  const url = urlOf(request);
  return url === undefined || url.includes("…") ? undefined : /\/beta(\/|$)/.test(url);
}

/** The body as JSON would show it: `…` for what is not known, the first of several values. */
export function printBody(body: Body): Readonly<Record<string, unknown>> {
  return printFields(body.fields);
}

/** Fields whose strings are shown. Prompts are nobody's business, and what may be a key must not get into a report. */
const shown = /^(model|role|type|name|tool_choice|reasoning_effort|effort)$/;

function printFields(fields: Readonly<Record<string, Field>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).map(([name, { node }]) => [name, printNode(node, name)]));
}

function printNode(node: Node, name: string): unknown {
  if (node.kind === "value") {
    const values = node.values.map((value) => {
      if (typeof value !== "string") return value;
      return shown.test(name) && value.length <= 80 ? value : "…";
    });
    return values.length === 1 ? values[0] : [...new Set(values)].join(" | ");
  }
  if (node.kind === "object") return printFields(node.fields);
  return node.kind === "array" ? node.items.map((item) => printNode(item, name)) : "…";
}

/** Paths of the parts that are not known: `messages`, `tools[0].function`. */
export function holesOf(body: Body): readonly string[] {
  return Object.entries(body.fields).flatMap(([name, { node }]) => holesIn(node, name));
}

function holesIn(node: Node, path: string): readonly string[] {
  if (node.kind === "hole") return [path];
  if (node.kind === "array") return node.items.flatMap((item, index) => holesIn(item, `${path}[${index}]`));
  if (node.kind === "object") {
    return Object.entries(node.fields).flatMap(([name, field]) => holesIn(field.node, `${path}.${name}`));
  }
  return [];
}
