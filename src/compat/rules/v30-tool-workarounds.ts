import type { FileFacts, HostVerdict, Place } from "../facts.js";
import { ownName } from "../models.js";
import { asksDeepSeek } from "../requests.js";
import type { Problem, Rule } from "../rule.js";
import { setUp } from "./example-client.js";
import { keepsToolsAway } from "./reasoner-tools.js";

export const v30ToolWorkarounds: Rule = {
  id: "v30-tool-workarounds",
  code: "R14",
  title: "A workaround for the unstable tool calls of V3.0",
  severity: { "v3.1": "info", current: "info" },
  effect: "opportunity",
  since: "v3.1",
  explanation:
    "DeepSeek's documentation of V3.0 warned that function calling of deepseek-chat was unstable: it might call in a loop, or answer with nothing. V3-0324 repaired this in March 2025, the notice went away, and V3.1 was trained for tools and agents. Guards of that time can go: flags that say the model takes no tools, counters that end a loop of calls, prompts that beg for one call only, tools described as XML in the prompt. They do no harm where they stay, so this is reported only, and only in code that is about DeepSeek's own API; a limit on the steps of an agent is good in any case.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "none",
      before: `export const models = {
  "deepseek-chat": { contextWindow: 64_000, supportsTools: false },
};
`,
      after: `export const models = {
  "deepseek-chat": { contextWindow: 64_000, supportsTools: true },
};
`,
    },
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [{ role: "system", content: "Call each tool only once." }, ...messages],
  tools,
});
`,
      after: `${setUp}const reply = await client.chat.completions.create({
  model: "deepseek-flash",
  messages,
  tools,
});
`,
    },
    {
      target: "v3.1",
      language: "yaml",
      by: "none",
      before: `models:
  - name: deepseek-chat
    supports_tools: false
`,
      after: `models:
  - name: deepseek-chat
    supports_tools: true
`,
    },
  ],
  source: {
    urls: ["https://api-docs.deepseek.com/guides/function_calling", "https://api-docs.deepseek.com/news/news250325"],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const file of facts.files) {
      yield* flags(file);
      yield* counters(file);
      yield* prompts(file);
    }
  },
};

const repaired = "tool calls are reliable since V3-0324";

function* flags(file: FileFacts): Iterable<Problem> {
  for (const flag of file.flags) {
    if (!keepsToolsAway(flag)) continue;
    const owner = ownName(flag.owner, flag.host.host);
    if (owner !== "deepseek-chat" && owner !== "deepseek-coder") continue;
    if (flag.host.host !== "official" && flag.host.host !== "unknown") continue;
    yield problem(`${flag.name} false of "${flag.owner}"`, flag.place, flag.host, "let it take tools");
  }
}

/** `DEEPSEEK_MAX_TOOL_CALLS = 3`, `maxDeepSeekToolLoops`. */
function* counters(file: FileFacts): Iterable<Problem> {
  for (const { name, value, place, host } of file.numbers) {
    if (
      !/deep_?seek/i.test(name) ||
      !/tool|function/i.test(name) ||
      !/loop|call|round|repeat|iteration|retr(y|ies)/i.test(name)
    ) {
      continue;
    }
    if (value > 100) continue;
    yield problem(`${name} ${value} ends a loop of tool calls`, place, host, "a general limit on steps is enough");
  }
}

const begging: readonly RegExp[] = [
  /\b(call|use|invoke)\s+(each|every|the|a|any)\s+(same\s+)?(tool|function)s?\s+(only|at most|exactly|just)\s+once\b/i,
  // "once you know the city" is something else
  /\b(call|use|invoke)\s+(each|every)\s+(tool|function)\s+once\s*([.;!)]|$)/i,
  /\b(do not|don't|never)\s+(call|use|invoke)\s+(the same|a|any)\s+(tool|function)\s+(twice|again|repeatedly|more than once|in a loop)/i,
];
const xmlTag = /<\/(tool_call|function_call|tool_use|use_tool|invoke)>/i;

function* prompts(file: FileFacts): Iterable<Problem> {
  const own = file.requests.filter(asksDeepSeek);
  const [first] = own;
  // a file that serves others too has such prompts for them
  if (!first || own.length < file.requests.length) return;
  const hasTools = own.some(({ parameters }) => parameters.some(({ name }) => /^(tools|functions)$/.test(name)));
  for (const { value, place, kind, isDocumentation } of file.literals) {
    if (isDocumentation || kind === "regex") continue;
    if (begging.some((words) => words.test(value)))
      yield problem("a prompt begs for one call of a tool", place, first.host, "leave it out");
    else if (!hasTools && xmlTag.test(value)) {
      yield problem("tools are described as XML in a prompt", place, first.host, "pass them as tools");
    }
  }
}

function problem(what: string, place: Place, host: HostVerdict, advice: string): Problem {
  return { message: `${what}, a workaround for V3.0: ${repaired}`, place, host, manual: `${advice}, and test it` };
}
