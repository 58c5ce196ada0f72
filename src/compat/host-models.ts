import type { HostName } from "./facts.js";

/** Age of a set of DeepSeek weights. */
export type Generation = "v2" | "v3" | "v3-0324" | "r1" | "v3.1" | "v3.2" | "v4";

/**
 * The weights that an id or path of weights names: `deepseek-ai/DeepSeek-V3.1-Terminus`, `deepseek-v3.1:671b`,
 * `accounts/fireworks/models/deepseek-v3p1`, `/models/DeepSeek-V3`. Undefined for distilled models, drafts of other
 * makers and names without a version (`deepseek-chat`).
 */
export function generationOf(id: string): Generation | undefined {
  if (/distill/i.test(id)) return undefined;
  if (/(^|[/.])deepseek\.v3-v1:0$/i.test(id)) return "v3.1";
  const found =
    /deepseek[-_.]?(?:chat[-_])?(v2(?:[.p]5)?|v3[-_.]?0324|v3[-._p]?[12](?!\d)|v3(?![.p]\d)|r1|v4)(?![\da-z])/i.exec(
      id,
    );
  const version = found?.[1]?.toLowerCase().replace(/[-_]/g, ".");
  if (!version) return undefined;
  if (version.startsWith("v2")) return "v2";
  if (version.startsWith("v4")) return "v4";
  if (version === "r1") return "r1";
  if (/0324$/.test(version)) return "v3-0324";
  if (/[.pv]?1$/.test(version.slice(2))) return "v3.1";
  return /2$/.test(version.slice(2)) ? "v3.2" : "v3";
}

/** What is known of an id's end. `removed`: refused since then; `deprecated`: announced to end. */
export interface Ending {
  readonly state: "removed" | "deprecated";
  /** As exact as it is known: `2026`, `2026-05`, `2026-07-13`. */
  readonly date: string;
}

/** One id of one host. */
export interface HostModel {
  readonly id: string;
  readonly generation: Generation;
  readonly ending?: Ending;
  /** Why the id may not be what its row says. */
  readonly doubt?: string;
}

/** How V3.1 is told to think there; `name`: by another id. */
export type ThinkingSwitch =
  | "thinking.type"
  | "reasoning.enabled"
  | "enable_thinking"
  | "think"
  | "chat_template_kwargs.thinking"
  | "name";

/** The DeepSeek ids of a host, oldest first. */
export interface HostModels {
  readonly host: HostName;
  readonly models: readonly HostModel[];
  /** Undefined where it is not known. */
  readonly thinking?: ThinkingSwitch;
  readonly confidence: "primary" | "secondary";
  /** Where it was read, and as of when. */
  readonly source: string;
}

const catalogue = "model catalogue models.dev and its history, 2026-07";

/** Ids by host. The same string may mean other weights elsewhere, so a row counts for its own host only. */
export const hostModels: readonly HostModels[] = [
  {
    host: "openrouter",
    thinking: "reasoning.enabled",
    confidence: "secondary",
    source: catalogue,
    models: [
      { id: "deepseek/deepseek-v3-base:free", generation: "v3", ending: { state: "removed", date: "2026-03" } },
      { id: "deepseek/deepseek-chat", generation: "v3" },
      { id: "deepseek/deepseek-chat-v3-0324", generation: "v3-0324" },
      { id: "deepseek/deepseek-chat-v3.1", generation: "v3.1" },
      { id: "deepseek/deepseek-v3.1-terminus", generation: "v3.1" },
    ],
  },
  {
    host: "together",
    thinking: "reasoning.enabled",
    confidence: "secondary",
    source: catalogue,
    models: [
      {
        id: "deepseek-ai/DeepSeek-V3",
        generation: "v3",
        ending: { state: "deprecated", date: "2026-07" },
        doubt: "the same id was moved to V3-0324 later",
      },
      { id: "deepseek-ai/DeepSeek-V3.1", generation: "v3.1", ending: { state: "deprecated", date: "2026-07" } },
    ],
  },
  {
    host: "fireworks",
    confidence: "secondary",
    source: catalogue,
    models: [
      { id: "accounts/fireworks/models/deepseek-v3", generation: "v3" },
      {
        id: "accounts/fireworks/models/deepseek-v3-0324",
        generation: "v3-0324",
        ending: { state: "removed", date: "2026-02" },
      },
      {
        id: "accounts/fireworks/models/deepseek-v3p1",
        generation: "v3.1",
        doubt: "its successor v3p2 was removed there in 2026-05, so check that v3p1 is still served",
      },
      {
        id: "accounts/fireworks/models/deepseek-v3p2",
        generation: "v3.2",
        ending: { state: "removed", date: "2026-05" },
      },
    ],
  },
  {
    host: "azure",
    confidence: "primary",
    source: "https://github.com/MicrosoftDocs/azure-ai-docs (model retirement schedule), 2026-07-07",
    models: [
      { id: "DeepSeek-V3", generation: "v3", ending: { state: "removed", date: "2026-07-13" } },
      { id: "DeepSeek-V3-0324", generation: "v3-0324", ending: { state: "removed", date: "2026-07-13" } },
      { id: "DeepSeek-V3.1", generation: "v3.1", ending: { state: "removed", date: "2026-07-13" } },
      { id: "FW-DeepSeek-V3.1", generation: "v3.1", ending: { state: "removed", date: "2026-07-01" } },
    ],
  },
  {
    host: "github-models",
    confidence: "secondary",
    source: catalogue,
    models: [
      { id: "deepseek/DeepSeek-V3", generation: "v3" },
      { id: "deepseek/deepseek-v3-0324", generation: "v3-0324" },
    ],
  },
  {
    host: "bedrock",
    confidence: "secondary",
    source: catalogue,
    models: [
      // the name says v3, the weights are V3.1
      { id: "deepseek.v3-v1:0", generation: "v3.1" },
      { id: "deepseek.v3.2", generation: "v3.2" },
    ],
  },
  {
    host: "vertex",
    confidence: "secondary",
    source: catalogue,
    models: [{ id: "deepseek-ai/deepseek-v3.1-maas", generation: "v3.1" }],
  },
  {
    host: "nvidia",
    confidence: "secondary",
    source: catalogue,
    models: [{ id: "deepseek-ai/deepseek-v3.1", generation: "v3.1", ending: { state: "removed", date: "2026-06" } }],
  },
  {
    host: "baseten",
    confidence: "secondary",
    source: catalogue,
    models: [
      {
        id: "deepseek-ai/DeepSeek-V3-0324",
        generation: "v3-0324",
        ending: { state: "deprecated", date: "2026-05-01" },
      },
      { id: "deepseek-ai/DeepSeek-V3.1", generation: "v3.1" },
    ],
  },
  {
    host: "nebius",
    confidence: "secondary",
    source: catalogue,
    models: [
      { id: "deepseek-ai/DeepSeek-V3", generation: "v3", ending: { state: "removed", date: "2026" } },
      { id: "deepseek-ai/DeepSeek-V3-0324", generation: "v3-0324", ending: { state: "removed", date: "2026" } },
    ],
  },
  {
    host: "siliconflow",
    thinking: "enable_thinking",
    confidence: "secondary",
    source: catalogue,
    models: [
      {
        id: "deepseek-ai/DeepSeek-V3",
        generation: "v3",
        doubt: "the same id was moved to newer weights later",
      },
      { id: "Pro/deepseek-ai/DeepSeek-V3", generation: "v3", doubt: "the same id was moved to newer weights later" },
      { id: "deepseek-ai/DeepSeek-V3.1", generation: "v3.1" },
    ],
  },
  {
    host: "alibaba",
    thinking: "enable_thinking",
    confidence: "secondary",
    source: catalogue,
    models: [
      { id: "deepseek-v3", generation: "v3" },
      { id: "deepseek-v3.1", generation: "v3.1" },
    ],
  },
  {
    host: "baidu",
    thinking: "name",
    confidence: "secondary",
    source: catalogue,
    models: [
      { id: "deepseek-v3", generation: "v3" },
      { id: "deepseek-v3.1-250821", generation: "v3.1" },
      { id: "deepseek-v3.1-think-250821", generation: "v3.1" },
    ],
  },
  {
    host: "vercel",
    confidence: "secondary",
    source: catalogue,
    models: [
      { id: "deepseek/deepseek-v3", generation: "v3-0324" },
      { id: "deepseek/deepseek-v3.1", generation: "v3.1" },
    ],
  },
  {
    host: "huggingface",
    confidence: "secondary",
    source: catalogue,
    models: [
      { id: "deepseek-ai/DeepSeek-V3", generation: "v3" },
      {
        id: "deepseek-ai/DeepSeek-V3-0324",
        generation: "v3-0324",
        ending: { state: "removed", date: "2026-01" },
      },
      { id: "deepseek-ai/DeepSeek-V3.1", generation: "v3.1" },
    ],
  },
  {
    host: "ollama",
    thinking: "think",
    confidence: "primary",
    source: "https://github.com/huggingface/huggingface.js (packages/ollama-utils), 2026",
    models: [
      { id: "deepseek-v3", generation: "v3" },
      { id: "deepseek-v3:671b", generation: "v3" },
      { id: "deepseek-v3.1", generation: "v3.1" },
      { id: "deepseek-v3.1:671b", generation: "v3.1" },
      { id: "deepseek-v3.1:671b-cloud", generation: "v3.1" },
    ],
  },
  {
    host: "self-hosted",
    thinking: "chat_template_kwargs.thinking",
    confidence: "primary",
    source: "https://huggingface.co/deepseek-ai/DeepSeek-V3.1",
    models: [],
  },
  {
    host: "official",
    thinking: "thinking.type",
    confidence: "primary",
    source: "https://api-docs.deepseek.com/guides/thinking_mode",
    models: [],
  },
];

/** The row of a host. */
export function modelsOf(host: HostName): HostModels | undefined {
  return hostModels.find((row) => row.host === host);
}

/** What a host says of an id. */
export function hostModel(host: HostName, id: string): HostModel | undefined {
  return modelsOf(host)?.models.find((model) => model.id === id);
}

/** The id that takes a V3 id's place when its host moves to V3.1; undefined where the host has none. */
export function successorOf(host: HostName, old: HostModel): HostModel | undefined {
  const next = (modelsOf(host)?.models ?? []).filter(({ generation }) => generation === "v3.1");
  // other editions (`Pro/`, `:free`) have no counterpart that is known
  if (old.id.startsWith("Pro/")) return undefined;
  const edition = /:[\w-]+$/.exec(old.id)?.[0] ?? "";
  return next.find(({ id }) => (/:[\w-]+$/.exec(id)?.[0] ?? "") === edition);
}
