import { type Facts, type NamedNumber, type Place, type Request, textOf } from "../facts.js";
import { numberLike, removeProperty } from "../fix/edits.js";
import { ownName } from "../models.js";
import { isAnthropic, type Placed, settingsOf } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import { thinkingReason } from "../thinking.js";
import { setUp } from "./example-client.js";

const limitNames = /^(max_tokens|maxTokens|maxOutputTokens|max_output_tokens)$/;
/** The most R1 could be told to answer with; more was refused, so a value up to this may date from then. */
const largestOldLimit = 8192;

export const reasonerMaxTokens: Rule = {
  id: "reasoner-max-tokens",
  code: "R03",
  title: "A token limit that now includes the reasoning",
  severity: { "v3.1": "warning", current: "warning" },
  effect: "silent change",
  explanation:
    "With R1 behind deepseek-reasoner (V3.0 era) max_tokens limited the final answer, and up to 32K tokens of reasoning came on top. From R1-0528 and V3.1 on it limits reasoning and answer together (default 32K, at most 64K in V3.1). A limit chosen for the old meaning, anything up to 8192, now ends the reasoning: finish_reason is length and content is empty or cut. Leaving the limit out is closest to the old behaviour; 32768 or more leaves room for both. Handle finish_reason length with empty content in any case.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "suggested",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-reasoner",
  max_tokens: 4096,
  messages: [{ role: "user", content: "Hello" }],
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-reasoner",
  messages: [{ role: "user", content: "Hello" }],
});
`,
    },
    {
      target: "current",
      language: "js",
      by: "suggested",
      before: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-flash", thinking: { type: "enabled" }, max_tokens: 2048, messages }),
});
`,
      after: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-flash", thinking: { type: "enabled" }, messages }),
});
`,
    },
    {
      target: "v3.1",
      language: "http",
      by: "suggested",
      before: `POST https://api.deepseek.com/chat/completions

{
  "model": "deepseek-reasoner",
  "max_tokens": 4096,
  "messages": [{ "role": "user", "content": "Hello" }]
}
`,
      after: `POST https://api.deepseek.com/chat/completions

{
  "model": "deepseek-reasoner",
  "messages": [{ "role": "user", "content": "Hello" }]
}
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(
    model="deepseek-reasoner",
    messages=messages,
    max_tokens=4096,
)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(
    model="deepseek-reasoner",
    messages=messages,
)
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/zh-cn/news/news250528",
      "https://api-docs.deepseek.com/guides/reasoning_model",
      "https://api-docs.deepseek.com/quick_start/pricing",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    const inRequests = new Set<string>();
    for (const request of facts.files.flatMap((file) => file.requests)) {
      for (const { parameter } of settingsOf(request)) {
        inRequests.add(`${parameter.valuePlace.file}:${parameter.valuePlace.start}`);
      }
      if (request.host.host !== "official" && request.host.host !== "unknown") continue;
      const reason = thinkingReason(request, target);
      if (!reason) continue;
      for (const placed of settingsOf(request)) {
        // what is spread in under a condition may be meant for the other models
        if (!placed.parameter.sure || !limitNames.test(placed.parameter.name)) continue;
        const problem = ofParameter(request, placed, reason, facts);
        if (problem) yield problem;
      }
    }
    for (const number of facts.files.flatMap((file) => file.numbers)) {
      if (ownName(number.owner, number.host.host) !== "deepseek-reasoner") continue;
      if (inRequests.has(`${number.place.file}:${number.place.start}`)) continue;
      const problem = ofTable(number);
      if (problem) yield problem;
    }
  },
};

function ofParameter(
  request: Request,
  { parameter, holder }: Placed,
  reason: string,
  facts: Facts,
): Problem | undefined {
  const low = parameter.value.candidates.find(({ value }) => typeof value === "number" && value <= largestOldLimit);
  if (!low) return undefined;
  const common = {
    message: `${parameter.name} ${low.value} includes the reasoning (${reason}); the answer may be cut or empty`,
    place: parameter.place,
    host: request.host,
    path: low.path,
  };
  if (request.host.host !== "official") return { ...common, manual: "an unknown host is never fixed" };
  if (!holder) return { ...common, manual: "the limit is set away from the call" };
  if (isAnthropic(request)) {
    // these clients, and their API, want a limit
    if (!parameter.literal) return { ...common, manual: "raise the limit to 32768" };
    const { start, end } = parameter.valuePlace;
    return {
      ...common,
      ...raised({ ...parameter.valuePlace, text: textOf(facts, parameter.valuePlace.file).slice(start, end) }),
    };
  }
  return {
    ...common,
    manual: "removing the limit is closest to the old behaviour; 32768 or more keeps one and costs more",
    fix: {
      applicability: "suggested",
      description: `remove ${parameter.name} (the server's default leaves room for the reasoning)`,
      edits: removeProperty(textOf(facts, parameter.place.file), holder, parameter.place),
    },
  };
}

function ofTable(number: NamedNumber): Problem | undefined {
  if (!limitNames.test(number.name) || number.value > largestOldLimit || number.form !== "property") return undefined;
  const { host } = number.host;
  if (host !== "official" && host !== "unknown") return undefined;
  const common = {
    message: `${number.name} ${number.text} of "deepseek-reasoner" includes the reasoning; the answer may be cut or empty`,
    place: number.place,
    host: number.host,
  };
  if (host === "unknown") return { ...common, manual: "an unknown host is never fixed" };
  return { ...common, ...raised({ ...number.place, text: number.text }) };
}

/** The limit raised; `text` is the number as it is written. */
function raised({ text, ...place }: Place & { readonly text: string }): Pick<Problem, "manual" | "fix"> {
  return {
    manual: "raising the limit may cost more",
    fix: {
      applicability: "suggested",
      description: "raise the limit to 32768",
      edits: [{ ...place, text: numberLike(text.includes("_") ? "1_1" : "11", 11, 32_768, 32_768) }],
    },
  };
}
