import { type FileFacts, type Place, textOf } from "../facts.js";
import { isWithin } from "../official.js";
import type { Problem, Rule } from "../rule.js";

const ended = /api\.deepseek\.com(\/v[\d.]+_\w+?_expires_on_(\d{4})(\d\d)(\d\d))(?!\w)/;
const versioned = /^(https?:)?\/\/api\.deepseek\.com\/v1(\/(chat\/completions|completions|models)?)?$/;
const oldPages = /\bplatform\.deepseek\.com\/api-docs\b/;

export const baseUrl: Rule = {
  id: "base-url",
  code: "R17",
  title: "An address of DeepSeek that has ended or is no longer documented",
  severity: { "v3.1": "info", current: "info" },
  effect: "hard error",
  explanation:
    "For comparison DeepSeek served two older models under temporary base URLs that carry their own end: v3.1_terminus_expires_on_20251015 and v3.2_speciale_expires_on_20251215. Both are dead, so requests to them fail; without that path the usual model answers, which is another one. The /v1 at the end of the base URL never had to do with a model's version: it was documented up to V3.2, is not mentioned since V4, and still worked in September 2026, so it is only noted. Links to platform.deepseek.com/api-docs lead to documentation that has moved to api-docs.deepseek.com.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com/v3.2_speciale_expires_on_20251215" });
`,
      after: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
`,
    },
    {
      target: "current",
      language: "js",
      by: "none",
      before: `export const baseURL = "https://api.deepseek.com/v1";
`,
      after: `export const baseURL = "https://api.deepseek.com";
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `client = OpenAI(base_url="https://api.deepseek.com/v3.1_terminus_expires_on_20251015")
`,
      after: `client = OpenAI(base_url="https://api.deepseek.com")
`,
    },
    {
      target: "current",
      language: "env",
      by: "suggested",
      before: `DEEPSEEK_BASE_URL=https://api.deepseek.com/v3.2_speciale_expires_on_20251215
`,
      after: `DEEPSEEK_BASE_URL=https://api.deepseek.com
`,
    },
    {
      target: "current",
      language: "yaml",
      by: "none",
      before: `deepseek:
  base_url: https://api.deepseek.com/v1
`,
      after: `deepseek:
  base_url: https://api.deepseek.com
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/news/news250929",
      "https://api-docs.deepseek.com/news/news251201",
      "https://api-docs.deepseek.com/",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      const seen = new Set<number>();
      for (const { text, place } of addressesOf(file)) {
        if (seen.has(place.start)) continue;
        // the same without its quote, as a setting
        seen.add(place.start).add(place.start + 1);
        const problem = ofAddress(text, place, textOf(facts, place.file));
        if (problem) yield problem;
        else if (target === "current" && versioned.test(text) && !isTested(file, place)) {
          yield {
            message: "/v1 in the base URL is not documented since V4; it says nothing of the model's version",
            place,
            manual: "it still worked in September 2026; the documented base URL is https://api.deepseek.com",
          };
        }
      }
    }
  },
};

interface Address {
  readonly text: string;
  readonly place: Place;
}

/** Everything in a file that may be an address. */
function addressesOf(file: FileFacts): readonly Address[] {
  return [
    ...file.literals
      .filter(({ kind, isDocumentation }) => kind !== "regex" && !isDocumentation)
      .map(({ value, place }) => ({ text: value, place })),
    ...file.settings.map(({ value, place }) => ({ text: String(value), place })),
    // "$API_URL" is reported where the variable is set
    ...file.commands.flatMap(({ words }) =>
      words.filter(({ place }) => file.text.slice(place.start, place.end).includes("deepseek.com")),
    ),
    ...file.requests.flatMap(({ baseUrl: url, place }) =>
      (url?.candidates ?? [])
        .filter((one) => one.place.file === place.file)
        .map((one) => ({ text: String(one.value), place: one.place })),
    ),
  ].filter(({ text }) => text.includes("deepseek.com"));
}

function ofAddress(text: string, place: Place, source: string): Problem | undefined {
  const match = ended.exec(text);
  if (!match) {
    if (!oldPages.test(text)) return undefined;
    return {
      message: "platform.deepseek.com/api-docs is the documentation's old address",
      place,
      manual: "look for the page on https://api-docs.deepseek.com; its path may have changed",
    };
  }
  const [, path, year, month, day] = match as unknown as [string, string, string, string, string];
  // only an address is rewritten, no sentence that holds one
  const isAddress = /^\s*(https?:)?\/\/[^\s"'`]+\s*$/.test(text);
  const at = source.slice(place.start, place.end).indexOf(path);
  return {
    message: `this temporary address ended on ${year}-${month}-${day}: requests to it fail`,
    place,
    severity: isAddress ? "error" : "warning",
    manual: "without the path another model answers; decide which one is wanted",
    ...(isAddress && at >= 0
      ? {
          fix: {
            applicability: "suggested" as const,
            description: `take ${path} out`,
            edits: [{ file: place.file, start: place.start + at, end: place.start + at + path.length, text: "" }],
          },
        }
      : {}),
  };
}

function isTested(file: FileFacts, place: Place): boolean {
  return file.comparisons.some((one) => isWithin(place, one.place)) || isInExpectation(file, place);
}

/** What a test expects says nothing of what is asked. */
function isInExpectation(file: FileFacts, place: Place): boolean {
  return file.calls.some(
    ({ name, place: call }) => /^(toBe|toEqual|toMatch|toContain|equal)/.test(name) && isWithin(place, call),
  );
}
