import { clients } from "../clients.js";
import type { Facts, HostName, Parameter, Request } from "../facts.js";
import { modelsOf, type ThinkingSwitch } from "../host-models.js";
import { isDeepSeekId } from "../models.js";
import type { Problem, Rule } from "../rule.js";
import type { Target } from "../targets.js";
import { parameterAt } from "../thinking.js";

const client = `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://openrouter.ai/api/v1", apiKey: process.env.OPENROUTER_API_KEY });
`;

export const hostSpecificSwitch: Rule = {
  id: "host-specific-switch",
  code: "R42",
  title: "The thinking switch of another host",
  severity: { "v3.1": "warning", current: "warning" },
  effect: "silent change",
  explanation:
    "Each host has its own switch for thinking: thinking with a type (DeepSeek's own API), reasoning with enabled (OpenRouter, Together), enable_thinking (Alibaba, SiliconFlow), think (Ollama), chat_template_kwargs with thinking (vLLM and SGLang); Baidu has two model ids. A host usually ignores fields that it does not know, so a switch that was carried over from another host does nothing and nothing reports it. Only hosts whose switch is known are judged, and only requests for DeepSeek's models; whether a host has begun to take a second name as well is for its documentation to say, so the rule reports and changes nothing.",
  examples: [
    {
      target: "v3.1",
      language: "js",
      by: "none",
      before: `${client}const reply = await client.chat.completions.create({
  model: "deepseek/deepseek-chat-v3.1",
  messages,
  enable_thinking: true,
});
`,
      after: `${client}const reply = await client.chat.completions.create({
  model: "deepseek/deepseek-chat-v3.1",
  messages,
  reasoning: { enabled: true },
});
`,
    },
  ],
  source: {
    urls: [
      "https://openrouter.ai/docs/use-cases/reasoning-tokens",
      "https://huggingface.co/deepseek-ai/DeepSeek-V3.1",
      "https://api-docs.deepseek.com/guides/thinking_mode",
    ],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts: Facts, target) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      const ids = request.model?.candidates ?? [];
      if (!ids.some(({ value }) => isDeepSeekId(String(value)))) continue;
      const problem = problemOf(request, target);
      if (problem) yield problem;
    }
  },
};

/** How switches look in a request's body, and whose they are. */
const switches: readonly { readonly path: readonly string[]; readonly is: ThinkingSwitch }[] = [
  { path: ["thinking", "type"], is: "thinking.type" },
  { path: ["reasoning", "enabled"], is: "reasoning.enabled" },
  { path: ["enable_thinking"], is: "enable_thinking" },
  { path: ["think"], is: "think" },
  { path: ["chat_template_kwargs", "thinking"], is: "chat_template_kwargs.thinking" },
  { path: ["chat_template_kwargs", "enable_thinking"], is: "chat_template_kwargs.thinking" },
];

const names: Readonly<Record<ThinkingSwitch, string>> = {
  "thinking.type": "thinking: { type }",
  "reasoning.enabled": "reasoning: { enabled }",
  enable_thinking: "enable_thinking",
  think: "think",
  "chat_template_kwargs.thinking": "chat_template_kwargs: { thinking }",
  name: "another model id",
};

/** Clients that send fields as they are given, on the top level or in the place for foreign ones. */
const plain: readonly Request["client"][] = [
  "openai-node",
  "openai-python",
  "fetch",
  "axios",
  "http",
  "langchain",
  "langchain-python",
];

const titles: Partial<Record<HostName, string>> = {
  official: "the official API",
  openrouter: "OpenRouter",
  together: "Together",
  alibaba: "Alibaba",
  siliconflow: "SiliconFlow",
  ollama: "Ollama",
  baidu: "Baidu",
  "self-hosted": "a server of V3.1's weights",
};

function problemOf(request: Request, target: Target): Problem | undefined {
  const { host } = request;
  const own = modelsOf(host.host)?.thinking;
  if (!own || !plain.includes(request.client)) return undefined;
  const found = foundIn(request);
  if (!found || found.is === own) return undefined;
  // Ollama's own endpoint beside its OpenAI-compatible one: which fields that takes is not settled
  if (host.host === "ollama" && /\/v1\/?$/.test(String(request.baseUrl?.candidates[0]?.value ?? ""))) return undefined;
  // thinking-default-on says it
  if (host.host === "official" && target === "current" && found.path.at(-1) === "enable_thinking") return undefined;
  const label = found.path.join(".");
  return {
    message: `${titles[host.host] ?? host.host} does not read ${label}, the switch of another host; it is usually ignored without a word`,
    place: found.parameter.namePlace,
    host,
    manual: own === "name" ? "choose the id of the thinking model instead" : `its switch for thinking is ${names[own]}`,
  };
}

interface Found {
  readonly is: ThinkingSwitch;
  readonly path: readonly string[];
  readonly parameter: Parameter;
}

/** The one switch of a request; undefined where it has none, or the host's own beside another's. */
function foundIn(request: Request): Found | undefined {
  const own = modelsOf(request.host.host)?.thinking;
  const found = switches.flatMap(({ path, is }) => {
    for (const prefix of prefixes(request)) {
      const parameter = parameterAt(request.parameters, [...prefix, ...path]);
      if (parameter) return [{ is, path, parameter }];
    }
    return [];
  });
  // code that serves several hosts sends several switches
  return found.some(({ is }) => is === own) ? undefined : found[0];
}

function prefixes({ client: kind }: Request): readonly (readonly string[])[] {
  const { body } = clients[kind];
  return body.length > 0 ? [body, []] : [[]];
}
