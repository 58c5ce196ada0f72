// Long because the same name stands in a dozen roles, each with its own message and its own reason for having no fix.
import { clients } from "../clients.js";
import {
  type Candidate,
  type Facts,
  type HostVerdict,
  type Mention,
  type Place,
  type Request,
  textOf,
} from "../facts.js";
import { isBrokenByComment, replacePart } from "../fix/edits.js";
import {
  idForSdk,
  isAnthropicVariable,
  isRetiredAlias,
  ownName,
  type RetiredAlias,
  replacementOf,
  splitId,
} from "../models.js";
import { isAnthropic, isFim } from "../requests.js";
import type { Applicability, Edit, Fix, Problem, Rule, Severity } from "../rule.js";
import type { Target } from "../targets.js";
import { switchThinking } from "../thinking.js";

export const retiredModelAlias: Rule = {
  id: "retired-model-alias",
  code: "R01",
  title: "A model name that the official API no longer accepts",
  severity: { "v3.1": "info", current: "error" },
  effect: "hard error",
  comesLast: true,
  explanation:
    "V3.0 and V3.1 were never model names on api.deepseek.com: code said deepseek-chat or deepseek-reasoner, and on 2025-08-21 the weights behind both became V3.1. Since 2026-07-24 15:59 UTC the names are refused with HTTP 400. Today's model deepseek-flash thinks unless told not to, so a rename keeps its behaviour only together with the thinking switch: disabled for deepseek-chat and deepseek-coder, enabled for deepseek-reasoner. Where a framework puts the host before the name (deepseek/ in litellm, aider and CrewAI, deepseek: in pydantic-ai, LangChain and aisuite) the prefix stays; a setting in a configuration file can be renamed alone, but then the requests that read it have to carry the switch. A move to V3.1 means another host, with that host's own id; no rename on api.deepseek.com leads there.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "safe",
      before: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com", apiKey: process.env.DEEPSEEK_API_KEY });
const reply = await client.chat.completions.create({
  model: "deepseek-chat",
  messages: [{ role: "user", content: "Hello" }],
});
`,
      after: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com", apiKey: process.env.DEEPSEEK_API_KEY });
const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  // @ts-expect-error DeepSeek-only field
  thinking: { type: "disabled" },
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
  body: JSON.stringify({ model: 'deepseek-reasoner', messages }),
});
`,
      after: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: 'deepseek-flash', thinking: { type: 'enabled' }, messages }),
});
`,
    },
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `import OpenAI from "openai";
const MODEL = process.env.DEEPSEEK_MODEL ?? "deepseek-chat";
const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
export const ask = (messages: OpenAI.ChatCompletionMessageParam[]) =>
  client.chat.completions.create({ model: MODEL, messages });
`,
      after: `import OpenAI from "openai";
const MODEL = process.env.DEEPSEEK_MODEL ?? "deepseek-flash";
const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
export const ask = (messages: OpenAI.ChatCompletionMessageParam[]) =>
  client.chat.completions.create({
    model: MODEL,
    // @ts-expect-error DeepSeek-only field
    thinking: { type: "disabled" },
    messages,
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
    "model": "deepseek-chat",
    "messages": [{"role": "user", "content": "Hello"}]
  }'
`,
      after: `curl https://api.deepseek.com/chat/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{
    "model": "deepseek-flash",
    "thinking": {"type": "disabled"},
    "messages": [{"role": "user", "content": "Hello"}]
  }'
`,
    },
    {
      target: "current",
      language: "http",
      by: "safe",
      before: `POST https://api.deepseek.com/chat/completions
Authorization: Bearer {{key}}

{ "model": "deepseek-reasoner", "messages": [{ "role": "user", "content": "{{question}}" }] }
`,
      after: `POST https://api.deepseek.com/chat/completions
Authorization: Bearer {{key}}

{ "model": "deepseek-flash", "thinking": {"type": "enabled"}, "messages": [{ "role": "user", "content": "{{question}}" }] }
`,
    },
    {
      target: "current",
      language: "env",
      by: "suggested",
      before: `DEEPSEEK_BASE_URL=https://api.deepseek.com
DEEPSEEK_MODEL=deepseek-chat
`,
      after: `DEEPSEEK_BASE_URL=https://api.deepseek.com
DEEPSEEK_MODEL=deepseek-flash
`,
    },
    {
      target: "current",
      language: "yaml",
      by: "suggested",
      before: `model_list:
  - model_name: chat
    litellm_params:
      model: deepseek/deepseek-chat # the official API
      api_key: os.environ/DEEPSEEK_API_KEY
`,
      after: `model_list:
  - model_name: chat
    litellm_params:
      model: deepseek/deepseek-flash # the official API
      api_key: os.environ/DEEPSEEK_API_KEY
`,
    },
    {
      target: "current",
      language: "py",
      by: "safe",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(
    model="deepseek-chat",
    messages=[{"role": "user", "content": "Hello"}],
)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(
    model="deepseek-flash",
    extra_body={"thinking": {"type": "disabled"}},
    messages=[{"role": "user", "content": "Hello"}],
)
`,
    },
    {
      target: "current",
      language: "py",
      by: "safe",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-reasoner", messages=messages)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", extra_body={"thinking": {"type": "enabled"}}, messages=messages)
`,
    },
    {
      target: "current",
      language: "py",
      by: "safe",
      before: `from litellm import completion
reply = completion(model="deepseek/deepseek-chat", messages=messages)
`,
      after: `from litellm import completion
reply = completion(model="deepseek/deepseek-flash", thinking={"type": "disabled"}, messages=messages)
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from pydantic_ai import Agent
agent = Agent("deepseek:deepseek-chat", instructions="Be brief.")
`,
      after: `from pydantic_ai import Agent
agent = Agent("deepseek:deepseek-flash", model_settings={"extra_body": {"thinking": {"type": "disabled"}}}, instructions="Be brief.")
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/updates",
      "https://api-docs.deepseek.com/news/news250821",
      "https://api-docs.deepseek.com/news/news260424",
      "https://api-docs.deepseek.com/news/news260910",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    // the Anthropic endpoint refuses no name, and completions of a prompt have another successor: rules of their own
    const isOther = (request: Request) =>
      (isAnthropic(request) && request.host.host === "official") || (target === "current" && isFim(request));
    const reported = new Set(facts.files.flatMap((file) => file.requests.filter(isOther)).flatMap(keysOf));
    for (const use of usesOf(facts, isOther)) {
      // the request may go to several hosts, but this name to one: the mention knows
      if (
        !use.isShared &&
        use.mention?.host.certainty === "certain" &&
        use.requests.every(({ host }) => host.host === "unknown")
      )
        continue;
      reported.add(keyOf(use.candidate));
      yield ofRequests(facts, use, target);
    }
    for (const file of facts.files) {
      for (const mention of file.mentions) {
        const alias = ownName(mention.id, mention.host.host);
        if (!isRetiredAlias(alias) || reported.has(keyOf(mention))) continue;
        const problem = ofMention(facts, alias, mention, target);
        if (problem) yield problem;
      }
    }
  },
};

/** A literal with a retired name and the requests it reaches. */
interface Use {
  readonly alias: RetiredAlias;
  readonly candidate: Candidate;
  readonly requests: readonly Request[];
  readonly mention: Mention | undefined;
  /** Another host is asked for it too, so that it may not be changed. */
  readonly isShared: boolean;
}

const keyOf = ({ place }: { place: Candidate["place"] }): string => `${place.file}:${place.start}`;

const keysOf = ({ model }: Request): readonly string[] => (model?.candidates ?? []).map(keyOf);

/** The literals of retired names by which requests to the official or an unknown host are made. */
function usesOf(facts: Facts, isOther: (request: Request) => boolean): readonly Use[] {
  const uses = new Map<string, { alias: RetiredAlias; candidate: Candidate; requests: Request[] }>();
  const elsewhere = new Set<string>();
  for (const request of facts.files.flatMap((file) => file.requests)) {
    for (const candidate of request.model?.candidates ?? []) {
      if (candidate.partial) continue;
      const { host } = request.host;
      if (isOther(request) || (host !== "official" && host !== "unknown")) {
        elsewhere.add(keyOf(candidate));
        continue;
      }
      const alias = ownName(candidate.value, host);
      if (!isRetiredAlias(alias)) continue;
      const use = uses.get(keyOf(candidate)) ?? { alias, candidate, requests: [] };
      use.requests.push(request);
      uses.set(keyOf(candidate), use);
    }
  }
  const mentions = new Map(facts.files.flatMap((file) => file.mentions).map((mention) => [keyOf(mention), mention]));
  return [...uses].map(([key, use]) => ({
    ...use,
    mention: mentions.get(key),
    isShared: elsewhere.has(key),
  }));
}

function ofRequests(facts: Facts, use: Use, target: Target): Problem {
  const { alias, candidate, requests } = use;
  const [first] = requests as [Request];
  const host = requests.every((request) => request.host.host === "official") ? first.host : worst(requests);
  const common = { place: candidate.place, host, path: candidate.path };
  if (target === "v3.1") {
    return {
      ...common,
      message: `"${alias}" meant V3.1 on api.deepseek.com from 2025-08-21 on and is refused there today; ask the host that serves your V3.1 for its id`,
      manual: "no id of api.deepseek.com leads to V3.1",
    };
  }
  if (host.host !== "official") {
    return {
      ...common,
      severity: "warning",
      message: `"${alias}" is refused by the official API since 2026-07-24; which host is asked here is not known`,
      manual: "an unknown host is never fixed",
    };
  }
  const name = String(candidate.value);
  const { prefix } = splitId(name);
  if (prefix && requests.some(({ client }) => !clients[client].isRouter)) {
    return {
      ...common,
      message: `"${name}" is a router's name, and "${alias}" is refused by the official API since 2026-07-24`,
      manual:
        "this client sends the name as it is, and no API of DeepSeek knew it with a prefix; decide which host is meant",
    };
  }
  const { id, thinking } = replacementOf(alias);
  return {
    ...common,
    message: `"${name}" is refused with HTTP 400 since 2026-07-24; "${prefix}${id}" with thinking ${thinking} behaves the same`,
    ...fixOf(facts, use),
  };
}

function worst(requests: readonly Request[]): HostVerdict {
  return requests.find(({ host }) => host.host !== "official")!.host;
}

function fixOf(facts: Facts, use: Use): { fix: Fix } | { manual: string } {
  const { alias, candidate, requests, mention } = use;
  const { thinking } = replacementOf(alias);
  const inside = requests.length === 1 && isInside(candidate, requests[0]!);
  // the value of an environment variable, set in a configuration file that was scanned
  const isSetting = mention?.kind === "setting" && candidate.environment !== undefined;
  if (requests.some(({ model }) => new Set(model?.candidates.map(({ value }) => value)).size > 1)) {
    return { manual: "the request chooses between models; the thinking switch has to follow the same choice" };
  }
  if (use.isShared || (!inside && !mention?.onlyRequests && !isSetting)) {
    return { manual: "the name is used in places that are not known here; change it and the requests together" };
  }
  if (requests.some(({ modelProperty }) => modelProperty && !modelProperty.sure)) {
    return { manual: "the model is set under a condition, or changed later; rename it by hand" };
  }
  if (isBrokenByComment(textOf(facts, candidate.place.file), candidate.place)) {
    return { manual: "the name is written in parts with a comment between them; rename it by hand" };
  }
  const notes: string[] = [];
  const edits: Edit[] = [];
  let applicability: Applicability = "safe";
  let id = replacementOf(alias).id;
  const doubt = (note: string) => {
    applicability = "suggested";
    notes.push(note);
  };
  if (inside && requests.some((request) => isKept(facts, candidate, request)))
    doubt("a variable is given the name too");
  for (const request of requests) {
    const change = switchThinking(facts, request, thinking);
    if ("manual" in change) return { manual: change.manual };
    edits.push(...change.edits);
    if (change.applicability !== "safe") doubt(change.note ?? "check where this client passes the switch");
    if (request.host.certainty !== "certain") doubt(`the host is only likely: ${request.host.evidence}`);
    const tools = request.parameters.find(({ name }) => /^(tools|functions|tool_?choice)$/i.test(name));
    if (tools && thinking === "enabled") {
      doubt(`with ${tools.name} a thinking model wants its reasoning_content back, and refuses a forced tool_choice`);
    }
    if (request.package !== "@ai-sdk/deepseek") continue;
    const sdk = idForSdk(request.packageVersion);
    if (sdk.id === undefined) {
      return {
        manual: `@ai-sdk/deepseek ${request.packageVersion} knows no V4 model; upgrade it first (1.0.57, 2.0.64, 3.0.44)`,
      };
    }
    if (!sdk.known) doubt("the version of @ai-sdk/deepseek is not known; it must be 1.0.57, 2.0.64, 3.0.44 or newer");
    else if (sdk.id !== id) doubt(`@ai-sdk/deepseek ${request.packageVersion} does not treat deepseek-flash as V4 yet`);
    id = sdk.id;
  }
  if (isSetting) doubt(`whatever else reads ${candidate.environment} has to follow`);
  else if (candidate.path.length > 0) {
    doubt(
      candidate.environment ? `${candidate.environment} may name another model` : "the name stands away from the call",
    );
  } else if (requests.some(({ model }) => model?.certainty !== "certain")) doubt("the model may be another");
  edits.unshift(replacePart(textOf(facts, candidate.place.file), candidate.place, alias, id));
  const description = `rename to ${splitId(String(candidate.value)).prefix}${id}${edits.length > 1 ? ` and set thinking ${thinking}` : ""}`;
  return {
    fix: { applicability, description, edits },
    ...(notes.length > 0 ? { manual: [...new Set(notes)].join("; ") } : {}),
  };
}

/** Stands the name in the request itself, as its model's value or as an argument of its own? */
function isInside({ place, path }: Candidate, { place: call, modelProperty, object }: Request): boolean {
  const isIn = (holder: Place | undefined) =>
    holder?.file === place.file && holder.start <= place.start && place.end <= holder.end;
  // an object that is spread in may be used elsewhere, too
  if (modelProperty) return isIn(modelProperty.valuePlace) && (isIn(call) || isIn(object?.place));
  return path.length === 0 && isIn(call);
}

/** Is the name given to a variable on the way into the request: `model=(name := "deepseek-chat")`? */
function isKept(facts: Facts, { place }: Candidate, { modelProperty }: Request): boolean {
  const from = modelProperty?.valuePlace.start ?? place.start;
  return textOf(facts, place.file).slice(from, place.start).includes(":=");
}

const reasons: Readonly<Record<Mention["kind"], string>> = {
  comparison: "after the rename this comparison never holds; test the mode instead",
  "switch case": "after the rename this case is never reached",
  "text test": "after the rename this test never holds",
  "table key": "a row of a table: the code that looks it up has to change with it",
  type: "part of a type: add today's names beside it, or callers no longer compile",
  list: "one of a list of names; decide whether users may still choose it",
  attribute: "a choice on a page; stored choices have to be migrated",
  property: "which request uses it is not known here; rename it together with the thinking switch",
  argument: "which request uses it is not known here; rename it together with the thinking switch",
  default: "which request uses it is not known here; rename it together with the thinking switch",
  constant: "which request uses it is not known here; rename it together with the thinking switch",
  setting: "where the requests that use it are made, the thinking switch has to be set",
  other: "what it is for is not known here",
};

/** Roles in which the literal is likely to be sent. */
const sent: readonly Mention["kind"][] = ["property", "argument", "default", "constant", "setting"];

function ofMention(facts: Facts, alias: RetiredAlias, mention: Mention, target: Target): Problem | undefined {
  const { id, kind, host, place, name } = mention;
  if (host.host !== "official" && host.host !== "unknown") return undefined;
  // the Anthropic endpoint maps these; anthropic-endpoint speaks of them
  if (isAnthropicVariable(name)) return undefined;
  // promptfoo and its like name a model by provider and id: `id: deepseek:deepseek-chat`
  const names = splitId(id).prefix === "deepseek:" ? /model|llm|engine|^(id|provider)$/i : /model|llm|engine/i;
  const isSent = sent.includes(kind) && (!["property", "setting"].includes(kind) || names.test(name));
  const official = host.host === "official";
  const severity: Severity =
    target === "v3.1" ? "info" : official ? (isSent ? "error" : "warning") : isSent ? "warning" : "info";
  const role = name ? `${kind} ${name}` : kind;
  const common = {
    message:
      target === "v3.1"
        ? `"${id}" (${role}) meant V3.1 on api.deepseek.com and is refused there today`
        : `"${id}" (${role}) is refused by the official API since 2026-07-24`,
    place,
    host,
    severity,
    manual: reasons[kind],
  };
  if (kind !== "setting" || !isSent || !official || target === "v3.1") return common;
  const replacement = replacementOf(alias);
  return {
    ...common,
    manual:
      replacement.thinking === "disabled"
        ? `${replacement.id} thinks unless told not to: the requests that read this setting have to say thinking disabled`
        : `${replacement.id} thinks unless told not to; let the requests that read this setting say so all the same`,
    fix: {
      applicability: "suggested",
      description: `rename to ${splitId(id).prefix}${replacement.id}`,
      edits: [replacePart(textOf(facts, place.file), place, alias, replacement.id)],
    },
  };
}
