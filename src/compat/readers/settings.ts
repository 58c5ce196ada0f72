import type { HostVerdict, Primitive } from "../facts.js";
import { isDeepSeekId, splitId } from "../models.js";
import { isSecret, withoutSecrets } from "../secrets.js";
import { isCommandLine, isScriptKey, readCommandsOf } from "./config-commands.js";
import { addMention, addVariable, type Draft, isTelling } from "./config-facts.js";
import { hostAround, hostOfId, hostOfTree, type Level } from "./config-hosts.js";
import { namesNoModel } from "./config-names.js";
import { ownerOf } from "./config-owners.js";
import {
  type ConfigNode,
  type Entry,
  entryOf,
  isRecords,
  type Mapping,
  maximumDepth,
  maximumNodes,
  type Scalar,
  type Sequence,
  stringOf,
} from "./config-tree.js";
import { isBody, requestOf } from "./http-requests.js";

/** Trees with more leaves are tables of many models: only what is DeepSeek's counts, and nothing in them is certain. */
const largeTree = 5000;

/** One file while its tree is gone through. */
interface Walk {
  readonly draft: Draft;
  readonly fileHost: HostVerdict;
  /** Aider gives every model of DeepSeek's own API the prefix `deepseek/`. */
  readonly isAider: boolean;
  readonly isLarge: boolean;
  nodes: number;
}

/** Turns the trees of a configuration file into facts. */
export function readTree(draft: Draft, roots: readonly ConfigNode[]): void {
  const isLarge = countLeaves(roots, largeTree + 1) > largeTree;
  const isAider = /(^|[/.])aider|aider\//i.test(draft.file);
  const walk: Walk = { draft, fileHost: hostOfTree(roots), isAider, isLarge, nodes: 0 };
  for (const root of roots) {
    visit(walk, root, [], []);
    addSymbols(draft, root);
  }
}

function countLeaves(nodes: readonly ConfigNode[], limit: number): number {
  let count = 0;
  const stack = [...nodes];
  const seen = new Set<ConfigNode>();
  for (let node = stack.pop(); node && count < limit; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.kind === "scalar") count += 1;
    else if (node.kind === "sequence") stack.push(...node.items.slice(0, limit));
    else for (const { value } of node.entries) stack.push(value);
  }
  return count;
}

function addSymbols(draft: Draft, root: ConfigNode): void {
  if (root.kind !== "mapping") return;
  for (const entry of root.entries.slice(0, 1000)) {
    draft.symbols.push({ name: entry.key, kind: "key", ...entry.span });
    if (entry.value.kind !== "mapping") continue;
    for (const inner of entry.value.entries.slice(0, 1000)) {
      draft.symbols.push({ name: `${entry.key}.${inner.key}`, kind: "key", ...inner.span });
    }
  }
}

function visit(walk: Walk, node: ConfigNode, path: readonly string[], levels: readonly Level[]): void {
  walk.nodes += 1;
  if (walk.nodes > maximumNodes || path.length > maximumDepth) return;
  if (node.kind === "mapping") visitMapping(walk, node, path, levels);
  else if (node.kind === "sequence") visitSequence(walk, node, path, levels);
}

function visitMapping(walk: Walk, node: Mapping, path: readonly string[], outer: readonly Level[]): void {
  const { draft } = walk;
  const levels = [...outer, { mapping: node, key: path.at(-1) ?? "" }];
  const body = isBody(node);
  if (body) {
    const model = stringOf(entryOf(node, "model")) ?? "";
    draft.requests.push(
      requestOf({
        host: hostFor(walk, model, levels, "model"),
        place: draft.place(node.span),
        callee: path.join(".") || "request body",
        endpoint: "",
        body: node,
        editable: true,
        at: (span) => draft.place(span),
      }),
    );
  }
  readCommandsOf(draft, node, path, levels);
  const isVariables = holdsVariables(node, path, outer);
  for (const entry of node.entries) {
    const own = [...path, entry.key];
    if (isDeepSeekId(entry.key) && !namesNoModel(own, node)) {
      const host = hostFor(walk, entry.key, [...levels, ...levelOf(entry)], "");
      addMention(draft, entry.key, "table key", entry.keyOuter, path.at(-1) ?? "", host);
    }
    if (entry.value.kind !== "scalar") {
      const value = entryOf(entry.value, "value");
      // `NAME: { value: ..., description: ... }` of GitLab
      if (isVariables && value?.kind === "scalar" && isVariableName(entry.key))
        leaf(walk, entry, value, own, levels, true);
      else visit(walk, entry.value, own, levels);
      continue;
    }
    leaf(
      walk,
      entry,
      entry.value,
      own,
      levels,
      isVariables && isVariableName(entry.key),
      body && entry.key === "model",
    );
  }
}

const levelOf = ({ key, value }: Entry): readonly Level[] =>
  value.kind === "mapping" ? [{ mapping: value, key }] : [];

const variableKeys =
  /^(env|environment|envs|variables|vars|extra_?envs?|env_?vars?|environment_?variables?|args|build_?args|containerEnv|remoteEnv)$/i;

const isVariableName = (name: string): boolean => /^[A-Z][A-Z0-9_]*$/.test(name);

/** Do the entries of a mapping set environment variables? */
function holdsVariables(node: Mapping, path: readonly string[], outer: readonly Level[]): boolean {
  const key = path.at(-1) ?? "";
  if (variableKeys.test(key)) return true;
  if (/^(data|stringData)$/.test(key)) {
    return /^(ConfigMap|Secret)$/.test(stringOf(entryOf(outer.at(-1)?.mapping, "kind")) ?? "");
  }
  // a file of nothing but variables
  return (
    path.length === 0 &&
    node.entries.length > 0 &&
    node.entries.every((entry) => isVariableName(entry.key) && entry.value.kind === "scalar" && entry.key.includes("_"))
  );
}

function visitSequence(walk: Walk, node: Sequence, path: readonly string[], levels: readonly Level[]): void {
  if (isRecords(node)) return;
  const key = path.at(-1) ?? "";
  node.items.forEach((item, index) => {
    const own = [...path, String(index)];
    if (item.kind === "scalar") {
      itemLeaf(walk, item, key, own, levels);
      return;
    }
    const name = entryOf(item, "name");
    const value = entryOf(item, "value");
    const named = variableKeys.test(key) && item.kind === "mapping" && stringOf(name) !== undefined;
    if (named && value?.kind === "scalar" && name?.kind === "scalar" && isVariableName(String(name.value))) {
      const entry = { key: String(name.value), keySpan: name.inner, keyOuter: name.span, value, span: item.span };
      leaf(walk, entry, value, [...path, entry.key], levels, true);
    } else visit(walk, item, own, levels);
  });
}

/** A text in a list: `- NAME=value` of a compose file, or one of several ids. */
function itemLeaf(walk: Walk, item: Scalar, key: string, path: readonly string[], levels: readonly Level[]): void {
  const { draft } = walk;
  if (typeof item.value !== "string") return;
  // words of a command line are read with it
  if (/^(command|entrypoint|args)$/.test(key) && isCommandLine(levels.at(-1)?.mapping)) return;
  const pair = variableKeys.test(key) ? /^([A-Za-z_]\w*)=(.*)$/s.exec(item.value) : null;
  if (pair && draft.text.startsWith(pair[0], item.inner.start)) {
    const start = item.inner.start;
    const equals = start + pair[1]!.length;
    const value = { start: equals + 1, end: item.inner.end };
    addVariable(draft, pair[1]!, pair[2]!, { value, name: { start, end: equals } }, [...path.slice(0, -1), pair[1]!]);
    const id = idIn(pair[2]!);
    if (id) addMention(draft, id, "setting", value, pair[1]!, hostFor(walk, id, levels, pair[1]!));
    return;
  }
  if (isDeepSeekId(item.value) && !namesNoModel([key], undefined)) {
    addMention(draft, item.value, "list", item.span, key, hostFor(walk, item.value, levels, key));
  }
  addLiteral(draft, item, key);
}

/** The id of a value, that of a default included: `${MODEL:-deepseek-chat}`. */
function idIn(value: string): string | undefined {
  return isDeepSeekId(value) ? value : undefined;
}

function leaf(
  walk: Walk,
  entry: Entry,
  node: Scalar,
  path: readonly string[],
  levels: readonly Level[],
  isEnvironment: boolean,
  isRequestModel = false,
): void {
  const { draft } = walk;
  const { key } = entry;
  const { value } = node;
  if (value === null) return;
  addSetting(draft, entry, node, value, path, isEnvironment);
  if (typeof value === "string") {
    const fallback = /^\$\{\w+:?-([\w./:-]+)\}$/.exec(value)?.[1];
    // the names that a litellm proxy gives its models are its own: no API is asked for them
    const isOwnName = key === "model_name" && entryOf(levels.at(-1)?.mapping, "litellm_params") !== undefined;
    const isOther = isOwnName || namesNoModel(path, levels.at(-1)?.mapping);
    if (isDeepSeekId(value) && !isRequestModel && !isOther) {
      const isRow = isRowName(key, path, levels.at(-1)?.mapping);
      const host = hostFor(walk, value, levels, isEnvironment ? key : "");
      addMention(draft, value, isRow ? "table key" : "setting", node.span, key, host);
    } else if (fallback && isDeepSeekId(fallback) && draft.text.startsWith(value, node.inner.start)) {
      const start = node.inner.start + value.lastIndexOf(fallback);
      const host = hostFor(walk, fallback, levels, key);
      addMention(draft, fallback, "default", { start, end: start + fallback.length }, key, host);
    }
    addLiteral(draft, node, key);
    return;
  }
  if (isEnvironment) return;
  const owner = ownerOf(levels);
  if (walk.isLarge && owner === undefined) return;
  const host = owner === undefined ? settled(walk, hostAround(levels, "")) : hostFor(walk, owner, levels, "");
  const name = owner !== undefined && host.host === "official" ? splitId(owner).name : owner;
  const common = { name: key, place: draft.place(node.span), owner: name, host };
  if (typeof value === "boolean") draft.flags.push({ ...common, value });
  else {
    const text = draft.text.slice(node.span.start, node.span.end);
    draft.numbers.push({ ...common, value, text, form: "property" });
  }
}

function addSetting(
  draft: Draft,
  { key, keySpan }: Entry,
  node: Scalar,
  value: Primitive,
  path: readonly string[],
  isEnvironment: boolean,
): void {
  if (isEnvironment) {
    addVariable(draft, key, String(value), { value: node.inner, name: keySpan }, path);
    return;
  }
  const secret = typeof value === "string" && isSecret(key, value);
  draft.settings.push({
    name: key,
    path,
    value: secret ? "" : typeof value === "string" ? withoutSecrets(value) : value,
    place: draft.place(node.inner),
    namePlace: draft.place(keySpan),
    isEnvironment: false,
    isSecret: secret,
  });
}

function addLiteral(draft: Draft, node: Scalar, name: string): void {
  if (typeof node.value !== "string" || !isTelling(node.value) || isSecret(name, node.value)) return;
  // of a script its commands tell
  if (isScriptKey(name)) return;
  draft.literals.push({ value: withoutSecrets(node.value), kind: "string", place: draft.place(node.span), name });
}

function hostFor(walk: Walk, id: string, levels: readonly Level[], name: string): HostVerdict {
  return settled(walk, hostOfId(id, levels, name, walk.fileHost, walk.isAider));
}

/** In a table of many models nothing is certain. */
function settled({ isLarge }: Walk, host: HostVerdict): HostVerdict {
  return isLarge && host.certainty === "certain" ? { ...host, certainty: "possible" } : host;
}

/** Is it the name of a row in a list of models, and not a choice of one? */
function isRowName(key: string, path: readonly string[], row: Mapping | undefined): boolean {
  if (!/^\d+$/.test(path.at(-2) ?? "") || row === undefined) return false;
  if (/^(name|slug|value|key|title|label)$/.test(key)) return true;
  const isCounted = row.entries.some(({ value }) => value.kind === "scalar" && typeof value.value === "number");
  return /^(id|model_?id)$/i.test(key) && isCounted;
}
