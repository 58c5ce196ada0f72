// Long because half of it is examples, one for each language and form it is found in.

import { type Facts, type FileFacts, type HostVerdict, type Place, type Request, textOf } from "../facts.js";
import { replaceString } from "../fix/edits.js";
import { hostOfUrl } from "../host.js";
import { isAnthropicVariable, isRetiredAlias } from "../models.js";
import { knownUrls, onlyValue } from "../official.js";
import type { Problem, Rule } from "../rule.js";
import type { Target } from "../targets.js";
import { parameterAt } from "../thinking.js";

const endpoint = "https://api.deepseek.com/anthropic";
/** The old name of a variable, and the one that took its place. */
const oldVariable = "ANTHROPIC_SMALL_FAST_MODEL";
const newVariable = "ANTHROPIC_DEFAULT_HAIKU_MODEL";

export const anthropicEndpoint: Rule = {
  id: "anthropic-endpoint",
  code: "R15",
  title: "Settings and requests of the Anthropic endpoint that mean something else today",
  severity: { "v3.1": "info", current: "warning" },
  effect: "silent change",
  explanation:
    "With V3.1 came https://api.deepseek.com/anthropic, which speaks Anthropic's protocol. It does not refuse a model it does not know but answers with another: so deepseek-chat or deepseek-reasoner in ANTHROPIC_MODEL and its relatives, as the guides of 2025 say, still run, yet on deepseek-v4-flash and with thinking as that model has it. Name the model that is meant (deepseek-flash, deepseek-v4-pro); ANTHROPIC_SMALL_FAST_MODEL is called ANTHROPIC_DEFAULT_HAIKU_MODEL now. V3.1 ignored thinking; today's API reads it, and output_config.effort, but no budget_tokens. top_k, container and mcp_servers were documented as ignored, a system message among the messages is refused, and without /anthropic in the base URL nothing answers at all.",
  examples: [
    {
      target: "current",
      language: "js",
      by: "suggested",
      before: `import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({ baseURL: "https://api.deepseek.com", apiKey: process.env.DEEPSEEK_API_KEY });
const reply = await client.messages.create({ model: "deepseek-chat", max_tokens: 1024, messages });
`,
      after: `import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({ baseURL: "${endpoint}", apiKey: process.env.DEEPSEEK_API_KEY });
const reply = await client.messages.create({ model: "deepseek-flash", max_tokens: 1024, messages });
`,
    },
    {
      target: "current",
      language: "env",
      by: "suggested",
      before: `ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic
ANTHROPIC_MODEL=deepseek-chat
ANTHROPIC_SMALL_FAST_MODEL=deepseek-chat
`,
      after: `ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic
ANTHROPIC_MODEL=deepseek-flash
ANTHROPIC_DEFAULT_HAIKU_MODEL=deepseek-flash
`,
    },
    {
      target: "current",
      language: "sh",
      by: "suggested",
      before: `export ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic
export ANTHROPIC_MODEL=deepseek-reasoner
export ANTHROPIC_SMALL_FAST_MODEL="deepseek-chat"
claude
`,
      after: `export ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic
export ANTHROPIC_MODEL=deepseek-flash
export ANTHROPIC_DEFAULT_HAIKU_MODEL="deepseek-flash"
claude
`,
    },
    {
      target: "current",
      language: "json",
      by: "suggested",
      before: `{ "env": { "ANTHROPIC_BASE_URL": "https://api.deepseek.com/anthropic", "ANTHROPIC_MODEL": "deepseek-chat" } }
`,
      after: `{ "env": { "ANTHROPIC_BASE_URL": "https://api.deepseek.com/anthropic", "ANTHROPIC_MODEL": "deepseek-flash" } }
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `import anthropic
client = anthropic.Anthropic(base_url="https://api.deepseek.com/anthropic")
client.messages.create(model="deepseek-chat", max_tokens=1024, messages=messages)
`,
      after: `import anthropic
client = anthropic.Anthropic(base_url="https://api.deepseek.com/anthropic")
client.messages.create(model="deepseek-flash", max_tokens=1024, messages=messages)
`,
    },
  ],
  source: {
    urls: ["https://api-docs.deepseek.com/guides/anthropic_api", "https://api-docs.deepseek.com/news/news250821"],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      for (const request of file.requests) {
        if (!/^anthropic/.test(request.client) || request.host.host !== "official") continue;
        yield* ofBaseUrl(facts, request);
        yield* ofModel(facts, request, target);
        yield* ofBody(request, target);
      }
      yield* ofVariables(file, target);
    }
  },
};

/** The SDK puts /v1/messages after its base URL; only below /anthropic somebody listens. */
function* ofBaseUrl(facts: Facts, request: Request): Iterable<Problem> {
  const urls = knownUrls(request);
  const [candidate] = request.baseUrl?.candidates ?? [];
  if (!candidate || urls.length === 0 || urls.some((url) => /deepseek\.com\/(\w+\/)?anthropic/.test(url))) return;
  const text = textOf(facts, candidate.place.file);
  const bare = /^https:\/\/api\.deepseek\.com(\/v1|\/beta)?\/?$/.test(String(candidate.value));
  yield {
    message: `Anthropic's protocol is spoken at ${endpoint} only, not at ${candidate.value}`,
    place: candidate.place,
    path: candidate.path,
    host: request.host,
    severity: "error",
    manual: "another client may use the same URL",
    ...(bare && !candidate.partial
      ? {
          fix: {
            applicability: "suggested" as const,
            description: "add /anthropic",
            edits: [replaceString(text, candidate.place, endpoint)],
          },
        }
      : {}),
  };
}

function* ofModel(facts: Facts, request: Request, target: Target): Iterable<Problem> {
  if (target !== "current") return;
  for (const { value, place, path, partial } of request.model?.candidates ?? []) {
    const common = { place, path, host: request.host };
    if (!partial && isRetiredAlias(value)) {
      const isDirect = path.length === 0;
      yield {
        ...common,
        message: `"${value}" is mapped to deepseek-v4-flash here, not refused; whether it thinks is that model's choice`,
        manual: isDirect
          ? "say with thinking whether it shall think"
          : "the name stands away from the call; rename it if nothing else uses it, and say whether the model shall think",
        ...(isDirect
          ? {
              fix: {
                applicability: "suggested" as const,
                description: "rename to deepseek-flash",
                edits: [replaceString(textOf(facts, place.file), place, "deepseek-flash")],
              },
            }
          : {}),
      };
    } else if (/^claude-/.test(String(value))) {
      yield {
        ...common,
        severity: "info",
        message: `"${value}" is answered by ${/opus/.test(String(value)) ? "deepseek-v4-pro" : "deepseek-v4-flash"} here`,
        manual: "name the model of DeepSeek's that is meant",
      };
    }
  }
}

const ignored = ["top_k", "container", "mcp_servers"];

function* ofBody({ parameters, host, model }: Request, target: Target): Iterable<Problem> {
  const thinking = parameters.find(({ name }) => name === "thinking");
  const budget = parameterAt(parameters, ["thinking", "budget_tokens"]);
  // "disabled" got what it asks for: only the reasoner's name made V3.1 think
  const isOff =
    onlyValue(parameterAt(parameters, ["thinking", "type"])) === "disabled" &&
    model?.candidates.every(({ value }) => value !== "deepseek-reasoner");
  if (thinking && target === "v3.1" && !isOff) {
    yield {
      message: "V3.1's Anthropic endpoint ignored thinking",
      place: thinking.place,
      host,
      manual: "the model decides",
    };
  } else if (budget) {
    yield {
      message: "budget_tokens is not read by DeepSeek's endpoint: thinking has no budget here",
      place: budget.place,
      host,
      manual: "say how much to think with output_config.effort",
    };
  }
  for (const one of parameters.filter(({ name }) => ignored.includes(name))) {
    yield {
      message: `${one.name} is ignored by DeepSeek's Anthropic endpoint`,
      place: one.place,
      host,
      severity: one.name === "mcp_servers" ? "warning" : "info",
      manual:
        one.name === "mcp_servers" ? "call the servers from your own code" : "remove it, or check what it was for",
    };
  }
  for (const message of parameterAt(parameters, ["messages"])?.elements ?? []) {
    const role = parameterAt(message.parameters, ["role"]);
    if (role && target === "current" && onlyValue(role) === "system") {
      yield {
        message: "a system message among the messages is refused by DeepSeek's Anthropic endpoint",
        place: role.place,
        host,
        severity: "error",
        manual: "give it as the parameter system",
      };
    }
    for (const part of parameterAt(message.parameters, ["content"])?.elements ?? []) {
      const type = onlyValue(parameterAt(part.parameters, ["type"]));
      if (target !== "v3.1" || (type !== "image" && type !== "document")) continue;
      yield {
        message: `a part of type ${type} is not supported by V3.1's Anthropic endpoint`,
        place: part.place,
        host,
        severity: "error",
        manual: "send text",
      };
    }
  }
}

/** A variable that is given a value, in whatever file or code. */
interface Variable {
  readonly name: string;
  readonly value: unknown;
  readonly place: Place;
  readonly namePlace?: Place;
}

/** Variables of settings, and of words such as `-e ANTHROPIC_MODEL=deepseek-chat`. */
function variablesOf(file: FileFacts): readonly Variable[] {
  const inWords = file.commands.flatMap(({ words }) =>
    words.flatMap(({ text, place }): readonly Variable[] => {
      const [, name, value] = /^((?:ANTHROPIC|CLAUDE)_\w+)=(\S+)$/.exec(text) ?? [];
      // a word that is quoted in part stands in another length than its text
      if (name === undefined || place.end - place.start !== text.length) return [];
      const middle = place.start + name.length;
      return [{ name, value, place: { ...place, start: middle + 1 }, namePlace: { ...place, end: middle } }];
    }),
  );
  // of large files only these few are compared with each other
  const own = file.settings.filter(({ name }) => /(^|\.)(ANTHROPIC|CLAUDE)_/.test(name));
  const known: Variable[] = [];
  for (const one of [...own, ...inWords]) if (!known.some((other) => meets(one, other))) known.push(one);
  return known;
}

const meets = (a: { readonly place: Place }, b: { readonly place: Place }): boolean =>
  a.place.start < b.place.end && b.place.start < a.place.end;

function* ofVariables(file: FileFacts, target: Target): Iterable<Problem> {
  if (target !== "current") return;
  const all = variablesOf(file);
  const variables = all.filter(({ name }) => isAnthropicVariable(name));
  for (const mention of file.mentions) {
    if (variables.some((one) => meets(one, mention)) || !isAnthropicVariable(mention.name)) continue;
    variables.push({ name: mention.name, value: mention.id, place: mention.place });
  }
  const renamed = all.some(({ name }) => name === newVariable);
  for (const { name, value, place, namePlace } of variables) {
    if (!isRetiredAlias(value)) continue;
    const host = hostAround(file, all, place);
    const isOfficial = host?.host === "official";
    const short = name.slice(name.lastIndexOf(".") + 1);
    const isOld = short === oldVariable;
    const edits = [replaceString(file.text, place, "deepseek-flash")];
    if (isOld && namePlace && !renamed) edits.push(replaceString(file.text, namePlace, newVariable));
    const notes = [
      `${value} ${value === "deepseek-reasoner" ? "always thought" : "did not think"}; whether the new model thinks is its own choice`,
      ...(isOld ? [`${oldVariable} is called ${newVariable} now`] : []),
    ];
    yield {
      message: `${short} "${value}" is mapped to deepseek-v4-flash by the Anthropic endpoint; thinking and tier may differ`,
      place,
      ...(host ? { host } : {}),
      ...(host && !isOfficial ? { severity: "info" as const } : {}),
      manual: isOfficial
        ? notes.join("; ")
        : host
          ? "a host of another name is asked; what it makes of the model's name is not known here"
          : "no ANTHROPIC_BASE_URL here says which host reads it",
      ...(isOfficial
        ? { fix: { applicability: "suggested" as const, description: "name deepseek-flash", edits } }
        : {}),
    };
  }
}

/** The host that the nearest ANTHROPIC_BASE_URL of the file names: the official one, `other`, or undefined. */
function hostAround(file: FileFacts, variables: readonly Variable[], place: Place): HostVerdict | undefined {
  const urls = [...variables, ...file.literals].filter(({ name }) => /(^|\.)ANTHROPIC_BASE_URL$/.test(name));
  const distance = ({ place: { start, end } }: { readonly place: Place }): number =>
    Math.max(start - place.end, place.start - end);
  const [nearest] = urls.sort((a, b) => distance(a) - distance(b));
  if (!nearest) return undefined;
  const url = String(nearest.value);
  const host = hostOfUrl(url);
  const evidence = `ANTHROPIC_BASE_URL "${url}"`;
  if (host === "official") return { host, certainty: urls.length === 1 ? "certain" : "possible", evidence };
  // "$URL" and the like may be any
  return host === "unknown" ? undefined : { host: "other", certainty: "possible", evidence };
}
