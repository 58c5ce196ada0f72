import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
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
];
