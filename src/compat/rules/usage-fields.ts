import { type Comparison, type FileFacts, type Request, textOf } from "../facts.js";
import { removeProperty } from "../fix/edits.js";
import { officialFile, officialRequests, onlyValue } from "../official.js";
import type { Edit, Problem, Rule } from "../rule.js";
import { setUp } from "./example-client.js";

export const usageFields: Rule = {
  id: "usage-fields",
  code: "R19",
  title: "Usage of a stream read from a chunk that may not come",
  severity: { "v3.1": "info", current: "warning" },
  effect: "silent change",
  since: "later",
  explanation:
    "With stream_options.include_usage V3.0's documentation promised one more chunk at the end, whose choices are empty and which carries usage. The documentation of August 2026 lets usage ride on the last chunk with content. Whether the server changed or only its description is not known, but code that asks for empty choices before it reads usage may count nothing; asking for usage itself works with both. The fields themselves are as they were: prompt_cache_hit_tokens and prompt_cache_miss_tokens add up to prompt_tokens. stream_options without stream: true is refused today.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `${setUp}const stream = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [],
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  if (chunk.choices.length === 0 && chunk.usage) console.log(chunk.usage.total_tokens);
}
`,
      after: `${setUp}const stream = await client.chat.completions.create({
  model: "deepseek-flash",
  messages: [],
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  if (chunk.usage) console.log(chunk.usage.total_tokens);
}
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
stream = client.chat.completions.create(model="deepseek-flash", messages=messages, stream=True)
for chunk in stream:
    if len(chunk.choices) == 0 and chunk.usage:
        print(chunk.usage.total_tokens)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
stream = client.chat.completions.create(model="deepseek-flash", messages=messages, stream=True)
for chunk in stream:
    if chunk.usage:
        print(chunk.usage.total_tokens)
`,
    },
  ],
  source: {
    urls: ["https://api-docs.deepseek.com/api/create-chat-completion", "https://api-docs.deepseek.com/guides/kv_cache"],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      const host = officialFile(file);
      if (!host) continue;
      for (const comparison of file.comparisons) {
        const problem = ofGuard(file, comparison);
        if (problem) yield { ...problem, host };
      }
    }
    if (target !== "current") return;
    for (const request of officialRequests(facts)) {
      const problem = ofOptions(request, textOf(facts, request.place.file));
      if (problem) yield problem;
    }
  },
};

/** `chunk.choices.length === 0`, `len(chunk.choices) == 0`: the object it asks, or undefined. */
function chunkOf({ subject, value, operator }: Comparison): string | undefined {
  if (operator !== "equals" || value !== 0) return undefined;
  const match = /^(.*?)(\?)?\.choices(\?)?\.length$/.exec(subject) ?? /^len\((.*)\.choices\)$/.exec(subject);
  return match?.[1];
}

/** A test for empty choices in front of, or together with, the reading of usage. */
function ofGuard(file: FileFacts, comparison: Comparison): Problem | undefined {
  const chunk = chunkOf(comparison);
  if (!chunk) return undefined;
  const { start, end } = comparison.place;
  const uses = file.members.filter(({ name, form, object }) => name === "usage" && form === "read" && object === chunk);
  const after = uses.some(({ place }) => {
    const between = file.text.slice(end, place.start);
    // what leaves the branch before usage is read: the guard skips the extra chunk only
    return (
      place.start >= end &&
      between.length < 300 &&
      !/\b(continue|return|break|else|pass)\b|\|\||\}|\bor\b/.test(between)
    );
  });
  const before = uses.some(
    ({ place }) => place.end <= start && /^\s*(&&|and)\s*$/.test(file.text.slice(place.end, start)),
  );
  if (!after && !before) return undefined;
  const common = {
    message: `usage is read only where ${comparison.subject} is 0; today it may ride on the last chunk with choices`,
    place: comparison.place,
  };
  if (/\belse\b|\belif\b/.test(file.text.slice(end, end + 400))) {
    return { ...common, manual: "ask for usage, and read the choices of the same chunk as well" };
  }
  return {
    ...common,
    manual: "the chunk with usage may carry choices as well: read both",
    fix: {
      applicability: "suggested",
      description: `ask for ${chunk}.usage`,
      edits: [guardEdit(file, comparison, chunk)],
    },
  };
}

function guardEdit(file: FileFacts, { place }: Comparison, chunk: string): Edit {
  const rest = file.text.slice(place.end);
  const head = file.text.slice(0, place.start);
  // where usage is asked for already, the other half of the condition goes
  const next = /^\s*(&&|and\b)\s*/.exec(rest)?.[0];
  if (next && rest.slice(next.length).replace(/\?\./g, ".").startsWith(`${chunk}.usage`)) {
    return { ...place, end: place.end + next.length, text: "" };
  }
  const previous = /\s*(&&|\band)\s*$/.exec(head)?.[0];
  if (previous && head.slice(0, -previous.length).replace(/\?\./g, ".").endsWith(`${chunk}.usage`)) {
    return { ...place, start: place.start - previous.length, text: "" };
  }
  return { ...place, text: `${chunk}.usage` };
}

/** `stream_options` in a request that does not stream. */
function ofOptions(request: Request, text: string): Problem | undefined {
  if (!["openai-node", "openai-python", "fetch", "axios", "http"].includes(request.client)) return undefined;
  if (/stream$/.test(request.endpoint)) return undefined;
  const options = request.parameters.find(({ name }) => name === "stream_options");
  const stream = request.parameters.find(({ name }) => name === "stream");
  if (!options?.sure || request.spreads.some(({ known }) => !known)) return undefined;
  if (stream && (onlyValue(stream) !== false || stream.value.certainty !== "certain")) return undefined;
  const common = {
    message: "stream_options without stream: true is refused by the official API",
    place: options.place,
    host: request.host,
    severity: "error" as const,
  };
  if (!options.direct || !request.object) return { ...common, manual: "it is set away from the call" };
  return {
    ...common,
    manual: "remove it, or stream",
    fix: {
      applicability: "suggested",
      description: "remove stream_options",
      edits: removeProperty(text, request.object, options.place),
    },
  };
}
