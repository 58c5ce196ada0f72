import type { Switch } from "../facts.js";
import { officialFile } from "../official.js";
import type { Rule } from "../rule.js";
import { setUp } from "./example-client.js";

/** Reasons of V3.0 and V3.1; `function_call` is OpenAI's old one. */
const known = new Set([
  "stop",
  "length",
  "content_filter",
  "tool_calls",
  "function_call",
  "insufficient_system_resource",
  "aborted",
]);
/** Reasons that code written for OpenAI or for V3.0 leaves out. */
const own = ["insufficient_system_resource", "aborted"];

export const finishReason: Rule = {
  id: "finish-reason",
  code: "R21",
  title: "A switch over finish reasons that has no default",
  severity: { "v3.1": null, current: "info" },
  effect: "silent change",
  since: "later",
  explanation:
    "V3.0 and V3.1 end an answer with stop, length, content_filter, tool_calls or insufficient_system_resource (an answer broken off because the servers are full, which OpenAI does not know). By autumn 2026 today's API adds aborted. A switch that names the reasons one by one and has no default lets an answer with a new reason through as if nothing had been said of it. A default is the lasting remedy, since reasons may be added at any time.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `${setUp}const reply = await client.chat.completions.create({ model: "deepseek-flash", messages: [] });
switch (reply.choices[0]?.finish_reason) {
  case "stop":
    break;
  case "length":
    throw new Error("cut");
}
`,
      after: `${setUp}const reply = await client.chat.completions.create({ model: "deepseek-flash", messages: [] });
switch (reply.choices[0]?.finish_reason) {
  case "stop":
    break;
  case "length":
    throw new Error("cut");
  default:
    throw new Error("broken off");
}
`,
    },
    {
      target: "current",
      language: "py",
      by: "none",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages)
match reply.choices[0].finish_reason:
    case "stop":
        pass
    case "length":
        raise ValueError("cut")
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages)
match reply.choices[0].finish_reason:
    case "stop":
        pass
    case "length":
        raise ValueError("cut")
    case _:
        raise ValueError("broken off")
`,
    },
  ],
  source: {
    urls: ["https://api-docs.deepseek.com/api/create-chat-completion"],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const file of facts.files) {
      const host = officialFile(file);
      // the AI SDK gives its own names to reasons
      if (!host || file.requests.some(({ client }) => client === "ai-sdk" || /^anthropic/.test(client))) continue;
      for (const one of file.switches) {
        if (!isOverReasons(one)) continue;
        const missing = own.filter((reason) => one.cases.every(({ value }) => value !== reason));
        if (one.hasDefault || missing.length === 0) continue;
        yield {
          message: `this switch has no default and does not know ${missing.join(" and ")}, with which DeepSeek ends answers too`,
          place: one.place,
          host,
          manual: "add a default that treats any other reason as an answer that was broken off",
        };
      }
    }
  },
};

function isOverReasons({ subject, cases }: Switch): boolean {
  const values = cases.map(({ value }) => value);
  if (values.length < 2 || !values.every((value) => known.has(String(value)))) return false;
  return /finish_?reason|^reason$/i.test(subject) || (values.includes("stop") && values.includes("length"));
}
