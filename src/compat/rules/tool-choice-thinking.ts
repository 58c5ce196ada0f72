import { clients } from "../clients.js";
import type { Call, Facts, Parameter, Request } from "../facts.js";
import { asksDeepSeek, modelsOf, settingOf, severityOf } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import { callsOnModels, methodOf, setJsonMode, structuredCalls } from "../structured-output.js";
import { parameterAt, switchThinking, thinkingOf, thinkingReason } from "../thinking.js";
import { setUp } from "./example-client.js";

export const toolChoiceThinking: Rule = {
  id: "tool-choice-thinking",
  code: "R09",
  title: "A forced tool choice, which a thinking model refuses",
  severity: { "v3.1": null, current: "error" },
  effect: "hard error",
  since: "later",
  explanation:
    'deepseek-chat of V3.0 and V3.1 took tool_choice none, auto, required or a named function. While the model thinks, which is the default from V4 on, required and a named function are refused with 400: "Thinking mode does not support this tool_choice". ChatDeepSeek.withStructuredOutput() forces a tool unless told otherwise, and so does toolChoice: "required" of the AI SDK. Either thinking is switched off, or the choice is left to the model, or the answer is asked for in JSON mode. A request of deepseek-chat keeps working if its rename brings thinking disabled along (retired-model-alias does). The word any is Anthropic\'s and Mistral\'s; the API fails to read it in every mode.',
  examples: [
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages,
  tools,
  tool_choice: "required",
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  // @ts-expect-error DeepSeek-only field
  thinking: { type: "disabled" },
  messages,
  tools,
  tool_choice: "required",
});
`,
    },
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `import { ChatDeepSeek } from "@langchain/deepseek";
const llm = new ChatDeepSeek({ model: "deepseek-flash" });
export const grader = llm.withStructuredOutput(Grade, { name: "grade" });
`,
      after: `import { ChatDeepSeek } from "@langchain/deepseek";
const llm = new ChatDeepSeek({ model: "deepseek-flash" });
export const grader = llm.withStructuredOutput(Grade, { method: "jsonMode", name: "grade" });
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-flash")
grader = llm.with_structured_output(Grade)
`,
      after: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-flash")
grader = llm.with_structured_output(Grade, method="json_mode")
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/guides/thinking_mode",
      "https://github.com/deepseek-ai/DeepSeek-V3/issues/1376",
      "https://github.com/BerriAI/litellm/issues/37470",
      "https://github.com/pydantic/pydantic-ai/commit/01646923a",
    ],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      if (!asksDeepSeek(request)) continue;
      const problem = ofChoice(facts, request);
      if (problem) yield problem;
    }
    for (const { call, request } of callsOnModels(facts, /^(bindTools|bind_tools)$/)) {
      const choice = call.parameters.find(({ name }) => /^tool_?choice$/i.test(name));
      const what = choice && forced(choice);
      const reason = what && asksDeepSeek(request) ? thinkingReason(request, "current") : undefined;
      if (!choice || !reason) continue;
      yield {
        message: `${choice.name} ${what} is refused while the model thinks (${reason})`,
        place: choice.place,
        host: request.host,
        ...severityOf(request),
        manual: "leave the choice to the model (auto), or make the model with thinking off",
      };
    }
    for (const { call, request } of structuredCalls(facts)) {
      const problem = asksDeepSeek(request) ? ofStructuredOutput(facts, call, request) : undefined;
      if (problem) yield problem;
    }
  },
};

/** What a tool choice forces, in words; undefined where the model may choose, or nothing is known. */
function forced({ value, parameters }: Parameter): string | undefined {
  if (parameters) {
    const type = parameterAt(parameters, ["type"])?.value.candidates[0]?.value;
    return type === "function" || type === "tool" || type === "required" ? "a named function" : undefined;
  }
  const words = value.candidates.map((one) => one.value);
  if (words.length === 0 || value.certainty !== "certain") return undefined;
  const [word] = words;
  return word === "required" || word === "any" ? `"${word}"` : undefined;
}

function ofChoice(facts: Facts, request: Request): Problem | undefined {
  const choice = settingOf(request, /^tool_?choice$/i)?.parameter;
  const what = choice?.sure ? forced(choice) : undefined;
  if (!choice || !what) return undefined;
  const common = { place: choice.place, host: request.host, ...severityOf(request) };
  const reason = thinkingReason(request, "current");
  if (what === '"any"' && choice.name === "tool_choice" && !clients[request.client].isRouter) {
    return {
      ...common,
      message: 'tool_choice "any" is not read by the API: it knows none, auto, required and a named function',
      manual: `write "required"${reason ? ", and switch thinking off, which refuses it" : ""}`,
    };
  }
  if (!reason) return undefined;
  const message = `${choice.name} ${what} is refused while the model thinks (${reason}): "Thinking mode does not support this tool_choice"`;
  const isReasoner = modelsOf(request).includes("deepseek-reasoner");
  // what says that it shall think is left to its author
  if (isReasoner || thinkingOf(request) === "enabled" || request.host.host !== "official") {
    return {
      ...common,
      message,
      manual: "leave the choice to the model (auto), or switch thinking off for this request",
    };
  }
  const change = switchThinking(facts, request, "disabled");
  if ("manual" in change) return { ...common, message, manual: change.manual };
  return {
    ...common,
    message,
    manual: "if it shall think, leave the choice to the model (auto) instead",
    fix: { applicability: "suggested", description: "switch thinking off", edits: change.edits },
  };
}

/** Is the model a ChatDeepSeek, made by its class or by a factory that was told the provider? */
function isChatDeepSeek({ callee, baseUrl, host }: Request): boolean {
  if (/DeepSeek$/.test(callee)) return true;
  return /(initChatModel|init_chat_model)$/.test(callee) && !baseUrl && host.host === "official";
}

/** LangChain's structured output by a forced tool. */
function ofStructuredOutput(facts: Facts, call: Call, request: Request): Problem | undefined {
  const method = methodOf(call);
  if (method === null || (method !== undefined && !/^function_?calling$/i.test(method))) return undefined;
  // ChatOpenAI goes by schema unless told otherwise (json-mode)
  if (method === undefined && !isChatDeepSeek(request)) return undefined;
  const reason = thinkingReason(request, "current");
  if (!reason) return undefined;
  const edits = setJsonMode(facts, call);
  return {
    message: `${call.name}() forces a tool${method ? "" : " unless told otherwise"}, which is refused while the model thinks (${reason})`,
    place: call.calleePlace,
    host: request.host,
    ...severityOf(request),
    manual:
      "use JSON mode (the prompt then has to name the fields and the word json), or make the model with thinking off",
    ...(edits && request.host.host === "official"
      ? { fix: { applicability: "suggested" as const, description: "use JSON mode", edits } }
      : {}),
  };
}
