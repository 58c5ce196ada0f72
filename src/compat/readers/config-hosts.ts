import type { Certainty, HostName, HostVerdict } from "../facts.js";
import { hostOfEnvironment, hostOfModel, hostOfProvider, hostOfUrl, unknownHost } from "../host.js";
import { withoutSecrets } from "../secrets.js";
import type { ConfigNode, Entry, Mapping } from "./config-tree.js";

/** Something in a configuration that says who is asked. */
interface Hint {
  readonly host: HostName;
  readonly evidence: string;
  readonly strong: boolean;
  readonly name: string;
}

/** A mapping on the way from the top of a file to a value, and the key under which it stands. */
export interface Level {
  readonly mapping: Mapping;
  readonly key: string;
}

const urlName = /^(.*[_.-])?(api_?base(_?url)?|base_?(url|path)|api_?url|url|endpoint(_?url)?|api_?endpoint|server)$/i;
const providerName = /^(.*_)?(provider|provider_?(name|id|type)|custom_llm_provider|vendor|model_?provider)$/i;
const variableIn = /(?:os\.environ\/|\$\{?\{?\s*(?:secrets\.|env\.|vars\.|env:)?|^env[.:])([A-Z][A-Z0-9_]+)/;

const hints = new WeakMap<Mapping, readonly Hint[]>();

/** What the entries of one mapping say, without those below. */
function hintsOf(mapping: Mapping): readonly Hint[] {
  const known = hints.get(mapping);
  if (known) return known;
  const found = mapping.entries.flatMap(hintsOfEntry);
  hints.set(mapping, found);
  return found;
}

function hintsOfEntry({ key, value }: Entry): readonly Hint[] {
  if (value.kind === "sequence") {
    // `- DEEPSEEK_API_KEY=...` of a compose file
    return value.items.flatMap((item) => {
      const text = item.kind === "scalar" ? /^([A-Z][A-Z0-9_]*)=(.*)$/s.exec(String(item.value)) : null;
      return text ? hintsOfPair(text[1]!, text[2]!) : [];
    });
  }
  return value.kind === "scalar" && typeof value.value === "string" ? hintsOfPair(key, value.value) : [];
}

/** What a name and its value say. */
export function hintsOfPair(key: string, value: string): readonly Hint[] {
  if (value.includes("://") && urlName.test(key.replace(/([a-z])([A-Z])/g, "$1_$2"))) {
    const host = hostOfUrl(value);
    return host === "unknown" ? [] : [{ host, evidence: `${key} "${withoutSecrets(value)}"`, strong: true, name: key }];
  }
  const provider = providerName.test(key.replace(/([a-z])([A-Z])/g, "$1_$2")) ? hostOfProvider(value) : undefined;
  if (provider) return [{ host: provider, evidence: `${key} "${value}"`, strong: true, name: key }];
  const variable = /^[A-Z][A-Z0-9_]*$/.test(key) ? key : (variableIn.exec(value)?.[1] ?? "");
  const host = hostOfEnvironment(variable) ?? hostOfEnvironment(/^[A-Z][A-Z0-9_]+$/.test(value) ? value : "");
  return host
    ? [{ host, evidence: `the environment variable ${variable || value}`, strong: false, name: variable }]
    : [];
}

function verdictOf(found: readonly Hint[], near: boolean): HostVerdict | undefined {
  const strong = found.filter((hint) => hint.strong);
  const counted = strong.length > 0 ? strong : found;
  const hosts = [...new Set(counted.map(({ host }) => host))];
  const [first] = counted;
  if (!first) return undefined;
  if (hosts.length > 1) return { ...unknownHost, evidence: `several hosts are named (${hosts.join(", ")})` };
  const certainty: Certainty = first.strong && near ? "certain" : "possible";
  return { host: first.host, certainty, evidence: first.evidence };
}

/** More entries than a section has: rows, of which none speaks for the others. */
export function isTable({ entries }: Mapping): boolean {
  return entries.length > 50;
}

/** The host that the surroundings of a value speak of, from the nearest mapping outwards. */
export function hostAround(levels: readonly Level[], name: string): HostVerdict {
  for (let index = levels.length - 1; index >= 0; index -= 1) {
    const { mapping, key } = levels[index]!;
    const distance = levels.length - 1 - index;
    const own = hintsOf(mapping);
    const prefix = /^([A-Z][A-Z0-9]*)_/.exec(name)?.[1];
    const kin = prefix ? own.filter((hint) => hint.name.startsWith(`${prefix}_`)) : [];
    const inner = levels[index + 1]?.mapping;
    const below = isTable(mapping)
      ? []
      : mapping.entries.flatMap(({ value }) => (value.kind === "mapping" && value !== inner ? hintsOf(value) : []));
    const isEnvironment = prefix !== undefined || /^[A-Z]+$/.test(name);
    const verdict =
      verdictOf(kin, false) ??
      verdictOf(own, distance <= 1 && !isEnvironment) ??
      verdictOf(below, distance === 0 && !isEnvironment);
    if (verdict) return verdict;
    const section = hostOfProvider(key);
    if (section) return { host: section, certainty: "possible", evidence: `the section ${key}` };
  }
  return unknownHost;
}

/** The host of a model id in a configuration: what the id itself says, then its surroundings. */
export function hostOfId(
  id: string,
  levels: readonly Level[],
  name: string,
  fileVerdict: HostVerdict,
  isAider = false,
): HostVerdict {
  const own = hostOfModel(id);
  if (own) return { host: own, certainty: "certain", evidence: `the id "${id}"` };
  const around = hostAround(levels, name);
  const verdict = around.host === "unknown" && around.evidence === unknownHost.evidence ? fileVerdict : around;
  const router = isAider ? "aider" : levels.some(({ key }) => key === "litellm_params") ? "litellm" : undefined;
  if (router && /^deepseek\/deepseek-/.test(id) && (verdict.host === "unknown" || verdict.host === "official")) {
    return { host: "official", certainty: "certain", evidence: `${router}'s prefix in "${id}"` };
  }
  return verdict;
}

/** What a whole tree speaks of; never more than `possible`. */
export function hostOfTree(roots: readonly ConfigNode[]): HostVerdict {
  const found: Hint[] = [];
  // an anchor is looked at once, however often it is used
  const seen = new Set<ConfigNode>();
  const visit = (node: ConfigNode, depth: number): void => {
    if (depth > 60 || found.length > 200 || seen.has(node)) return;
    seen.add(node);
    if (node.kind === "mapping") {
      found.push(...hintsOf(node).filter(({ host }) => host !== "other" && host !== "self-hosted"));
      for (const { value } of node.entries) visit(value, depth + 1);
    } else if (node.kind === "sequence") for (const item of node.items) visit(item, depth + 1);
  };
  for (const root of roots) visit(root, 0);
  const verdict = verdictOf(found, false);
  return verdict && verdict.host !== "unknown"
    ? { ...verdict, evidence: `${verdict.evidence} in the same file` }
    : (verdict ?? unknownHost);
}
