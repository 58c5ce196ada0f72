import { type Facts, type Parameter, type Request, textOf } from "../facts.js";
import { removeProperty } from "../fix/edits.js";
import { asksOwnModels, modelsOf, type Placed, settingsOf } from "../requests.js";
import type { Problem, Rule, Severity } from "../rule.js";
import type { Target } from "../targets.js";
import { thinkingOf, thinkingReason } from "../thinking.js";
import { setUp } from "./example-client.js";

type Family = "temperature" | "topP" | "penalty" | "logprobs";

const families: Readonly<Record<string, Family>> = {
  temperature: "temperature",
  top_p: "topP",
  topP: "topP",
  presence_penalty: "penalty",
  presencePenalty: "penalty",
  frequency_penalty: "penalty",
  frequencyPenalty: "penalty",
  logprobs: "logprobs",
  top_logprobs: "logprobs",
  topLogprobs: "logprobs",
};

export const reasonerSamplingParams: Rule = {
  id: "reasoner-sampling-params",
  code: "R07",
  title: "Sampling parameters that do nothing, or are refused, while the model thinks",
  severity: { "v3.1": "info", current: "info" },
  effect: "silent change",
  explanation:
    "A thinking model takes temperature, top_p, presence_penalty and frequency_penalty and ignores them; deepseek-reasoner answered logprobs and top_logprobs with an error up to V3.2. On today's API the penalties have no effect in any mode, temperature has none while thinking, and top_p works only while thinking, between 0.95 and 1. Dead parameters of a request to deepseek-reasoner can be removed without a change in behaviour; logprobs are left to you, because code that reads them has to change too.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "safe",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-reasoner",
  messages: [{ role: "user", content: "Hello" }],
  temperature: 0.2,
  top_p: 0.9,
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
      by: "safe",
      before: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-flash", thinking: { type: "enabled" }, messages, temperature: 0 }),
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
      language: "py",
      by: "safe",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-reasoner", messages=messages, temperature=0.2)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-reasoner", messages=messages)
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/guides/reasoning_model",
      "https://api-docs.deepseek.com/api/create-chat-completion",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      if (request.host.host !== "official" && request.host.host !== "unknown") continue;
      if (!asksOwnModels(request)) continue;
      const reason = thinkingReason(request, target);
      for (const placed of settingsOf(request)) {
        const { parameter } = placed;
        // what is spread in under a condition may be meant for the other models
        const family = parameter.sure && Object.hasOwn(families, parameter.name) ? families[parameter.name] : undefined;
        const verdict = family && verdictOf(family, request, parameter, reason, target);
        if (verdict) yield problemOf(facts, request, placed, verdict);
      }
    }
  },
};

interface Verdict {
  readonly message: string;
  readonly severity?: Severity;
  /** Has it never had an effect, so that it can go? */
  readonly dead: boolean;
  readonly manual?: string;
}

function verdictOf(
  family: Family,
  request: Request,
  { name, value }: Parameter,
  reason: string | undefined,
  target: Target,
): Verdict | undefined {
  const isReasoner = modelsOf(request).every((id) => id === "deepseek-reasoner");
  if (!reason) {
    if (family !== "penalty" || target !== "current") return undefined;
    return {
      message: `${name} has no effect in any mode of today's API`,
      dead: false,
      manual: "it worked in V3.0 and V3.1; check what it was for",
    };
  }
  if (family === "logprobs") {
    if (target === "current" && !isReasoner) return undefined;
    return {
      message: `${name} is refused up to V3.2: ${reason}`,
      severity: target === "v3.1" ? "error" : "info",
      dead: false,
      manual: "code that reads the log probabilities has to change with it",
    };
  }
  if (family === "topP" && target === "current" && !isReasoner) {
    const low = value.candidates.find((one) => typeof one.value === "number" && one.value < 0.95);
    if (!low) return undefined;
    return {
      message: `${name} ${low.value} is outside 0.95 to 1, what today's API takes while thinking`,
      severity: "info",
      dead: false,
    };
  }
  return { message: `${name} has no effect: ${reason}`, dead: true };
}

function problemOf(facts: Facts, request: Request, { parameter, holder }: Placed, verdict: Verdict): Problem {
  const [first] = parameter.value.candidates;
  const common = {
    message: verdict.message,
    place: parameter.place,
    host: request.host,
    ...(first ? { path: first.path } : {}),
    ...(verdict.severity ? { severity: verdict.severity } : {}),
  };
  if (!verdict.dead) return verdict.manual ? { ...common, manual: verdict.manual } : common;
  if (request.host.host !== "official") return { ...common, manual: "an unknown host is never fixed" };
  if (!holder) return { ...common, manual: "it is set away from the call" };
  const text = textOf(facts, parameter.place.file);
  const doubts = [
    ...(request.host.certainty === "certain" ? [] : [`the host is only likely: ${request.host.evidence}`]),
    ...(request.model?.certainty === "certain" && request.spreads.every(({ known }) => known)
      ? []
      : ["the model may be another"]),
    ...(thinkingOf(request) === "disabled" ? ["the request says thinking disabled; decide which is meant first"] : []),
    ...(parameter.literal ? [] : ["what computes its value may be left unused"]),
    ...commentAbove(text.slice(0, parameter.place.start)),
  ];
  return {
    ...common,
    ...(doubts.length > 0 ? { manual: doubts.join("; ") } : {}),
    fix: {
      applicability: doubts.length > 0 ? "suggested" : "safe",
      description: `remove ${parameter.name}`,
      edits: removeProperty(text, holder, parameter.place),
    },
  };
}

/** The doubt that a line of nothing but a comment, which may speak of the property below it, would stay behind. */
function commentAbove(before: string): readonly string[] {
  const line = /(?:^|\n)[ \t]*((?:\/\/|\/\*|\*|#)[^\n]*)\n\s*$/.exec(before)?.[1];
  if (line === undefined) return [];
  return [/@ts-/.test(line) ? "a compiler directive stands above it" : "the comment above it would stay behind"];
}
