import { applyFixes } from "../../src/compat/fix/fix.js";
import type { Applicability, Rule } from "../../src/compat/rule.js";
import { type Finding, scan } from "../../src/compat/scan.js";
import type { Origin, Target } from "../../src/compat/targets.js";
import { memorySources } from "./memory.js";

/** What one rule says of a text (of `example.ts`) or of several files. */
export async function check(
  rule: Rule,
  files: string | Readonly<Record<string, string>>,
  target: Target = "current",
  from: Origin = "v3.0",
): Promise<readonly Finding[]> {
  const all = typeof files === "string" ? { "example.ts": files } : files;
  return (await scan(memorySources(all), { target, from, rules: [rule] })).findings;
}

/** A text after the fixes of one rule. */
export async function fixed(
  rule: Rule,
  text: string,
  level: Applicability,
  target: Target = "current",
  file = "example.ts",
): Promise<string> {
  const fixing = await applyFixes(memorySources({ [file]: text }), { target, rules: [rule] }, level);
  return fixing.changed.get(file) ?? text;
}
