import type { Example } from "../../../src/compat/rule.js";

/** Made up. */
const key = ["sk-", "7c1e94b05fd24a83", "9e60d7b2af185c34"].join("");

export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "none",
    before: `client = OpenAI(api_key="${key}", base_url="https://api.deepseek.com")
`,
    after: `client = OpenAI(api_key=os.environ["DEEPSEEK_API_KEY"], base_url="https://api.deepseek.com")
`,
  },
  {
    target: "current",
    language: "compose",
    by: "none",
    before: `services:
  app:
    environment:
      DEEPSEEK_API_KEY: ${key}
`,
    after: `services:
  app:
    environment:
      DEEPSEEK_API_KEY: \${DEEPSEEK_API_KEY}
`,
  },
];
