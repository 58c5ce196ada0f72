import { clients } from "../clients.js";
import { type Call, type Facts, type Request, textOf } from "../facts.js";
import { numberLike } from "../fix/edits.js";
import { isCurrentId } from "../models.js";
import { asksDeepSeek, isFim, modelsOf, type Placed, settingsOf, severityOf } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import type { Target } from "../targets.js";
import { thinkingReason } from "../thinking.js";
import { setUp } from "./example-client.js";

const limitNames = /^(max_tokens|maxTokens|maxOutputTokens|max_output_tokens)$/;

export const chatMaxTokensRange: Rule = {
  id: "chat-max-tokens-range",
  code: "R04",
  title: "A token limit outside the range the model takes",
  severity: { "v3.1": "error", current: "error" },
  effect: "hard error",
  explanation:
    'deepseek-chat took a max_tokens of 1 to 8192 (default 4096) from V3.0 to V3.2, and deepseek-reasoner of V3.1 up to 65536; a number outside is refused with 400, "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]". From V4 on the range is 1 to 393216, and completions of a prompt (fill in the middle) take 4096 throughout. These are the numbers of the official API; a host of V3.1 weights has its own. Clamping to 8192 keeps a request of V3.1 working, but cuts long answers, so it is only a suggestion; a clamp of that size is no longer needed for today\'s API.',
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "suggested",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-chat",
  max_tokens: 16_384,
  messages,
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-chat",
  max_tokens: 8_192,
  messages,
});
`,
    },
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  max_tokens: Math.min(maxTokens, 8192),
  messages,
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  max_tokens: Math.min(maxTokens, 393_216),
  messages,
});
`,
    },
    {
      target: "v3.1",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-chat", messages=messages, max_tokens=16384)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-chat", messages=messages, max_tokens=8192)
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/api/create-chat-completion",
      "https://api-docs.deepseek.com/quick_start/pricing",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      const range = asksDeepSeek(request) ? rangeOf(request, target) : undefined;
      if (!range) continue;
      for (const placed of settingsOf(request)) {
        if (!placed.parameter.sure || !limitNames.test(placed.parameter.name)) continue;
        const problem = ofLimit(facts, request, placed, range, target);
        if (problem) yield problem;
      }
    }
    if (target !== "current") return;
    for (const file of facts.files) {
      for (const call of file.calls) {
        const problem = ofClamp(call);
        if (problem) yield problem;
      }
      for (const { value, place, isDocumentation } of file.literals) {
        if (isDocumentation || !/valid range of max_tokens is\W*1\D{1,3}8192/.test(value)) continue;
        yield {
          message: "the server's refusal of too large a limit names 393216 today, not 8192",
          place,
          severity: "info",
          manual: "match the words and any number: /valid range of max_tokens is \\[1, (\\d+)\\]/",
        };
      }
    }
  },
};

interface Range {
  readonly most: number;
  readonly of: string;
}

/** What a request may ask for, on the official API; undefined where that is not known. */
function rangeOf(request: Request, target: Target): Range | undefined {
  if (isFim(request)) return { most: 4096, of: "completions of a prompt" };
  const ids = modelsOf(request);
  const [id] = ids;
  if (id === undefined) return undefined;
  if (target === "current") return { most: 393_216, of: "today's API" };
  if (ids.some(isCurrentId)) return undefined;
  if (thinkingReason(request, target)) return { most: 65_536, of: "V3.1 while it thinks" };
  return ids.every((one) => one === "deepseek-chat" || one === "deepseek-coder")
    ? { most: 8192, of: `"${id}"` }
    : undefined;
}

function ofLimit(
  facts: Facts,
  request: Request,
  { parameter, holder }: Placed,
  { most, of }: Range,
  target: Target,
): Problem | undefined {
  const off = parameter.value.candidates.find(
    ({ value }) => typeof value === "number" && (value > most || (value < 1 && clients[request.client].isPlain)),
  );
  if (!off) return undefined;
  const common = {
    message: `${parameter.name} ${off.value} is outside 1 to ${most}, what ${of} takes; it is refused with 400`,
    place: parameter.place,
    host: request.host,
    path: off.path,
    ...severityOf(request),
    ...(parameter.value.certainty === "certain" ? {} : { severity: "warning" as const }),
  };
  const isClampable = target === "v3.1" && Number(off.value) > most && parameter.literal && holder;
  if (request.host.host !== "official" || !isClampable || isFim(request)) {
    return { ...common, manual: `choose a limit up to ${most}, or none` };
  }
  const text = textOf(facts, parameter.place.file).slice(parameter.valuePlace.start, parameter.valuePlace.end);
  return {
    ...common,
    manual: "another host of V3.1 may take more",
    fix: {
      applicability: "suggested",
      description: `lower it to ${most}`,
      edits: [{ ...parameter.valuePlace, text: numberLike(text, 1, most, most) }],
    },
  };
}

/** `Math.min(maxTokens, 8192)` in code of the official API. */
function ofClamp(call: Call): Problem | undefined {
  if (call.name !== "min" || call.host.host !== "official") return undefined;
  if (!call.arguments.some(({ literal }) => literal === 8192 || literal === 8000)) return undefined;
  if (!call.arguments.some(({ text, literal }) => literal === undefined && /tokens/i.test(text))) return undefined;
  return {
    message: `${call.callee}() keeps the limit under the 8192 of V3.0 and V3.1; today's API takes up to 393216`,
    place: call.place,
    host: call.host,
    severity: "info",
    manual: "raise it where longer answers are wanted; they cost more",
  };
}
