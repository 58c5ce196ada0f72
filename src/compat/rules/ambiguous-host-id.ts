import type { Mention, Place } from "../facts.js";
import { isAmbiguousId } from "../models.js";
import type { Problem, Rule } from "../rule.js";

export const ambiguousHostId: Rule = {
  id: "ambiguous-host-id",
  code: "R41",
  title: "A model id that two hosts read differently",
  severity: { "v3.1": "warning", current: "warning" },
  effect: "hard error",
  explanation:
    "deepseek/deepseek-chat is the official API in litellm, aider and CrewAI, where the name is refused since 2026-07-24; with OpenRouter's base URL the same string is OpenRouter's copy of the V3 weights, which goes on under that name. Where neither a base URL, nor a prefix such as openrouter/, nor an API key's variable says which of them is asked, the id is reported and never changed. Only ids that are likely to be sent are reported; lists and tables of models are left alone.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `import { createRouter } from "./router.js";
export const router = createRouter({ model: "deepseek/deepseek-chat" });
`,
      after: `import { createRouter } from "./router.js";
export const router = createRouter({ model: "openrouter/deepseek/deepseek-chat" });
`,
    },
  ],
  source: {
    urls: ["https://docs.litellm.ai/docs/providers/deepseek", "https://openrouter.ai/deepseek/deepseek-chat"],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts) {
    const reported = new Set<string>();
    const isNew = ({ file, start }: Place) => !reported.has(`${file}:${start}`) && reported.add(`${file}:${start}`);
    for (const request of facts.files.flatMap((file) => file.requests)) {
      if (request.host.host !== "unknown") continue;
      for (const { value, place, path, partial } of request.model?.candidates ?? []) {
        if (partial || !isAmbiguousId(value) || !isNew(place)) continue;
        yield { ...problemOf(String(value)), place, host: request.host, path };
      }
    }
    for (const mention of facts.files.flatMap((file) => file.mentions)) {
      if (mention.host.host !== "unknown" || !isAmbiguousId(mention.id) || !isSent(mention)) continue;
      if (isNew(mention.place)) yield { ...problemOf(mention.id), place: mention.place, host: mention.host };
    }
  },
};

function problemOf(id: string): Pick<Problem, "message" | "manual"> {
  return {
    message: `"${id}" is the official API in litellm and its like, where it is refused, and OpenRouter's own copy elsewhere; nothing here says which is asked`,
    manual: "name the base URL, or the prefix of the host, beside it; an unknown host is never fixed",
  };
}

/** Is it in a role in which it is likely to be sent? */
function isSent({ kind, name }: Mention): boolean {
  if (kind === "property" || kind === "setting") return /model|llm|engine/i.test(name);
  return kind === "argument" || kind === "default" || kind === "constant";
}
