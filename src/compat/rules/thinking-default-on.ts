import { clients } from "../clients.js";
import { replaceString } from "../edits.js";
import { type Facts, type Parameter, type Request, textOf } from "../facts.js";
import { isCurrentId, isRetiredAlias, replacementOf } from "../models.js";
import type { Problem, Rule } from "../rule.js";
import { writeProperty } from "../syntax.js";
import { hasEffort, parameterAt, switchThinking, thinkingOf } from "../thinking.js";
import { setUp } from "./example-client.js";

export const thinkingDefaultOn: Rule = {
  id: "thinking-default-on",
  code: "R02",
  title: "Thinking is on by default, or its switch stands where nobody reads it",
  severity: { "v3.1": null, current: "warning" },
  effect: "silent change",
  explanation:
    'In V3.0 and V3.1 the model name chose the mode. From V4 on thinking is on unless the request says thinking: { type: "disabled" }: a request that names deepseek-flash or a V4 model without the switch costs more, answers later, ignores temperature, and a small max_tokens may be used up by reasoning so that content is empty. openai-node and plain HTTP send the body as it is, so an extra_body object (the way of the Python client) is sent under that name and has no effect; its content belongs on the top level. enable_thinking is the switch of other hosts.',
  examples: [
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  max_tokens: 60,
  messages: [{ role: "user", content: "Hello" }],
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  // @ts-expect-error DeepSeek-only field
  thinking: { type: "disabled" },
  max_tokens: 60,
  messages: [{ role: "user", content: "Hello" }],
});
`,
    },
    {
      target: "current",
      language: "js",
      by: "safe",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages,
  extra_body: { thinking: { type: "disabled" } },
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages,
  thinking: { type: "disabled" },
});
`,
    },
    {
      target: "current",
      language: "js",
      by: "suggested",
      before: `const response = await fetch("https://api.deepseek.com/v1/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-v4-pro", messages, enable_thinking: false }),
});
`,
      after: `const response = await fetch("https://api.deepseek.com/v1/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-v4-pro", messages, thinking: { type: "disabled" } }),
});
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, max_tokens=60)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", extra_body={"thinking": {"type": "disabled"}}, messages=messages, max_tokens=60)
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/guides/thinking_mode",
      "https://api-docs.deepseek.com/api/create-chat-completion",
      "https://github.com/openai/openai-node#undocumented-request-params",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      if (request.host.host !== "official") continue;
      const body = misplaced(facts, request);
      if (body) yield body;
      const foreign = foreignSwitch(facts, request);
      if (foreign) yield foreign;
      if (!body && !foreign) {
        const problem = withoutSwitch(facts, request);
        if (problem) yield problem;
      }
    }
  },
};

/** `extra_body`, which only the Python client takes apart. */
function misplaced(facts: Facts, request: Request): Problem | undefined {
  const body = request.parameters.find(({ name }) => name === "extra_body");
  if (!body || !["openai-node", "fetch", "axios"].includes(request.client)) return undefined;
  const common = {
    message: "extra_body is sent to the server under that name and has no effect; its content belongs on the top level",
    place: body.namePlace,
    host: request.host,
  };
  const inner = body.parameters ?? [];
  const clash = inner.find(({ name }) => request.parameters.some((other) => other.name === name));
  if (!body.direct || !body.object || inner.length === 0 || inner.length !== body.object.properties.length) {
    return { ...common, manual: "what extra_body holds is not written out here" };
  }
  if (clash) return { ...common, manual: `${clash.name} stands on the top level already` };
  const text = textOf(facts, body.place.file);
  const [from, to] = [body.object.properties[0]!.start, body.object.properties.at(-1)!.end];
  const doubts = [
    ...(request.host.certainty === "certain" ? [] : [`the host is only likely: ${request.host.evidence}`]),
    ...(inner.every(({ name }) => name === "thinking" || name === "reasoning_effort")
      ? []
      : ["what had no effect so far takes effect"]),
    ...(changesMode(request, inner) ? ["the retired name chose the mode so far; decide which is meant"] : []),
    ...(request.spreads.every(({ known }) => known) ? [] : ["an object spread into the request is not known here"]),
    ...(request.object?.directives && !(inner.length === 1 && directiveAbove(text, body))
      ? ["a compiler directive or a type of your own may not allow it there"]
      : []),
  ];
  return {
    ...common,
    ...(doubts.length > 0 ? { manual: doubts.join("; ") } : {}),
    fix: {
      applicability: doubts.length > 0 ? "suggested" : "safe",
      description: "move the content of extra_body to the top level",
      edits: [{ ...body.place, text: text.slice(from, to) }],
    },
  };
}

/** Stands a directive on the line above, which then covers what moves there? */
function directiveAbove(text: string, { place }: Parameter): boolean {
  return /@ts-(ignore|expect-error)[^\n]*\n\s*$/.test(text.slice(0, place.start));
}

/** May what takes effect contradict the mode that a retired name stood for? */
function changesMode({ model }: Request, inner: readonly Parameter[]): boolean {
  const type = parameterAt(inner, ["thinking", "type"])?.value;
  return (model?.candidates ?? []).some(({ value }) => {
    if (!isRetiredAlias(value)) return false;
    const same = type?.certainty === "certain" && type.candidates[0]?.value === replacementOf(value).thinking;
    return !same || inner.length > 1;
  });
}

/** `enable_thinking`, the switch of Alibaba, SiliconFlow and vLLM. */
function foreignSwitch(facts: Facts, request: Request): Problem | undefined {
  const top = parameterAt(request.parameters, ["enable_thinking"]);
  const nested =
    parameterAt(request.parameters, ["chat_template_kwargs", "enable_thinking"]) ??
    parameterAt(request.parameters, ["extra_body", "enable_thinking"]) ??
    parameterAt(request.parameters, ["extra_body", "chat_template_kwargs", "enable_thinking"]);
  const found = top ?? nested;
  if (!found) return undefined;
  const common = {
    message: "enable_thinking is a switch of other hosts; the official API reads thinking: { type }",
    place: found.namePlace,
    host: request.host,
  };
  const [value] = found.value.candidates;
  if (!top?.direct || clients[request.client].body.length > 0 || !found.literal || typeof value?.value !== "boolean") {
    return { ...common, manual: "write thinking instead, where the client takes it" };
  }
  if (thinkingOf(request)) return { ...common, manual: "the request has a thinking switch already; remove this one" };
  const quote = quoteNear(textOf(facts, found.place.file), request.modelProperty);
  const mode = value.value ? "enabled" : "disabled";
  return {
    ...common,
    manual: "the switch had no effect so far; setting it changes what the model does",
    fix: {
      applicability: "suggested",
      description: "write it as thinking",
      edits: [
        { ...found.place, text: writeProperty("thinking", { type: mode }, request.object?.syntax ?? "js", quote) },
      ],
    },
  };
}

function withoutSwitch(facts: Facts, request: Request): Problem | undefined {
  const ids = request.model?.candidates ?? [];
  if (ids.length === 0 || !ids.every(({ value }) => isCurrentId(value))) return undefined;
  if (thinkingOf(request) || hasEffort(request) || request.spreads.some(({ known }) => !known)) return undefined;
  const small = request.parameters.find(({ name, value }) => {
    const limit = value.candidates[0]?.value;
    return /^max_?(output)?_?tokens$/i.test(name) && typeof limit === "number" && limit < 2000;
  });
  const hurt = [
    ...(small ? [`${small.name} may be used up by reasoning`] : []),
    ...(request.parameters.some(({ name }) => name === "temperature") ? ["temperature is ignored"] : []),
    ...(request.parameters.some(({ name }) => /^tool_?choice$/i.test(name)) ? ["a forced tool choice is refused"] : []),
  ];
  const change = switchThinking(facts, request, "disabled");
  const certain = ids[0]!;
  return {
    message: `"${certain.value}" thinks unless told not to${hurt.length > 0 ? `: ${hurt.join(", ")}` : ""}`,
    place: request.modelProperty?.place ?? request.place,
    host: request.host,
    path: certain.path,
    ...("manual" in change || change.edits.length === 0
      ? { manual: "manual" in change ? change.manual : "say in the request whether it shall think" }
      : {
          manual: "if thinking is wanted, say so with type enabled",
          fix: { applicability: "suggested", description: "switch thinking off", edits: change.edits },
        }),
  };
}

function quoteNear(text: string, property: Parameter | undefined): string {
  const place = property?.valuePlace;
  return place && text[place.start] === "'" ? replaceString(text, place, "").text[0]! : '"';
}
