import type { FileFacts, Setting } from "../../../src/compat/facts.js";
import { emptyFacts } from "../../../src/compat/facts.js";
import { applyFixes } from "../../../src/compat/fix/fix.js";
import type { Applicability, Problem, Rule } from "../../../src/compat/rule.js";
import { type Finding, scan } from "../../../src/compat/scan.js";
import type { Origin, Target } from "../../../src/compat/targets.js";
import { memorySources } from "../memory.js";

/** Findings of one rule in some files. */
export async function findingsOf(
  rule: Rule,
  target: Target,
  files: Readonly<Record<string, string>> | string,
  from: Origin = "v3.0",
): Promise<readonly Finding[]> {
  const all = typeof files === "string" ? { "a.ts": files } : files;
  return (await scan(memorySources(all), { target, from, rules: [rule] })).findings;
}

/** A file after the fixes of one rule. */
export async function fixedBy(
  rule: Rule,
  target: Target,
  text: string,
  level: Applicability = "safe",
  file = "a.ts",
): Promise<string> {
  const { changed, withdrawn } = await applyFixes(memorySources({ [file]: text }), { target, rules: [rule] }, level);
  if (withdrawn.length > 0) throw new Error(`withdrawn: ${withdrawn[0]!.description}`);
  return changed.get(file) ?? text;
}

/** Problems of a rule in facts that a reader of another language yields. */
export function problemsIn(
  rule: Rule,
  target: Target,
  facts: readonly FileFacts[],
  from: Origin = "v3.0",
): readonly Problem[] {
  return [...rule.check({ files: facts }, target, from)];
}

/** Facts of a configuration file with lines `a.b: value`; the value of each is placed. */
export function settingsFile(file: string, lines: readonly (readonly [path: string, value: string])[]): FileFacts {
  let text = "";
  const settings = lines.map(([key, value]): Setting => {
    const path = key.split(".");
    const namePlace = { file, start: text.length, end: text.length + key.length };
    text += `${key}: `;
    const place = { file, start: text.length, end: text.length + value.length };
    text += `${value}\n`;
    return { name: path.at(-1)!, path, value, place, namePlace, isEnvironment: false, isSecret: false };
  });
  return { ...emptyFacts(file, "yaml", text), settings };
}
