import { type Facts, type FileFacts, type Request, textOf } from "../facts.js";
import { replaceString } from "../fix/edits.js";
import { isCurrentId, isRetiredAlias } from "../models.js";
import { isWithin, knownUrls, officialFile, onlyValue } from "../official.js";
import { isFim } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import type { Target } from "../targets.js";
import { setUp } from "./example-client.js";

const betaBase = "https://api.deepseek.com/beta";

export const betaEndpoints: Rule = {
  id: "beta-endpoints",
  code: "R16",
  title: "Prefix or fill-in-the-middle completion away from its endpoint or model",
  severity: { "v3.1": "error", current: "error" },
  effect: "hard error",
  explanation:
    "A last message with prefix: true and fill-in-the-middle completions (a prompt with a suffix) are beta features: in V3.0, V3.1 and today the official API takes them under https://api.deepseek.com/beta only. Fill-in-the-middle never worked with deepseek-reasoner; it took deepseek-chat, and the reference since V4 lists deepseek-v4-pro, without thinking. So the replacement of deepseek-chat in a chat call is not the one for this endpoint. Whether deepseek-flash completes in the middle is not documented.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [
    { role: "user", content: "Write quick sort" },
    { role: "assistant", content: "\`\`\`python\\n", prefix: true },
  ],
});
`,
      after: `${setUp.replace("deepseek.com", "deepseek.com/beta")}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [
    { role: "user", content: "Write quick sort" },
    { role: "assistant", content: "\`\`\`python\\n", prefix: true },
  ],
});
`,
    },
    {
      target: "current",
      language: "js",
      by: "suggested",
      before: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com/beta" });
const reply = await client.completions.create({ model: "deepseek-chat", prompt: "def fib(a):", suffix: "return x" });
`,
      after: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com/beta" });
const reply = await client.completions.create({ model: "deepseek-v4-pro", prompt: "def fib(a):", suffix: "return x" });
`,
    },
    {
      target: "current",
      language: "py",
      by: "none",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(
    model="deepseek-flash",
    messages=[{"role": "user", "content": "Sort"}, {"role": "assistant", "content": "{", "prefix": True}],
)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com/beta")
reply = client.chat.completions.create(
    model="deepseek-flash",
    messages=[{"role": "user", "content": "Sort"}, {"role": "assistant", "content": "{", "prefix": True}],
)
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com/beta")
reply = client.completions.create(model="deepseek-chat", prompt="def fib(a):", suffix="    return x")
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com/beta")
reply = client.completions.create(model="deepseek-v4-pro", prompt="def fib(a):", suffix="    return x")
`,
    },
    {
      target: "current",
      language: "sh",
      by: "suggested",
      before: `curl https://api.deepseek.com/beta/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{"model": "deepseek-chat", "prompt": "def", "suffix": "x"}'
`,
      after: `curl https://api.deepseek.com/beta/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{"model": "deepseek-v4-pro", "prompt": "def", "suffix": "x"}'
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/guides/chat_prefix_completion",
      "https://api-docs.deepseek.com/guides/fim_completion",
      "https://api-docs.deepseek.com/api/create-completion",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      for (const request of file.requests) {
        if (request.host.host !== "official") continue;
        if (isFim(request)) yield* ofMiddle(facts, request, target);
        else yield* ofPrefix(request);
      }
      yield* ofLooseFlags(file);
      if (target === "current") yield* ofLoosePath(file);
    }
  },
};

const isBeta = (url: string): boolean => /deepseek\.com\/beta(\/|$)/.test(url);

/** Are all the URLs the request may go to known, and none of them the beta's? */
function misses(request: Request): string | undefined {
  const urls = knownUrls(request);
  return urls.length > 0 && urls.every((url) => !isBeta(url)) ? urls[0] : undefined;
}

function* ofPrefix(request: Request): Iterable<Problem> {
  const messages = request.parameters.find(({ name }) => name === "messages")?.elements ?? [];
  const url = misses(request);
  if (url === undefined) return;
  for (const message of messages) {
    const prefix = message.parameters?.find(({ name }) => name === "prefix");
    if (!prefix || onlyValue(prefix) !== true) continue;
    yield {
      message: `prefix: true is refused at ${url}; the beta endpoint alone completes a prefix`,
      place: prefix.place,
      host: request.host,
      manual: `use ${betaBase} as the base URL of the client that sends this`,
    };
  }
}

function* ofMiddle(facts: Facts, request: Request, target: Target): Iterable<Problem> {
  const url = misses(request);
  if (url !== undefined) {
    yield {
      message: `fill-in-the-middle completion is asked for at ${url}; it is served under ${betaBase} only`,
      place: request.place,
      host: request.host,
      manual: `use ${betaBase} as the base URL of the client that sends this`,
    };
  }
  for (const candidate of request.model?.candidates ?? []) {
    const { value, place, path } = candidate;
    const common = { place, path, host: request.host };
    if (value === "deepseek-reasoner") {
      yield { ...common, message: '"deepseek-reasoner" never completed in the middle', manual: "name another model" };
      continue;
    }
    if (target !== "current") continue;
    if (isRetiredAlias(value)) {
      const inside = request.modelProperty && isWithin(place, request.modelProperty.valuePlace);
      yield {
        ...common,
        message: `"${value}" is refused since 2026-07-24; for completion in the middle the reference lists deepseek-v4-pro`,
        manual: inside
          ? "deepseek-v4-pro costs more than the model before; compare what it writes"
          : "the name stands away from the call: write deepseek-v4-pro for this request only",
        ...(inside
          ? {
              fix: {
                applicability: "suggested" as const,
                description: "rename to deepseek-v4-pro",
                edits: [replaceString(textOf(facts, place.file), place, "deepseek-v4-pro")],
              },
            }
          : {}),
      };
    } else if (isCurrentId(value) && value !== "deepseek-v4-pro") {
      yield {
        ...common,
        severity: "warning",
        message: `"${value}" is not listed for completion in the middle; the reference names deepseek-v4-pro`,
        manual: "try it, or name deepseek-v4-pro",
      };
    }
  }
}

/** `prefix: true` in an assistant message that is built away from its request. */
function* ofLooseFlags(file: FileFacts): Iterable<Problem> {
  const host = officialFile(file);
  if (!host || file.requests.length === 0) return;
  const [url] = file.requests.map(misses);
  if (url === undefined || file.requests.some((request) => misses(request) === undefined)) return;
  const inside = (start: number) => file.requests.some((one) => one.place.start <= start && start < one.place.end);
  for (const { name, value, place } of file.flags) {
    if (name !== "prefix" || !value || inside(place.start)) continue;
    if (nearestRole(file, place.start) !== "assistant") continue;
    const reported = file.requests.some((request) =>
      request.parameters.some(({ elements }) =>
        elements?.some(({ parameters }) => parameters?.some(({ valuePlace }) => valuePlace.start === place.start)),
      ),
    );
    if (reported) continue;
    yield {
      message: `prefix: true is refused at ${url}; the beta endpoint alone completes a prefix`,
      place,
      host,
      manual: `use ${betaBase} as the base URL of the client that sends this`,
    };
  }
}

/** `new URL("beta/completions", base)` beside the default name of a model that is gone. */
function* ofLoosePath(file: FileFacts): Iterable<Problem> {
  if (file.requests.some(isFim)) return;
  const path = file.literals.find(({ value, kind }) => kind !== "regex" && /^\/?beta\/completions\/?$/.test(value));
  const model = file.mentions.find(
    ({ id, kind, name, host }) =>
      isRetiredAlias(id) &&
      ["default", "property", "constant"].includes(kind) &&
      /model/i.test(name) &&
      (host.host === "official" || host.host === "unknown"),
  );
  if (!path || !model) return;
  yield {
    message: `"${model.id}" is refused since 2026-07-24; for completion in the middle the reference lists deepseek-v4-pro, without thinking`,
    place: path.place,
    host: model.host,
    severity: "warning",
    manual: "name deepseek-v4-pro for the requests to this path",
  };
}

/** The role that is written nearest to a position, at most 400 characters away. */
function nearestRole(file: FileFacts, at: number): string | undefined {
  const distance = ({ place }: { place: { start: number } }): number => Math.abs(place.start - at);
  const near = file.literals.filter((literal) => literal.name === "role" && distance(literal) < 400);
  return near.sort((a, b) => distance(a) - distance(b))[0]?.value;
}
