import type { Rule } from "../rule.js";

export const malformedSuppression: Rule = {
  id: "malformed-suppression",
  code: "R62",
  title: "A suppression comment that suppresses nothing",
  severity: { "v3.1": "warning", current: "warning" },
  effect: "silent change",
  explanation:
    "A comment takes findings out of the count only if it is written as `deepseek-compat-ignore RULE[,RULE] -- reason`, with -next-line or -file after the first word where it speaks of the next line of code or of the whole file, and with `until YYYY-MM-DD` at its end where it is to end. RULE is the id or the code of a rule; there is no way to suppress all rules at once, and the reason is required, so that the next reader knows why. A comment that misspells a rule, gives no reason or names no day suppresses nothing, and neither does one whose day has passed: both are reported here, because whoever wrote them believes otherwise. This rule itself cannot be suppressed; switch it off in the configuration file.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `// deepseek-compat-ignore-next-line retired-model-alias
export const oldNames = /deepseek-v2/;
`,
      after: `export const oldNames = /deepseek-v2/;
`,
    },
  ],
  source: {
    urls: ["https://github.com/ast-grep/ast-grep/issues/2909", "https://github.com/semgrep/semgrep/issues/6596"],
    date: "2026-11-23",
    confidence: "secondary",
  },
  aboutSuppressions: "malformed",
  *check() {},
};
