/** The configuration file: its schema, and what its globs mean. Loads zod, so it is imported only where there is a file. */
import picomatch from "picomatch";
import { z } from "zod";
import { UserError } from "../../errors.js";
import type { Rule, Severity } from "../rule.js";
import type { Target } from "../targets.js";
import { nearestNames } from "./names.js";

const target = z.enum(["v3.1", "current"]).describe("what the code moves to");
const severityOrOff = z.enum(["off", "error", "warning", "info"]);
const ruleTable = z
  .record(z.string(), severityOrOff)
  .describe("severity of rules, by id or code; off switches a rule off");
const globs = z.array(z.string().min(1));
const count = z.int().min(0);
const tokens = z.number().min(0);

const override = z.strictObject({
  files: globs.min(1).describe("globs of the files it holds for"),
  target: target.optional(),
  rules: ruleTable.optional(),
});

/** Schema of deepseek-compat.config.json, .yaml, .yml and of the key "deepseek-compat" in package.json. */
export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  target: target.optional(),
  from: z.enum(["v3.0", "v3.1"]).optional().describe("what the code was written for"),
  rules: ruleTable.optional(),
  include: globs.optional().describe("only files that one of these globs matches are scanned"),
  exclude: globs.optional().describe("files that one of these globs matches are not scanned"),
  overrides: z.array(override).optional().describe("other settings for some files; later ones win"),
  failOn: z.enum(["error", "warning", "info", "never"]).optional().describe("findings from this severity on fail"),
  maxWarnings: count.optional().describe("more warnings than this fail"),
  maxUnresolved: count.optional().describe("more requests that could not be judged than this fail"),
  minScore: z.number().min(0).max(100).optional().describe("a readiness score below this fails"),
  baseline: z
    .union([z.string().min(1), z.literal(false)])
    .optional()
    .describe("baseline file, or false for none"),
  plugins: z.array(z.string().min(1)).optional().describe("files with rules of your own: .js, .mjs or .ts"),
  prices: z.string().min(1).optional().describe("JSON file with your own price table, for the plan"),
  tokensPerMonth: z
    .strictObject({ input: tokens, output: tokens })
    .optional()
    .describe("tokens a month, for the cost in the plan"),
});

/** A configuration that has been checked. */
export type Config = z.infer<typeof configSchema>;

/** Checks the content of a configuration file; an error names the file, the key and what is allowed. */
export function parseConfig(content: unknown, name: string): Config {
  const { success, data, error } = configSchema.safeParse(content);
  if (success) return data;
  const [issue] = error.issues;
  throw new UserError(`${name}: ${issue ? describe(issue) : "not valid"}`);
}

function describe(issue: z.core.$ZodIssue): string {
  const at = issue.path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part)),
    "",
  );
  const where = at || "the configuration";
  switch (issue.code) {
    case "unrecognized_keys": {
      const known =
        issue.path[0] === "overrides" ? override : issue.path[0] === "tokensPerMonth" ? undefined : configSchema;
      const allowed = known ? Object.keys(known.shape).filter((key) => key !== "$schema") : ["input", "output"];
      return `unknown key ${issue.keys.map((key) => JSON.stringify(at ? `${at}.${key}` : key)).join(", ")}; there are ${allowed.join(", ")}`;
    }
    case "invalid_value":
      return `${where} must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "invalid_type":
      return `${where} must be ${issue.expected === "array" ? "a list" : issue.expected === "int" ? "a whole number" : `of type ${issue.expected === "record" ? "object" : issue.expected}`}`;
    case "too_small":
      return `${where} must ${issue.origin === "array" ? "have at least one item" : issue.origin === "string" ? "not be empty" : `be at least ${issue.minimum}`}`;
    case "too_big":
      return `${where} must be at most ${issue.maximum}`;
    case "invalid_union":
      return `${where} must be the name of a file, or false`;
    default:
      return `${where}: ${issue.message}`;
  }
}

/** Refuses rules in a configuration that do not exist. */
export function checkRuleNames(config: Config, known: readonly Rule[], name: string): void {
  const tables = [config.rules, ...(config.overrides ?? []).map(({ rules }) => rules)];
  for (const id of tables.flatMap((table) => Object.keys(table ?? {}))) {
    if (known.some((rule) => isNamed(rule, id))) continue;
    const near = nearestNames(
      id,
      known.flatMap((rule) => [rule.id, rule.code]),
    );
    const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : "`deepseek-compat rules` lists them";
    throw new UserError(`${name}: rules: there is no rule ${JSON.stringify(id)}; ${hint}`);
  }
}

const isNamed = ({ id, code }: Rule, name: string): boolean => id === name || code === name.toUpperCase();

/**
 * A test of paths (relative to the configuration's folder, forward slashes) against globs. A glob without a slash
 * matches names in every folder; one that names a folder matches all below it.
 */
export function matcher(patterns: readonly string[]): (path: string) => boolean {
  const tests = patterns.flatMap((pattern) => {
    const glob = pattern.replace(/^\.\//, "").replace(/\/$/, "");
    return [
      picomatch(glob, { dot: true, basename: !glob.includes("/") }),
      picomatch(glob.includes("/") ? `${glob}/**` : `{${glob},**/${glob}}/**`, { dot: true }),
    ];
  });
  return (path) => tests.some((test) => test(path));
}

/** What a configuration says of single files. Paths are relative to its folder. */
export interface FileSettings {
  isIncluded(path: string): boolean;
  targetOf(path: string): Target | undefined;
  severityOf(rule: Rule, path: string): Severity | "off" | undefined;
}

export function fileSettings(config: Config): FileSettings {
  const included = config.include ? matcher(config.include) : () => true;
  const excluded = config.exclude ? matcher(config.exclude) : () => false;
  // the last one that says something wins
  const overrides = (config.overrides ?? []).map((one) => ({ ...one, matches: matcher(one.files) })).reverse();
  const severityIn = (table: Config["rules"], rule: Rule) =>
    Object.entries(table ?? {}).findLast(([name]) => isNamed(rule, name))?.[1];
  return {
    isIncluded: (path) => included(path) && !excluded(path),
    targetOf: (path) => overrides.find((one) => one.target && one.matches(path))?.target,
    severityOf(rule, path) {
      const own = overrides.find((one) => severityIn(one.rules, rule) && one.matches(path));
      return severityIn(own?.rules, rule) ?? severityIn(config.rules, rule);
    },
  };
}
