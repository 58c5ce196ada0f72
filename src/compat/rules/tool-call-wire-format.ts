import type { FileFacts, Literal, Place } from "../facts.js";
import type { Problem, Rule } from "../rule.js";

const oldPattern =
  "/<\uFF5Ctool\u2581call\u2581begin\uFF5C>(?<type>.*?)<\uFF5Ctool\u2581sep\uFF5C>(?<name>.*?)\\n```json\\n(?<args>[\\s\\S]*?)\\n```<\uFF5Ctool\u2581call\u2581end\uFF5C>/";
const newPattern =
  "/<\uFF5Ctool\u2581call\u2581begin\uFF5C>(?<name>.*?)<\uFF5Ctool\u2581sep\uFF5C>(?<args>[\\s\\S]*?)<\uFF5Ctool\u2581call\u2581end\uFF5C>/";

const advice = `accept both, the old one first because the new one also matches its text: ${oldPattern} then ${newPattern}; the group of the type is gone, so numbered groups shift`;

const escaped = (code: string): string => code.replaceAll("```", "\\x60\\x60\\x60");

export const toolCallWireFormat: Rule = {
  id: "tool-call-wire-format",
  code: "R31",
  title: "Tool calls read or written in the wire format of V3.0",
  severity: { "v3.1": "error", current: null },
  effect: "silent change",
  explanation:
    "Code that reads a model's raw text (own serving, Ollama in raw mode) meets tool calls as tokens. V3.0 and R1 wrote the word function, the separator token, the name, a line break and the arguments in a ```json fence; V3.1 writes the name, the separator and the arguments with no type and no fence, puts nothing between calls, and drops the plural wrapper around tool outputs. A parser for V3.0 finds no call in V3.1's text, so the tokens appear as an answer and nothing reports it. The pattern for V3.1 matches the old text too, with the name function, so code that takes both has to try the old one first.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "none",
      before: `// text of deepseek-ai/DeepSeek-V3
const call = ${escaped(oldPattern)};
export const callsOf = (text: string) => [...text.matchAll(new RegExp(call, "g"))];
`,
      after: `// text of deepseek-ai/DeepSeek-V3 or V3.1
const before = ${escaped(oldPattern)};
const call = ${newPattern};
export const callsOf = (text: string) => {
  const old = [...text.matchAll(new RegExp(before, "g"))];
  return old.length > 0 ? old : [...text.matchAll(new RegExp(call, "g"))];
};
`,
    },
  ],
  source: {
    urls: [
      "https://huggingface.co/deepseek-ai/DeepSeek-V3.1",
      "https://github.com/vllm-project/vllm/blob/main/vllm/tool_parsers/deepseekv31_tool_parser.py",
      "https://github.com/sgl-project/sglang/issues/9552",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const file of facts.files) yield* ofFile(file);
  },
};

const fence = /(`{3}|\\x60\\x60\\x60|\\`\\`\\`|\\u0060\\u0060\\u0060)json/;

function* ofFile(file: FileFacts): Iterable<Problem> {
  const literals = file.literals.filter(
    ({ isDocumentation, value }) => !isDocumentation && value.includes("tool\u2581"),
  );
  // one that takes V3.1's form stands beside it: the file copes with both
  if (literals.some(isNew)) return;
  const found = new Map<string, { literal: { place: Place }; message: string }>();
  for (const literal of literals) {
    const message = messageOf(literal);
    if (message && !found.has(message)) found.set(message, { literal, message });
  }
  // model output taken apart at its fences, in a file that reads tool tokens
  if (literals.length > 0) {
    const call = file.calls.find(
      ({ name, arguments: [first] }) =>
        /^(split|replace|replaceAll|indexOf|find|partition|removeprefix|strip|lstrip)$/.test(name) &&
        typeof first?.literal === "string" &&
        fence.test(first.literal),
    );
    if (call && [...found.keys()].every((message) => message === wrapperMessage)) {
      const message =
        "V3.1 writes a tool call's arguments without a ```json fence, so there is nothing to take apart here";
      found.set(message, { literal: call, message });
    }
  }
  for (const { literal, message } of found.values()) yield { message, place: literal.place, manual: advice };
}

/** A pattern or template of V3.1's form: name, separator, arguments. */
function isNew({ value }: Literal): boolean {
  const at = value.indexOf("tool\u2581sep");
  if (at < 0 || !value.includes("tool\u2581call\u2581begin")) return false;
  return !fence.test(value) && !/function[^\w]{0,4}<\uFF5Ctool\u2581sep/.test(value);
}

const wrapperMessage = "V3.1 has no wrapper (tool\u2581outputs) around tool outputs; each stands for itself";

function messageOf({ value }: Literal): string | undefined {
  if (value.includes("tool\u2581sep") && fence.test(value)) {
    return "V3.1 writes a tool call as name, separator, arguments, without a type and without a ```json fence; this form finds none";
  }
  if (/function(\)|\\b)?\W{0,3}<\uFF5Ctool\u2581sep\uFF5C>/.test(value)) {
    return "V3.1 writes no type (function) before the separator of a tool call";
  }
  if (/tool\u2581outputs\u2581(begin|end)/.test(value)) {
    return wrapperMessage;
  }
  return undefined;
}
