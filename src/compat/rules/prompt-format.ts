import { type Facts, type FileFacts, type Literal, textOf } from "../facts.js";
import { generationOf } from "../host-models.js";
import type { Edit, Problem, Rule } from "../rule.js";

export const promptFormat: Rule = {
  id: "prompt-format",
  code: "R30",
  title: "A prompt built by hand that V3.1 does not read as V3.0 did",
  severity: { "v3.1": "error", current: null },
  effect: "silent change",
  explanation:
    "V3.1 is one model for two modes, and the token after <\uFF5CAssistant\uFF5C> tells it which: </think> for a plain answer, <think> for thinking. Answers kept in the history carry </think> after <\uFF5CAssistant\uFF5C> in both modes. V3.0 had neither, so a prompt that ends with <\uFF5CAssistant\uFF5C> still runs but may make V3.1 think in the open or answer worse; nothing reports it. The bars are U+FF5C and the low lines U+2581: <|User|> with the bars of ASCII is no special token in either version. Where it can be had, the tokenizer's own chat template is better than a prompt built by hand.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "suggested",
      before: `// weights: deepseek-ai/DeepSeek-V3.1
export const promptOf = (system: string, question: string) =>
  \`<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>\${system}<\uFF5CUser\uFF5C>\${question}<\uFF5CAssistant\uFF5C>\`;
`,
      after: `// weights: deepseek-ai/DeepSeek-V3.1
export const promptOf = (system: string, question: string) =>
  \`<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>\${system}<\uFF5CUser\uFF5C>\${question}<\uFF5CAssistant\uFF5C></think>\`;
`,
    },
    {
      target: "v3.1",
      language: "ts",
      by: "suggested",
      before: `// weights: deepseek-ai/DeepSeek-V3.1
export const promptOf = (question: string) => \`<|User|>\${question}<\uFF5CAssistant\uFF5C></think>\`;
`,
      after: `// weights: deepseek-ai/DeepSeek-V3.1
export const promptOf = (question: string) => \`<\uFF5CUser\uFF5C>\${question}<\uFF5CAssistant\uFF5C></think>\`;
`,
    },
    {
      target: "v3.1",
      language: "py",
      by: "suggested",
      before: `MODEL = "deepseek-ai/DeepSeek-V3.1"
def prompt(system, question):
    return f"<｜begin▁of▁sentence｜>{system}<｜User｜>{question}<｜Assistant｜>"
`,
      after: `MODEL = "deepseek-ai/DeepSeek-V3.1"
def prompt(system, question):
    return f"<｜begin▁of▁sentence｜>{system}<｜User｜>{question}<｜Assistant｜></think>"
`,
    },
  ],
  source: {
    urls: [
      "https://huggingface.co/deepseek-ai/DeepSeek-V3.1",
      "https://github.com/huggingface/huggingface.js/blob/main/packages/ollama-utils/src/chat-template-automap.ts",
      "https://github.com/vllm-project/vllm/blob/main/examples/tool_chat_template_deepseekv31.jinja",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const file of facts.files) {
      const compared = new Set(file.comparisons.map(({ place }) => place.start));
      for (const literal of file.literals) {
        if (literal.isDocumentation || literal.kind === "regex") continue;
        const lookAlike = ofLookAlikes(facts, file, literal);
        if (lookAlike) yield lookAlike;
        if (compared.has(literal.place.start)) continue;
        const problem = ofTurns(facts, file, literal);
        if (problem) yield problem;
      }
    }
  },
};

/** Names of DeepSeek's tokens that other models do not use with ASCII bars. Kimi has `<|tool_call_begin|>`. */
const lookAlikes =
  /<\|(User|Assistant|begin[_\u2581]of[_\u2581]sentence|end[_\u2581]of[_\u2581]sentence|tool[_\u2581]calls[_\u2581]begin|tool[_\u2581]calls[_\u2581]end|tool\u2581call\u2581begin|tool\u2581call\u2581end|tool\u2581sep|tool[_\u2581]outputs[_\u2581]begin|tool[_\u2581]outputs[_\u2581]end)\|>|<\uFF5C(begin_of_sentence|end_of_sentence|tool_calls?_(?:begin|end)|tool_sep|tool_outputs?_(?:begin|end))\uFF5C>/g;

function ofLookAlikes(facts: Facts, file: FileFacts, literal: Literal): Problem | undefined {
  const found = [...literal.value.matchAll(lookAlikes)];
  const [first] = found;
  if (!first || !/deep[-_ ]?seek|\uFF5C/i.test(file.text)) return undefined;
  // a list of both spellings is code that copes with either
  if (/<\uFF5C(User|Assistant|tool\u2581sep|begin\u2581of)/.test(literal.value) && found.length > 1) {
    const real = first[0].replaceAll("|", "\uFF5C").replaceAll("_", "\u2581");
    if (literal.value.includes(real)) return undefined;
  }
  const text = textOf(facts, literal.place.file);
  const edits = [...text.slice(literal.place.start, literal.place.end).matchAll(lookAlikes)].map((match): Edit => {
    const start = literal.place.start + match.index;
    const name = (match[1] ?? match[2])!.replaceAll("_", "\u2581");
    return { file: literal.place.file, start, end: start + match[0].length, text: `<\uFF5C${name}\uFF5C>` };
  });
  return {
    message: `"${first[0]}" is no special token of DeepSeek: its bars are U+FF5C and its low lines U+2581, so the model reads plain text`,
    place: literal.place,
    severity: "warning",
    manual: "check that the text is meant for DeepSeek; the token takes effect where it was plain text so far",
    ...(edits.length > 0
      ? { fix: { applicability: "suggested", description: "write the tokens with U+FF5C and U+2581", edits } }
      : {}),
  };
}

const turn = "<\uFF5CAssistant\uFF5C>";
/** Words before a lone token that say it is looked for, not sent. */
const lookedFor =
  /\b(stop\w*|eos\w*|split|replace\w*|startsWith|endsWith|startswith|endswith|indexOf|find|includes|rsplit|partition|special\w*|tokens?)\W*(["'`(,[\s\uFF5C<>\w\u2581/]*)$/i;

function ofTurns(facts: Facts, file: FileFacts, literal: Literal): Problem | undefined {
  if (!literal.value.includes(turn)) return undefined;
  // a chat template (jinja, Go) that came with some weights: it goes with them
  if (/\{%|\{\{/.test(literal.value)) return undefined;
  const text = textOf(facts, literal.place.file);
  const { place } = literal;
  const alone = literal.value.trim() === turn;
  if (alone && lookedFor.test(text.slice(Math.max(0, place.start - 80), place.start))) return undefined;
  if (alone && /stop|eos|token/i.test(literal.name)) return undefined;
  const raw = text.slice(place.start, place.end);
  const edits: Edit[] = [];
  for (let at = raw.indexOf(turn); at >= 0; at = raw.indexOf(turn, at + 1)) {
    const end = place.start + at + turn.length;
    // code that chooses the mode itself: ${thinking ? "<think>" : "</think>"}
    if (/think/i.test(text.slice(end, end + 80).split("\n")[0]!)) continue;
    edits.push({ file: place.file, start: end, end, text: "</think>" });
  }
  // written with escapes, the token cannot be found in the code
  if (edits.length === 0 && (raw.includes(turn) || /<\/?think>/.test(literal.value))) return undefined;
  const generations = new Set(file.text.match(/deepseek[\w./:-]+/gi)?.map((id) => generationOf(id)));
  const reasons = generations.has("r1") && !generations.has("v3.1") && !generations.has("v3");
  const ends = literal.value.trimEnd().endsWith(turn);
  const message = ends
    ? "V3.1 expects </think> (plain answer) or <think> (thinking) after <\uFF5CAssistant\uFF5C>; this prompt names no mode"
    : "V3.1 keeps </think> after <\uFF5CAssistant\uFF5C> before every stored answer; this turn lacks it";
  return {
    message,
    place,
    manual: reasons
      ? "a prompt for R1: V3.1 needs <think> at its end, and </think> before stored answers"
      : "</think> asks for a plain answer; write <think> at the end of the prompt where the model shall think",
    ...(edits.length > 0 && !reasons && !alone
      ? { fix: { applicability: "suggested", description: "write </think> after <\uFF5CAssistant\uFF5C>", edits } }
      : {}),
  };
}
