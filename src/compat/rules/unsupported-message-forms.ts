// Long because half of it is examples, one for each language and form it is found in.

import { type Facts, type FileFacts, type Parameter, type Request, textOf } from "../facts.js";
import { replaceString } from "../fix/edits.js";
import { isCurrentId, isRetiredAlias } from "../models.js";
import { officialFile, onlyValue } from "../official.js";
import type { Problem, Rule, Severity } from "../rule.js";
import type { Target } from "../targets.js";
import { parameterAt } from "../thinking.js";
import { setUp } from "./example-client.js";

/** The most tools one request may offer. */
const mostTools = 128;
/** What reasoning_effort may be since 2026-08, aliases included. */
const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"];

export const unsupportedMessageForms: Rule = {
  id: "unsupported-message-forms",
  code: "R23",
  title: "A form of message or tool that the API refuses",
  severity: { "v3.1": "error", current: "error" },
  effect: "hard error",
  explanation:
    "Code that was written for another API trips over these in every version of DeepSeek's. The role developer is an unknown variant (422 in 2025, 400 later): system is the same. An assistant or tool message takes a string as content, no array of parts. Images are read by deepseek-flash and the vision model only, since August 2026. An assistant message that is sent again needs the name and arguments of its tool calls under function. At most 128 tools, all of type function, may be offered, and a reasoning_effort that the server does not know is refused. The observations are those of users, the limits of tools are documented.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "safe",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [
    { role: "developer", content: "Be brief" },
    { role: "user", content: "Hello" },
  ],
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [
    { role: "system", content: "Be brief" },
    { role: "user", content: "Hello" },
  ],
});
`,
    },
    {
      target: "v3.1",
      language: "js",
      by: "safe",
      before: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({
    model: "deepseek-chat",
    messages: [{ role: "user", content: q }, { role: "assistant", content: [{ type: "text", text: "Yes" }] }],
  }),
});
`,
      after: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({
    model: "deepseek-chat",
    messages: [{ role: "user", content: q }, { role: "assistant", content: "Yes" }],
  }),
});
`,
    },
    {
      target: "current",
      language: "py",
      by: "safe",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "developer", "content": "Be brief"}])
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "system", "content": "Be brief"}])
`,
    },
    {
      target: "current",
      language: "py",
      by: "safe",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "assistant", "content": [{"type": "text", "text": "Yes"}]}])
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "assistant", "content": "Yes"}])
`,
    },
    {
      target: "current",
      language: "http",
      by: "safe",
      before: `POST https://api.deepseek.com/chat/completions
Authorization: Bearer {{key}}
Content-Type: application/json

{ "model": "deepseek-flash", "messages": [{ "role": "developer", "content": "Be brief" }] }
`,
      after: `POST https://api.deepseek.com/chat/completions
Authorization: Bearer {{key}}
Content-Type: application/json

{ "model": "deepseek-flash", "messages": [{ "role": "system", "content": "Be brief" }] }
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/api/create-chat-completion",
      "https://github.com/eclipse-theia/theia/issues/15144",
      "https://github.com/marimo-team/marimo/issues/7036",
    ],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      const roles = new Set<number>();
      for (const request of file.requests.filter(sendsAsWritten)) {
        for (const message of elementsOf(request, "messages")) {
          const role = memberOf(message, "role");
          if (role) roles.add(role.valuePlace.start);
          for (const problem of ofMessage(facts, request, message, target)) yield guardedBy(request, problem);
        }
        for (const problem of ofTools(request)) yield guardedBy(request, problem);
      }
      yield* ofLooseRoles(file, roles);
    }
  },
};

/** A chat completion to the official API, or by a name that only it had, whose body nobody translates on the way. */
function sendsAsWritten({ client, endpoint, host, model }: Request): boolean {
  if (/^(responses|messages|beta\.messages)\./.test(endpoint)) return false;
  if (!["openai-node", "openai-python", "fetch", "axios", "http"].includes(client)) return false;
  if (host.host === "official") return true;
  const ids = model?.candidates ?? [];
  return host.host === "unknown" && ids.length > 0 && ids.every(({ value }) => isRetiredAlias(value));
}

/** Where the host is not sure, less is said and nothing is changed by itself. */
function guardedBy({ host }: Request, problem: Problem): Problem {
  if (host.host === "official") {
    if (host.certainty === "certain" || problem.fix?.applicability !== "safe") return { ...problem, host };
    const manual = [problem.manual, `the host is only likely: ${host.evidence}`].filter(Boolean).join("; ");
    return { ...problem, host, manual, fix: { ...problem.fix, applicability: "suggested" } };
  }
  const { fix, ...rest } = problem;
  const manual = fix ? "an unknown host is never fixed" : rest.manual;
  return { ...rest, host, severity: "warning", ...(manual ? { manual } : {}) };
}

const elementsOf = ({ parameters }: Request, name: string): readonly Parameter[] =>
  parameterAt(parameters, [name])?.elements ?? [];
const memberOf = (parameter: Parameter, name: string): Parameter | undefined =>
  parameterAt(parameter.parameters, [name]);

function* ofMessage(facts: Facts, request: Request, message: Parameter, target: Target): Iterable<Problem> {
  const role = memberOf(message, "role");
  const content = memberOf(message, "content");
  const named = onlyValue(role);
  if (role && named === "developer") yield ofDeveloper(facts, role);
  if (content?.elements && (named === "assistant" || named === "tool")) yield ofParts(facts, content, named);
  const image = content?.elements?.find((part) => onlyValue(memberOf(part, "type")) === "image_url");
  if (image) {
    const problem = ofImage(request, image, target);
    if (problem) yield problem;
  }
  for (const call of memberOf(message, "tool_calls")?.elements ?? []) {
    const flat = ["name", "arguments"].flatMap((name) => memberOf(call, name) ?? []);
    if (flat.length === 0 || memberOf(call, "function")) continue;
    yield {
      message: `${flat.map(({ name }) => name).join(" and ")} of a tool call belong under function; the API refuses the message`,
      place: call.place,
      manual: 'write it as { id, type: "function", function: { name, arguments } }',
    };
  }
}

function ofDeveloper(facts: Facts, role: Parameter): Problem {
  const common = {
    message: 'the role "developer" is refused by the API; "system" is the same',
    place: role.valuePlace,
  };
  const [candidate] = role.value.candidates;
  if (!role.literal || !role.direct || !candidate) {
    return { ...common, manual: "the role is written away from the message; change it there if nothing else uses it" };
  }
  return {
    ...common,
    fix: {
      applicability: "safe",
      description: "rename the role to system",
      edits: [replaceString(textOf(facts, candidate.place.file), candidate.place, "system")],
    },
  };
}

function ofParts(facts: Facts, content: Parameter, role: string): Problem {
  const common = {
    message: `content of the role "${role}" is an array, where the API takes a string`,
    place: content.place,
  };
  const [part, ...others] = content.elements!;
  const text = part && memberOf(part, "text");
  const isText = part && onlyValue(memberOf(part, "type")) === "text" && part.parameters?.length === 2;
  if (!text?.literal || !isText || others.length > 0 || !content.direct || content.shorthand) {
    return { ...common, manual: "join the texts of its parts into one string" };
  }
  const source = textOf(facts, content.place.file);
  const whole = source.slice(content.valuePlace.start, content.valuePlace.end);
  const written = source.slice(text.valuePlace.start, text.valuePlace.end);
  // a name that leads to an array elsewhere, a comment inside, a cast: not to be cut short
  if (!/^\[[\s\S]*\]$/.test(whole) || /\/\/|\/\*|#/.test(whole.replace(written, ""))) {
    return { ...common, manual: "join the texts of its parts into one string" };
  }
  return {
    ...common,
    fix: {
      applicability: "safe",
      description: "write its only text as a string",
      edits: [{ ...content.valuePlace, text: written }],
    },
  };
}

function ofImage(request: Request, image: Parameter, target: Target): Problem | undefined {
  const ids = (request.model?.candidates ?? []).map(({ value }) => String(value));
  const isBlind = (id: string) => isRetiredAlias(id) || (isCurrentId(id) && /pro$/.test(id));
  if (target === "current" && (ids.length === 0 || !ids.every(isBlind))) return undefined;
  return {
    message:
      target === "v3.1"
        ? "V3.1 reads text only: a part of type image_url is refused"
        : `"${ids[0]}" reads text only: a part of type image_url is refused`,
    place: image.place,
    manual: "images are read by deepseek-flash on the official API, since August 2026",
  };
}

function* ofTools(request: Request): Iterable<Problem> {
  const effort =
    parameterAt(request.parameters, ["reasoning_effort"]) ??
    parameterAt(request.parameters, ["extra_body", "reasoning_effort"]);
  const value = onlyValue(effort);
  if (effort && typeof value === "string" && effort.value.environment.length === 0 && !efforts.includes(value)) {
    yield {
      message: `reasoning_effort "${value}" is not known to the API, which refuses it`,
      place: effort.place,
      manual: "it takes none, low, high or max",
    };
  }
  const tools = elementsOf(request, "tools");
  const [last] = tools.slice(mostTools);
  if (last) {
    yield {
      message: `${tools.length} tools are offered; the API takes ${mostTools} at most`,
      place: last.place,
      manual: "offer those that the task needs",
    };
  }
  for (const tool of tools) {
    const type = memberOf(tool, "type");
    const kind = onlyValue(type);
    if (!type || typeof kind !== "string" || kind === "function") continue;
    yield {
      message: `a tool of type "${kind}" is refused; the API knows function only`,
      place: type.place,
      manual: "describe it as a function and run it in your own code",
    };
  }
}

/** `role: "developer"` in messages that are built away from their request. */
function* ofLooseRoles(file: FileFacts, known: ReadonlySet<number>): Iterable<Problem> {
  const host = officialFile(file);
  const plain = file.requests.filter(sendsAsWritten);
  // every message of the file has to be for a chat completion of the official API
  if (!host || plain.length === 0 || plain.length < file.requests.length) return;
  const tested = (start: number) => file.comparisons.some(({ place }) => place.start <= start && start < place.end);
  for (const { name, value, kind, place } of file.literals) {
    if (name !== "role" || value !== "developer" || kind !== "string" || known.has(place.start) || tested(place.start))
      continue;
    const severity: { severity: Severity } = { severity: "warning" };
    yield {
      message: 'the role "developer" is refused by the API; "system" is the same',
      place,
      host,
      ...severity,
      manual: "which request sends this message is not known here",
      fix: {
        applicability: "suggested",
        description: "rename the role to system",
        edits: [replaceString(file.text, place, "system")],
      },
    };
  }
}
