import { clients } from "../clients.js";
import { type Request, textOf } from "../facts.js";
import { replaceString } from "../fix/edits.js";
import { isAnthropic, type Placed, settingOf } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import { thinkingOf, thinkingReason } from "../thinking.js";
import { setUp } from "./example-client.js";

export const maxCompletionTokens: Rule = {
  id: "max-completion-tokens",
  code: "R05",
  title: "A token limit under a name that the API does not read",
  severity: { "v3.1": "warning", current: "warning" },
  effect: "silent change",
  explanation:
    "DeepSeek's documentation of V3.0, V3.1 and V4 knows max_tokens only. Tests against the official API in August 2026 showed that max_completion_tokens, OpenAI's newer name, is ignored: the request runs without a limit. The rename is safe in form, but note that it makes a limit effective that was ignored so far; where the request thinks, a small limit would then cut the reasoning (see reasoner-max-tokens), so there it is only a suggestion. Whether the V3.0 and V3.1 servers ignored the name too is not documented; self-hosted servers such as vLLM accept it. ChatOpenAI of LangChain for Python writes max_tokens as the newer name by itself, so a limit set there is ignored as well.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "safe",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  // @ts-expect-error DeepSeek-only field
  thinking: { type: "disabled" },
  messages: [{ role: "user", content: "Hello" }],
  max_completion_tokens: 1024,
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  // @ts-expect-error DeepSeek-only field
  thinking: { type: "disabled" },
  messages: [{ role: "user", content: "Hello" }],
  max_tokens: 1024,
});
`,
    },
    {
      target: "current",
      language: "sh",
      by: "safe",
      before: `curl https://api.deepseek.com/chat/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{
    "model": "deepseek-flash",
    "thinking": {"type": "disabled"},
    "messages": [{"role": "user", "content": "Hello"}],
    "max_completion_tokens": 100
  }'
`,
      after: `curl https://api.deepseek.com/chat/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{
    "model": "deepseek-flash",
    "thinking": {"type": "disabled"},
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 100
  }'
`,
    },
    {
      target: "current",
      language: "py",
      by: "safe",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(
    model="deepseek-flash",
    messages=messages,
    max_completion_tokens=1024,
    extra_body={"thinking": {"type": "disabled"}},
)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(
    model="deepseek-flash",
    messages=messages,
    max_tokens=1024,
    extra_body={"thinking": {"type": "disabled"}},
)
`,
    },
    {
      target: "current",
      language: "py",
      by: "none",
      before: `from langchain_openai import ChatOpenAI
llm = ChatOpenAI(model="deepseek-flash", base_url="https://api.deepseek.com", max_tokens=1024)
`,
      after: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-flash", max_tokens=1024)
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/api/create-chat-completion",
      "https://github.com/earendil-works/pi/issues/8018",
      "https://github.com/infiniflow/ragflow/issues/17546",
    ],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts, target) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      if (request.host.host !== "official" || isAnthropic(request)) continue;
      const rewritten = rewrittenLimit(request);
      if (rewritten) yield rewritten;
      const placed = settingOf(request, /^max_completion_tokens$/);
      const limit = placed?.parameter;
      if (!limit) continue;
      const [first] = limit.value.candidates;
      const common = {
        message:
          "max_completion_tokens is ignored by the official API, so this request has no limit; the name is max_tokens",
        place: limit.place,
        host: request.host,
        ...(first ? { path: first.path } : {}),
      };
      const reason = thinkingReason(request, target);
      yield { ...common, ...fixOf(request, placed, reason, textOf(facts, limit.place.file)) };
    }
  },
};

/** LangChain's ChatOpenAI for Python sends `max_tokens` under the newer name, whatever server it talks to. */
function rewrittenLimit(request: Request): Problem | undefined {
  if (request.client !== "langchain-python" || !/(^|\.)ChatOpenAI$/.test(request.callee)) return undefined;
  const limit = request.parameters.find(({ name }) => name === "max_tokens");
  return limit
    ? {
        message: `${request.callee} sends max_tokens as max_completion_tokens (in its newer versions), which the official API ignores`,
        place: limit.place,
        host: request.host,
        manual: 'use ChatDeepSeek of langchain-deepseek, or extra_body={"max_tokens": ...}',
      }
    : undefined;
}

function fixOf(
  request: Request,
  { parameter: limit, holder }: Placed,
  thinking: string | undefined,
  text: string,
): Pick<Problem, "fix" | "manual"> {
  if (settingOf(request, /^max_tokens$/)) {
    return { manual: "max_tokens is set as well; remove one of the two" };
  }
  if (!clients[request.client].isPlain) {
    return { manual: "this client names the limit in its own way; check what it sends" };
  }
  if (!holder) return { manual: "the limit is set away from the call" };
  const doubts = [
    ...(request.host.certainty === "certain" ? [] : [`the host is only likely: ${request.host.evidence}`]),
    ...(thinking && !limit.value.candidates.every(({ value }) => Number(value) > 8192)
      ? [`${thinking}, and the limit would include the reasoning`]
      : []),
    ...(thinking && limit.value.candidates.length === 0 ? ["the limit's value is not known here"] : []),
    ...(!thinking && (request.model?.certainty !== "certain" || thinkingOf(request) === "unknown")
      ? ["whether the request thinks is not known, and the limit would include the reasoning"]
      : []),
    ...(request.spreads.some(({ known }) => !known) ? ["an object spread into the request may set max_tokens"] : []),
    ...(request.object?.directives && /@ts-[^\n]*\n\s*$/.test(text.slice(0, limit.place.start))
      ? ["a compiler directive stands on the line above"]
      : []),
  ];
  return {
    manual: ["behaviour change: the limit takes effect", ...doubts].join("; "),
    fix: {
      applicability: doubts.length > 0 ? "suggested" : "safe",
      description: "rename to max_tokens (the limit takes effect)",
      edits: [
        limit.shorthand
          ? { ...limit.namePlace, text: "max_tokens: max_completion_tokens" }
          : replaceString(text, limit.namePlace, "max_tokens"),
      ],
    },
  };
}
