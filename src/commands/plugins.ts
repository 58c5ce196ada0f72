import { statSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import type { Host } from "../cli.js";
import type { Facts } from "../compat/facts.js";
import { redactText } from "../compat/redact.js";
import type { Problem, Rule } from "../compat/rule.js";
import { UserError } from "../errors.js";
import { importModule } from "./modules.js";

/**
 * The rules of a user's own files (.js, .mjs, .ts), which export `rule` or `rules`. A .ts file is one module: its types
 * are dropped, and it may import packages and JavaScript files, but no other TypeScript.
 */
export async function loadPlugins(
  host: Host,
  folder: string,
  paths: readonly string[],
  known: readonly Rule[],
): Promise<readonly Rule[]> {
  const found: Rule[] = [];
  for (const path of paths) {
    const absolute = resolve(folder, path);
    const name = relative(host.cwd, absolute).split(sep).join("/");
    if (!/\.([cm]?js|m?ts)$/.test(path)) throw new UserError(`${name}: a file with rules ends in .js, .mjs or .ts`);
    if (!statSync(absolute, { throwIfNoEntry: false })?.isFile()) throw new UserError(`${name}: no such file of rules`);
    const module = await importModule(host, absolute, name, "the rules");
    for (const rule of rulesOf(module, name)) {
      const other = [...known, ...found].find(({ id, code }) => id === rule.id || code === rule.code);
      if (other)
        throw new UserError(`${name}: the id or code of ${rule.code} ${rule.id} is taken by ${other.code} ${other.id}`);
      found.push(guarded(rule, name));
    }
  }
  return found;
}

function rulesOf(module: Record<string, unknown>, name: string): readonly Rule[] {
  const { rule, rules } = module;
  const list = Array.isArray(rules) ? (rules as unknown[]) : rule === undefined ? [] : [rule];
  if (list.length === 0) throw new UserError(`${name}: exports neither "rule" nor "rules"`);
  for (const [index, one] of list.entries()) {
    const why = defectOf(one);
    if (why) throw new UserError(`${name}: rule ${index + 1}: ${why}`);
  }
  return list as readonly Rule[];
}

/** A rule whose own errors are its author's to mend: they name its file, and no bug of this program is reported. */
function guarded(rule: Rule, name: string): Rule {
  const wrong = (why: string) => new UserError(`${name}: rule ${rule.code} ${rule.id}: ${redactText(why)}`);
  return {
    ...rule,
    check(facts, target, from) {
      let problems: readonly Problem[];
      try {
        problems = [...rule.check(facts, target, from)];
      } catch (error) {
        throw wrong(`check failed: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
      }
      for (const problem of problems) {
        const why = defectOfProblem(problem, facts);
        if (why) throw wrong(`check gave a problem that cannot be shown: ${why}`);
      }
      return problems;
    },
  };
}

/** Why a problem cannot be shown; undefined where it can. */
function defectOfProblem(problem: Problem, facts: Facts): string | undefined {
  if (typeof problem?.message !== "string") return "message must be a string";
  const places = [problem.place, ...(problem.fix?.edits ?? [])];
  for (const place of places) {
    const file = facts.files.find((one) => one.file === place?.file);
    if (!file) return "place must name a file of the facts; take the place of a fact";
    const { start, end } = place;
    if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= file.text.length)) {
      return `place must lie in ${place.file}`;
    }
  }
  return undefined;
}

/** What a value lacks to be a rule; undefined where it is one. */
function defectOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "it is no object";
  const rule = value as Record<string, unknown>;
  for (const key of ["id", "code", "title", "effect", "explanation"]) {
    if (typeof rule[key] !== "string") return `${key} must be a string`;
  }
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(rule["id"] as string)) return "id must be in kebab-case";
  if (!/^[A-Z][A-Z0-9]*\d$/.test(rule["code"] as string)) return "code must be capitals and digits, such as X01";
  const severity = rule["severity"] as Record<string, unknown> | null;
  for (const target of ["v3.1", "current"]) {
    if (![null, "error", "warning", "info"].includes(severity?.[target] as string | null)) {
      return `severity["${target}"] must be error, warning, info or null`;
    }
  }
  if (!Array.isArray(rule["examples"])) return "examples must be a list; it may be empty";
  if (!Array.isArray((rule["source"] as { urls?: unknown } | undefined)?.urls)) return "source.urls must be a list";
  if (typeof rule["check"] !== "function") return "check must be a function";
  return undefined;
}
