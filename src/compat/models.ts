import type { HostName } from "./facts.js";

/** Names of the official API that are refused since 2026-07-24 15:59 UTC. */
export type RetiredAlias = "deepseek-chat" | "deepseek-reasoner" | "deepseek-coder";

/**
 * Is it one of the retired names? Other hosts' ids (`deepseek-r1-distill-...`) are not, nor is a name with a prefix:
 * what `deepseek/deepseek-chat` means depends on the host (`ownName`).
 */
export function isRetiredAlias(id: unknown): id is RetiredAlias {
  return id === "deepseek-chat" || id === "deepseek-reasoner" || id === "deepseek-coder";
}

/** Is it a name of today's official API, where thinking is on unless it is switched off? */
export function isCurrentId(id: unknown): boolean {
  return typeof id === "string" && /^deepseek-(flash|pro|v4-flash|v4-pro)$/.test(id);
}

/** What keeps the behaviour of a retired name: the new name and the thinking switch. */
export function replacementOf(alias: RetiredAlias): { readonly id: string; readonly thinking: "enabled" | "disabled" } {
  return { id: "deepseek-flash", thinking: alias === "deepseek-reasoner" ? "enabled" : "disabled" };
}

/** From which version `@ai-sdk/deepseek` does what, by major version. */
const sdkVersions = {
  /** Treats `deepseek-flash` as a V4 model (keeps its reasoning between turns). */
  flash: { 1: [0, 57], 2: [0, 64], 3: [0, 44] },
  /** Treats ids with `deepseek-v4` so. */
  v4: { 1: [0, 38], 2: [0, 30], 3: [0, 0] },
} as const;

/** Which of today's ids a version of `@ai-sdk/deepseek` can serve; the lowest version that a range allows counts. */
export function idForSdk(range: string | undefined): { readonly id: string | undefined; readonly known: boolean } {
  const match = /^[\^~>=v\s]*(\d+)\.(\d+)\.(\d+)/.exec(range ?? "");
  if (!match) return { id: "deepseek-flash", known: false };
  const [major, minor, patch] = match.slice(1).map(Number) as [number, number, number];
  const reaches = (row: Readonly<Record<number, readonly [number, number]>>): boolean => {
    const least = row[major];
    if (!least) return major > 3;
    return minor > least[0] || (minor === least[0] && patch >= least[1]);
  };
  if (reaches(sdkVersions.flash)) return { id: "deepseek-flash", known: true };
  return { id: reaches(sdkVersions.v4) ? "deepseek-v4-flash" : undefined, known: true };
}

/**
 * Is it a DeepSeek model id of any host: `deepseek-chat`, `deepseek/deepseek-chat-v3-0324`, `deepseek-ai/DeepSeek-V3`,
 * `accounts/fireworks/models/deepseek-v3`, `deepseek.v3-v1:0`, `deepseek-v3.1:671b`? Names of packages are not.
 */
export function isDeepSeekId(text: string): boolean {
  return text.length <= 120 && /^(?!@)(?:[\w.-]+[/:])*deepseek[-.](?!compat)[\w.-]*\w(?::[\w.-]+)?$/i.test(text);
}

/** Splits what a router or framework puts before the official API's own name: `deepseek/`, `deepseek:`. */
export function splitId(id: string): { readonly prefix: string; readonly name: string } {
  const prefix = /^deepseek[/:](?=deepseek-)/.exec(id)?.[0] ?? "";
  return { prefix, name: id.slice(prefix.length) };
}

/**
 * The official API's own name that an id stands for, without a framework's prefix. `deepseek:` always means that API;
 * `deepseek/` means it for litellm and its like, and OpenRouter's copy elsewhere, so it is taken off only where the
 * host is known to be official.
 */
export function ownName(id: unknown, host: HostName): unknown {
  if (typeof id !== "string") return id;
  const { prefix, name } = splitId(id);
  return prefix === "deepseek/" && host !== "official" ? id : name;
}

/** Is it a retired name behind `deepseek/`, which litellm sends to the official API and OpenRouter to its own copy? */
export function isAmbiguousId(id: unknown): boolean {
  return typeof id === "string" && splitId(id).prefix === "deepseek/" && isRetiredAlias(splitId(id).name);
}

/**
 * Is it an environment variable that names a model for an Anthropic endpoint (`ANTHROPIC_MODEL`)? The official one maps
 * names it does not know, and refuses none.
 */
export function isAnthropicVariable(name: string): boolean {
  return /(^|\.)(ANTHROPIC_(MODEL|SMALL_FAST_MODEL|DEFAULT_(OPUS|SONNET|HAIKU)_MODEL)|CLAUDE_CODE_SUBAGENT_MODEL)$/.test(
    name,
  );
}
