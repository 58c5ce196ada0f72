import { type Facts, fileOf, type HostName, type NamedNumber } from "../facts.js";
import { numberLike } from "../fix/edits.js";
import { isCurrentId, isRetiredAlias, ownName } from "../models.js";
import type { Problem, Rule } from "../rule.js";
import { type Target, targets } from "../targets.js";

const contextName = /context_?(window|length|tokens|size|limit)|max_?context|max_?input_?tokens|input_?token_?limit/i;
const stale: Readonly<Record<Target, readonly number[]>> = {
  "v3.1": [64_000, 65_536],
  current: [64_000, 65_536, 128_000, 131_072],
};

export const contextWindowLimit: Rule = {
  id: "context-window-limit",
  code: "R06",
  title: "A context limit of an older version",
  severity: { "v3.1": "info", current: "info" },
  effect: "opportunity",
  explanation:
    "The V3.0 API took 64K tokens (65 536), V3.1 takes 128K (131 072), today's API 1M (1 048 576). A constant of the old size makes the program throw away history that would fit. A named limit of a DeepSeek model is changed by --fix=suggested where the host is the official one; a number in a comparison or a switch is reported only, because both places have to change together. The opposite mistake exists too: a host that still serves V3.0 weights takes 64K only.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "suggested",
      before: `export const baseURL = "https://api.deepseek.com";
export const models = {
  "deepseek-chat": { contextWindow: 64_000, maxTokens: 8_000 },
};
`,
      after: `export const baseURL = "https://api.deepseek.com";
export const models = {
  "deepseek-chat": { contextWindow: 128_000, maxTokens: 8_000 },
};
`,
    },
    {
      target: "current",
      language: "js",
      by: "suggested",
      before: `const apiKey = process.env.DEEPSEEK_API_KEY;
export const model = { id: "deepseek-chat", contextLength: 65536, apiKey };
`,
      after: `const apiKey = process.env.DEEPSEEK_API_KEY;
export const model = { id: "deepseek-chat", contextLength: 1048576, apiKey };
`,
    },
    {
      target: "v3.1",
      language: "json",
      by: "safe",
      before: `{
  "models": [
    { "title": "Chat", "provider": "deepseek", "model": "deepseek-chat", "contextLength": 65536 }
  ]
}
`,
      after: `{
  "models": [
    { "title": "Chat", "provider": "deepseek", "model": "deepseek-chat", "contextLength": 131072 }
  ]
}
`,
    },
  ],
  source: {
    urls: ["https://api-docs.deepseek.com/news/news250821", "https://api-docs.deepseek.com/quick_start/pricing"],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      for (const number of file.numbers) {
        const problem = ofNumber(number, facts, target);
        if (problem) yield problem;
      }
    }
  },
};

/** An id of the official API in a constant beside this one, in a file that names no other vendor's models. */
function idBeside({ form, place, host }: NamedNumber, facts: Facts): string | undefined {
  if (form !== "constant" || host.host !== "official") return undefined;
  const file = fileOf(facts, place.file);
  if (!file || /\b(gpt-\d|claude-|gemini-|qwen|llama|mistral|grok-|glm-|kimi)/i.test(file.text)) return undefined;
  return file.mentions.find(
    ({ id, kind, place: other }) =>
      (kind === "constant" || kind === "default") &&
      isOwnId(id, host.host) &&
      Math.abs(other.start - place.start) < 300,
  )?.id;
}

function ofNumber(number: NamedNumber, facts: Facts, target: Target): Problem | undefined {
  const { name, value, host, form, text } = number;
  const owner = number.owner ?? idBeside(number, facts);
  if (form === "error text") {
    if (host.host !== "official") return undefined;
    return {
      message: "the server's refusal of too long an input names another limit than 65536 today",
      place: number.place,
      host,
      manual: "match the words and any number: /maximum context length is (\\d+)/",
    };
  }
  if (!stale[target].includes(value) || !contextName.test(name)) return undefined;
  if (host.host !== "official" && host.host !== "unknown" && !isOwnId(owner, host.host)) return undefined;
  const isTest = form === "comparison" || form === "switch case";
  // a test says nothing of DeepSeek itself; a limit of the same size that does makes it count
  const partners = facts.files
    .flatMap((file) => file.numbers)
    .filter((other) => other !== number && other.value === value && contextName.test(other.name));
  const tied = (one: NamedNumber) => one.owner !== undefined && isOurs(one);
  const wanted = targets[target].contextTokens;
  const common = { place: number.place, host };
  if (isTest) {
    const limits = partners.filter((other) => !isComparison(other) && tied(other));
    if (limits.length === 0 && !tied(number)) return undefined;
    return {
      ...common,
      message: `${name} is compared with ${text}, the size of an older version; today's limit is another`,
      manual: "change it together with the limit that it tests",
    };
  }
  if (!tied(number.owner === undefined && owner !== undefined ? { ...number, owner } : number)) return undefined;
  const replacement = numberLike(text, value, wanted, target === "v3.1" ? 131_072 : 1_048_576);
  const tested = partners.find((other) => isComparison(other));
  const message = `${name} ${text} of "${owner}" is the limit of an older version; ${target === "v3.1" ? "V3.1" : "today's API"} takes ${wanted}`;
  if (host.host !== "official") return { ...common, message, manual: "an unknown host is never fixed" };
  const doubts = [
    ...(tested ? [`${tested.place.file} tests for the same number; both have to change together`] : []),
    ...(isOwnId(number.owner, host.host) ? [] : ["only a name ties this number to DeepSeek"]),
    ...(host.certainty === "certain" ? [] : [`the host is only likely: ${host.evidence}`]),
  ];
  return {
    ...common,
    message,
    ...(doubts.length > 0 ? { manual: doubts.join("; ") } : {}),
    fix: {
      applicability: doubts.length > 0 ? "suggested" : "safe",
      description: `raise it to ${replacement}`,
      edits: [{ ...number.place, text: replacement }],
    },
  };
}

const isComparison = ({ form }: NamedNumber): boolean => form === "comparison" || form === "switch case";

/** An id of the official API, which no other host uses. */
function isOwnId(owner: string | undefined, host: HostName): boolean {
  const name = ownName(owner, host);
  return isRetiredAlias(name) || isCurrentId(name);
}

/** Does the owner mean DeepSeek's own API, and not a distillation or another host's copy? */
function isOurs({ owner, host }: NamedNumber): boolean {
  if (isOwnId(owner, host.host)) return true;
  const foreign = /distill|[/:]|-r1|-v[23]|\dB\b/i.test(owner ?? "");
  return !foreign && (host.host === "official" || host.host === "unknown");
}
