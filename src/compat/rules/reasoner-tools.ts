import { type Facts, type FileFacts, type NamedFlag, type Place, type Request, textOf } from "../facts.js";
import { replacePart } from "../fix/edits.js";
import { ownName } from "../models.js";
import { asksDeepSeek, modelsOf, settingOf } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import { callsOnModels } from "../structured-output.js";
import { setUp } from "./example-client.js";

export const reasonerTools: Rule = {
  id: "reasoner-tools",
  code: "R08",
  title: "Tools together with the reasoner",
  severity: { "v3.1": "warning", current: "info" },
  effect: "silent change",
  explanation:
    'R1 refused tools ("deepseek-reasoner does not support Function Calling"), R1-0528 took them, and V3.1 up to V3.2-Exp answered such a request with the non-thinking model: no reasoning, no reasoning_content, and no error that says so. Since V3.2 the model thinks with tools too. So for V3.1 a reasoner with tools loses its reasoning: name deepseek-chat where that is meant, or ask twice, once to think and once with tools; the tools themselves are never removed. For today\'s API guards of the V3.0 era that keep tools from the reasoner (supportsToolCalls: false, deleting tools, tool_calling_method raw) are no longer needed; for V3.1 they are right.',
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "suggested",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-reasoner",
  messages,
  tools,
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-chat",
  messages,
  tools,
});
`,
    },
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `export const models = {
  "deepseek-reasoner": { contextWindow: 64_000, supportsToolCalls: false },
};
`,
      after: `export const models = {
  "deepseek-reasoner": { contextWindow: 64_000, supportsToolCalls: true },
};
`,
    },
    {
      target: "v3.1",
      language: "py",
      by: "none",
      before: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-reasoner")
agent = llm.bind_tools([weather])
`,
      after: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-chat")
agent = llm.bind_tools([weather])
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/quick_start/pricing",
      "https://api-docs.deepseek.com/guides/function_calling",
      "https://api-docs.deepseek.com/zh-cn/news/news250528",
      "https://github.com/lobehub/lobehub/pull/8886",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target, from) {
    if (target === "current") yield* guards(facts);
    // V3.1 treats code written for it as before
    else if (from === "v3.0") yield* losses(facts);
  },
};

const isReasoner = (request: Request): boolean => {
  const ids = modelsOf(request);
  return ids.length > 0 && ids.every((id) => id === "deepseek-reasoner");
};

/** Requests of the reasoner with tools, which V3.1 answers without thinking. */
function* losses(facts: Facts): Iterable<Problem> {
  const lost =
    "V3.1 answers deepseek-reasoner with tools by its non-thinking model: no reasoning, no reasoning_content";
  const manual =
    "if the reasoning is not needed, name deepseek-chat; otherwise think in a request without tools. The tools stay";
  for (const file of facts.files) {
    for (const request of file.requests) {
      const tools =
        asksDeepSeek(request) && isReasoner(request) ? settingOf(request, /^(tools|functions)$/) : undefined;
      if (!tools) continue;
      yield {
        message: `${tools.parameter.name}: ${lost}`,
        place: tools.parameter.place,
        host: request.host,
        manual,
        ...plainChat(facts, request),
      };
    }
    yield* agentsOf(file, lost, manual);
  }
  for (const { call, request } of callsOnModels(
    facts,
    /^(bindTools|bind_tools|withStructuredOutput|with_structured_output)$/,
  )) {
    if (
      !asksDeepSeek(request) ||
      !isReasoner(request) ||
      /json_?(mode|schema)/i.test(textOf(facts, call.place.file).slice(call.calleePlace.end, call.place.end))
    )
      continue;
    yield { message: `${call.name}(): ${lost}`, place: call.calleePlace, host: request.host, manual };
  }
}

const agentMakers =
  /^(create_?react_?agent|create_?agent|create_?tool_?calling_?agent|create_?openai_?tools_?agent|createReactAgent|createAgent|createToolCallingAgent)$/;

/** Agents made in a file whose models are all reasoners. */
function* agentsOf(file: FileFacts, lost: string, manual: string): Iterable<Problem> {
  const models = file.requests.filter(({ client }) => /^(langchain|llamaindex)/.test(client));
  const [first] = models;
  if (!first || !models.every((one) => asksDeepSeek(one) && isReasoner(one))) return;
  for (const call of file.calls) {
    if (!agentMakers.test(call.name)) continue;
    yield { message: `${call.name}(): ${lost}`, place: call.calleePlace, host: first.host, manual };
  }
}

/** The same answers by name: what V3.1 does anyway. */
function plainChat(facts: Facts, request: Request): Pick<Problem, "fix"> {
  const [only, ...others] = request.model?.candidates ?? [];
  const isOnSpot = only && others.length === 0 && only.path.length === 0 && request.modelProperty?.sure;
  if (!isOnSpot || request.host.host !== "official") return {};
  const text = textOf(facts, only.place.file);
  return {
    fix: {
      applicability: "suggested",
      description: "name deepseek-chat, which V3.1 uses for tools anyway",
      edits: [replacePart(text, only.place, "deepseek-reasoner", "deepseek-chat")],
    },
  };
}

const toolFlag =
  /^(supports?_?(tools?|tool_?calls?|tool_?calling|function_?calling|functions?)|function_?calls?|function_?calling|tool_?calls?|tool_?calling|can_?use_?tools?)$/i;

/** Is it a flag that keeps tools from a model? */
export function keepsToolsAway({ name, value }: NamedFlag): boolean {
  return !value && toolFlag.test(name);
}

/** Guards that keep tools from the reasoner. */
function* guards(facts: Facts): Iterable<Problem> {
  const reason = "since V3.2 the model thinks with tools too";
  for (const file of facts.files) {
    for (const flag of file.flags) {
      if (!keepsToolsAway(flag) || ownName(flag.owner, flag.host.host) !== "deepseek-reasoner") continue;
      if (flag.host.host !== "official" && flag.host.host !== "unknown") continue;
      yield {
        message: `${flag.name} false of "${flag.owner}" is no longer needed: ${reason}`,
        place: flag.place,
        host: flag.host,
        manual:
          "switch it on with the new name; the reasoning then has to be sent back (see reasoning-content-roundtrip)",
      };
    }
    for (const test of file.comparisons) {
      if (typeof test.value !== "string" || !/^(deepseek[-/:]?)*reasoner$/i.test(test.value)) continue;
      if (!dropsTools(file, test.place)) continue;
      yield {
        message: `tools are kept from the reasoner (${test.subject}); that is no longer needed: ${reason}`,
        place: test.place,
        manual: "after the rename this test never holds; take the guard out with it",
      };
    }
    const speaks =
      file.mentions.some(({ id, host }) => ownName(id, host.host) === "deepseek-reasoner") ||
      file.requests.some(isReasoner);
    for (const literal of speaks ? file.literals : []) {
      if (literal.value !== "raw" || !/^tool_?calling_?method$/i.test(literal.name)) continue;
      yield {
        message: `${literal.name} "raw" for a reasoner without tools is no longer needed: ${reason}`,
        place: literal.place,
        manual: "let the model call tools by itself, and send its reasoning back",
      };
    }
  }
}

/** Does what follows a test, in its own statement, take the tools out? */
function dropsTools(file: FileFacts, { end }: Place): boolean {
  const after = file.text.slice(end, end + 200);
  return (
    /^[^;]{0,40}[{:)]\s*(delete\s+[\w.[\]"']+\.?(tools|functions|tool_choice)\b|[\w.]+\.pop\(["']tools["']|[\w.]*\btools\s*=\s*(undefined|null|None|\[\]))/.test(
      after,
    ) || /^\)?\s*\?\s*(undefined|null|\[\]|\{\})\s*:\s*[^;\n]{0,40}\btools\b/.test(after)
  );
}
