import type { Rule } from "../rule.js";

export const unusedSuppression: Rule = {
  id: "unused-suppression",
  code: "R63",
  title: "A suppression comment that has nothing to suppress",
  severity: { "v3.1": "info", current: "info" },
  effect: "opportunity",
  explanation:
    "The comment names a rule that finds nothing at the place it speaks of: the code was mended or moved, or the comment stands on the wrong line. Left alone, it would hide the next finding that comes to stand there. Only rules that ran in this scan and for its target count, so a scan with --rule says nothing of the others. The line a comment speaks of is the one the finding is listed with: its own, or after -next-line the next line that holds code. This rule itself cannot be suppressed; switch it off in the configuration file.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `// deepseek-compat-ignore-file R01 -- the old names are tested here on purpose
export const model = "deepseek-flash";
`,
      after: `export const model = "deepseek-flash";
`,
    },
  ],
  source: {
    urls: ["https://github.com/ast-grep/ast-grep/issues/1346", "https://github.com/eslint/rfcs/pull/33"],
    date: "2026-11-23",
    confidence: "secondary",
  },
  aboutSuppressions: "unused",
  *check() {},
};
