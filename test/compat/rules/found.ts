import { applyFixes } from "../../../src/compat/fix/fix.js";
import type { Applicability, Rule } from "../../../src/compat/rule.js";
import { type Finding, scan } from "../../../src/compat/scan.js";
import type { Origin, Target } from "../../../src/compat/targets.js";
import { memorySources } from "../memory.js";

type Files = string | Readonly<Record<string, string>>;

const filesOf = (files: Files): Readonly<Record<string, string>> =>
  typeof files === "string" ? { "src/app.ts": files } : files;

/** What one rule finds in code; a string is a TypeScript file. */
export async function found(
  rule: Rule,
  files: Files,
  target: Target = "current",
  from: Origin = "v3.0",
): Promise<readonly Finding[]> {
  return (await scan(memorySources(filesOf(files)), { target, from, rules: [rule] })).findings;
}

/** The code after one rule's fixes; a string for a string. */
export async function fixed<Given extends Files>(
  rule: Rule,
  files: Given,
  level: Applicability,
  target: Target = "current",
): Promise<Given> {
  const texts = filesOf(files);
  const { changed } = await applyFixes(memorySources(texts), { target, rules: [rule] }, level);
  const after = Object.fromEntries(Object.entries(texts).map(([path, text]) => [path, changed.get(path) ?? text]));
  return (typeof files === "string" ? after["src/app.ts"] : after) as Given;
}

/** A client of openai-node for some base URL. */
export const client = (baseURL = "https://api.deepseek.com", name = "client"): string =>
  `import OpenAI from "openai";\nconst ${name} = new OpenAI({ baseURL: "${baseURL}", apiKey: process.env.KEY });\n`;

/** A chat request of that client. */
export const ask = (body: string, name = "client"): string =>
  `const reply = await ${name}.chat.completions.create({ ${body} });\n`;
