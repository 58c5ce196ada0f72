import {
  type Certainty,
  type Facts,
  type HostName,
  type HostVerdict,
  type MentionKind,
  type Place,
  textOf,
} from "../facts.js";
import { isBrokenByComment, replaceString } from "../fix/edits.js";
import { type Ending, type HostModel, hostModel, modelsOf, successorOf } from "../host-models.js";
import type { Problem, Rule } from "../rule.js";
import type { Target } from "../targets.js";

const client = `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://openrouter.ai/api/v1", apiKey: process.env.OPENROUTER_API_KEY });
`;
const azure = `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://team.services.ai.azure.com/openai/v1", apiKey: process.env.AZURE_API_KEY });
`;

export const hostModelId: Rule = {
  id: "host-model-id",
  code: "R40",
  title: "Another host's id of V3 weights, or an id that the host no longer serves",
  severity: { "v3.1": "warning", current: "warning" },
  effect: "silent change",
  explanation:
    "Every host gives the DeepSeek weights ids of its own: deepseek/deepseek-chat-v3.1 with OpenRouter, deepseek-v3.1 with Alibaba and Ollama, accounts/fireworks/models/deepseek-v3p1 with Fireworks. An id is only ever replaced by one of the same host, by exact match in a dated table, and only where that host still serves the new one; thinking is off in V3.1 with these hosts unless it is asked for, so a renamed request behaves as before. Some hosts have removed or announced the end of V3 ids and of V3.1 ids alike (Azure on 2026-07-13), which is said with its date. The table is as of July 2026, mostly from catalogues and not from the hosts themselves, so look at the host's list of models before you rely on it.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "safe",
      before: `${client}const reply = await client.chat.completions.create({
  model: "deepseek/deepseek-chat-v3-0324",
  messages: [{ role: "user", content: "Hello" }],
});
`,
      after: `${client}const reply = await client.chat.completions.create({
  model: "deepseek/deepseek-chat-v3.1",
  messages: [{ role: "user", content: "Hello" }],
});
`,
    },
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `${azure}const reply = await client.chat.completions.create({
  model: "DeepSeek-V3-0324",
  messages: [{ role: "user", content: "Hello" }],
});
`,
      after: `${azure}const reply = await client.chat.completions.create({
  model: "DeepSeek-V4-Flash",
  messages: [{ role: "user", content: "Hello" }],
});
`,
    },
    {
      target: "v3.1",
      language: "py",
      by: "safe",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://openrouter.ai/api/v1")
client.chat.completions.create(model="deepseek/deepseek-chat-v3-0324", messages=[])
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://openrouter.ai/api/v1")
client.chat.completions.create(model="deepseek/deepseek-chat-v3.1", messages=[])
`,
    },
  ],
  source: {
    urls: [
      "https://models.dev",
      "https://github.com/MicrosoftDocs/azure-ai-docs/blob/main/articles/foundry/openai/includes/concepts-model-retirement-schedule-content.md",
      "https://github.com/huggingface/huggingface.js/tree/main/packages/ollama-utils",
    ],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts, target, from) {
    for (const found of usesOf(facts)) {
      const use = routed(found);
      const model = hostModel(use.host.host, use.id);
      if (!model) continue;
      const old = from === "v3.0" && (model.generation === "v3" || model.generation === "v3-0324");
      if (model.ending || (target === "v3.1" && old)) yield problemOf(facts, use, model, target, old);
    }
  },
};

/** How litellm names the host of a model, before its id. */
const prefixes: Readonly<Record<string, HostName>> = {
  "openrouter/": "openrouter",
  "together_ai/": "together",
  "fireworks_ai/": "fireworks",
  "azure_ai/": "azure",
  "dashscope/": "alibaba",
  "nebius/": "nebius",
  "ollama/": "ollama",
  "ollama_chat/": "ollama",
  "vercel_ai_gateway/": "vercel",
};

/** A use without litellm's prefix, which says the host where nothing else does. */
function routed(use: Use): Use {
  const prefix = Object.keys(prefixes).find((one) => use.id.startsWith(one));
  if (!prefix) return use;
  const host = prefixes[prefix]!;
  const { host: own } = use.host;
  if (own !== host && own !== "unknown" && own !== "official") return use;
  const verdict: HostVerdict =
    own === host ? use.host : { host, certainty: "possible", evidence: `the prefix "${prefix}" of the id` };
  return { ...use, prefix, id: use.id.slice(prefix.length), host: verdict };
}

/** An id where it is sent to a host that is known. */
interface Use {
  readonly id: string;
  /** What stands before the id. */
  readonly prefix?: string;
  readonly place: Place;
  readonly path: readonly string[];
  readonly host: HostVerdict;
  /** A request sends it, and nothing else uses the literal. */
  readonly certainty: Certainty;
  readonly kind: MentionKind | "request";
}

function* usesOf(facts: Facts): Iterable<Use> {
  const seen = new Set<string>();
  const key = ({ file, start }: Place) => `${file}:${start}`;
  const mentions = new Map(
    facts.files.flatMap((file) => file.mentions).map((mention) => [key(mention.place), mention] as const),
  );
  for (const request of facts.files.flatMap((file) => file.requests)) {
    for (const { value, partial, place, path } of request.model?.candidates ?? []) {
      if (typeof value !== "string" || partial || seen.has(key(place))) continue;
      // what others use too, or a choice, is a person's
      const owned = path.length === 0 || mentions.get(key(place))?.onlyRequests === true;
      const sure = request.model?.certainty === "certain" && owned;
      seen.add(key(place));
      yield { id: value, place, path, host: request.host, certainty: sure ? "certain" : "possible", kind: "request" };
    }
  }
  for (const { id, place, host, kind } of mentions.values()) {
    if (!seen.has(key(place))) yield { id, place, path: [], host, certainty: "possible", kind };
  }
}

const sent: readonly Use["kind"][] = ["request", "property", "argument", "default", "constant", "setting"];

function problemOf(facts: Facts, use: Use, model: HostModel, target: Target, old: boolean): Problem {
  const { host, place, path } = use;
  const row = modelsOf(host.host)!;
  const next = old ? successorOf(host.host, model) : undefined;
  const end = model.ending;
  const isSent = sent.includes(use.kind);
  const common = {
    message: end
      ? `"${model.id}" ${words(end, host.host)}${next && !next.ending && target === "v3.1" ? `; V3.1 is "${next.id}" there` : ""}`
      : `"${model.id}" names the weights of ${model.generation === "v3" ? "V3" : "V3-0324"} with ${host.host}${next ? `; V3.1 is "${next.id}" there` : ""}`,
    place,
    path,
    host,
    ...(isSent ? (end?.state === "removed" ? { severity: "error" as const } : {}) : { severity: "info" as const }),
  };
  if (target === "current") {
    return {
      ...common,
      manual: "choose a model that this host serves today; ids of the official API are not valid here",
    };
  }
  if (!old) return { ...common, manual: "this host serves V3.1 no longer; choose another model or another host" };
  if (!next) return { ...common, manual: `no id of V3.1 is known with ${host.host}` };
  if (next.ending) {
    return { ...common, manual: `"${next.id}" ${words(next.ending, host.host)} too, so it is no way out` };
  }
  if (isBrokenByComment(textOf(facts, place.file), place)) {
    return { ...common, manual: "the name is written in parts with a comment between them; rename it by hand" };
  }
  if (!isSent) return { ...common, manual: "change it together with the code that looks it up or compares it" };
  const doubts = [
    ...(host.certainty === "certain" ? [] : [`the host is only likely: ${host.evidence}`]),
    ...(use.certainty === "certain" ? [] : ["which requests use this name is not known in full"]),
    ...[model.doubt, next.doubt].filter((doubt) => doubt !== undefined),
  ];
  return {
    ...common,
    manual: [...doubts, `as of ${row.source}`].join("; "),
    fix: {
      applicability: doubts.length > 0 ? "suggested" : "safe",
      description: `rename to ${next.id}`,
      edits: [replaceString(textOf(facts, place.file), place, `${use.prefix ?? ""}${next.id}`)],
    },
  };
}

function words({ state, date }: Ending, host: string): string {
  return state === "removed"
    ? `is no longer served by ${host} (since ${date})`
    : `is marked as deprecated by ${host} (${date})`;
}
