import type { FileFacts, Setting } from "../facts.js";
import type { Problem, Rule, Severity } from "../rule.js";
import { findKeys, looksLikeKey } from "../secrets.js";

/** Made up, and in two parts, so that no other scanner takes this file for a leak. */
const madeUp = ["sk-", "7c1e94b05fd24a83", "9e60d7b2af185c34"].join("");

export const hardCodedKey: Rule = {
  id: "hard-coded-key",
  code: "R61",
  title: "An API key written into a file",
  severity: { "v3.1": "error", current: "error" },
  effect: "cost",
  explanation:
    "An API key in code, a notebook, a configuration file, a workflow or a README is everyone's who can read the repository, its history included, and what others do with it is charged to its owner. Whatever looks like a key (sk- and at least 16 random letters and digits) is reported by its place; neither the message nor the evidence repeats any of it. Placeholders such as sk-xxxx are left alone. In an .env file, where keys usually live, the finding is for information only: such a file is read here when version control does not ignore it. There is no fix, because a key that was once committed has to be revoked.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com", apiKey: "${madeUp}" });
`,
      after: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com", apiKey: process.env.DEEPSEEK_API_KEY });
`,
    },
    {
      target: "current",
      language: "py",
      by: "none",
      before: `client = OpenAI(api_key="sk-${"7c1e94b05fd24a83"}9e60d7b2af185c34", base_url="https://api.deepseek.com")
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
      DEEPSEEK_API_KEY: sk-${"7c1e94b05fd24a83"}9e60d7b2af185c34
`,
      after: `services:
  app:
    environment:
      DEEPSEEK_API_KEY: \${DEEPSEEK_API_KEY}
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/",
      "https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const file of facts.files) {
      const environment = isEnvironmentFile(file.file);
      const keys = findKeys(file.text);
      for (const { start, end } of keys) yield problem({ file: file.file, start, end }, environment);
      for (const setting of file.settings) {
        const { place } = setting;
        const known = keys.some((key) => key.start < place.end && place.start < key.end);
        if (!known && isFilledKey(setting, file)) yield problem(place, environment);
      }
    }
  },
};

function problem(place: Problem["place"], environment: boolean): Problem {
  const severity: { severity?: Severity } = environment ? { severity: "info" } : {};
  return {
    message: environment
      ? "an API key stands in this file; keep the file out of version control"
      : "an API key is written here; everyone who can read this file can use it",
    place,
    ...severity,
    manual: environment
      ? "if the file was ever committed, revoke the key and make another"
      : "revoke the key, and read its successor from an environment variable such as DEEPSEEK_API_KEY",
  };
}

/** `.env`, `.env.local`, `prod.env`; not `.env.example`, which is made to be shared. */
function isEnvironmentFile(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return /^\.env(\.|$)|\.env$/.test(name) && !/example|sample|template|dist|default/i.test(name);
}

/** A secret setting of DeepSeek's that holds a key of another form. Its value is looked at here and nowhere kept. */
function isFilledKey({ isSecret, name, place }: Setting, file: FileFacts): boolean {
  if (!isSecret || !/deep_?seek/i.test(name)) return false;
  return looksLikeKey(file.text.slice(place.start, place.end).replace(/^["']|["']$/g, ""));
}
