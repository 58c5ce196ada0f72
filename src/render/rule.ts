import type { ChalkInstance } from "chalk";
import { diffLines } from "diff";
import type { Example, Rule } from "../compat/rule.js";
import type { Forms } from "./forms.js";
import { ruleHelp, rulesMarkdown } from "./rules.js";
import { type Column, textTable } from "./table.js";

/** A rule as data, without its check. */
type RuleInfo = Omit<Rule, "check" | "aboutSuppressions" | "comesLast">;

/** The result of `deepseek-compat rules`, schema deepseek-compat/rules@1. */
export interface RulesResult {
  readonly schema: "deepseek-compat/rules@1";
  readonly rules: readonly RuleInfo[];
}

/** The result of `deepseek-compat explain`, schema deepseek-compat/rule@1. */
export interface RuleResult {
  readonly schema: "deepseek-compat/rule@1";
  readonly rule: RuleInfo;
}

function infoOf({ check: _check, aboutSuppressions: _about, comesLast: _last, ...info }: Rule): RuleInfo {
  return info;
}

/** What its examples say of its fixes: `safe`, `suggested`, or that a person writes them. */
function fixesOf({ examples }: Rule): string {
  const kinds = (["safe", "suggested"] as const).filter((kind) => examples.some(({ by }) => by === kind));
  return kinds.length > 0 ? kinds.join(", ") : "by hand";
}

const columns: readonly Column[] = ["code", "rule", "v3.1", "current", "effect", "fixes", "what it finds"].map(
  (header) => ({ header }),
);

/** The list of all rules. */
export function rulesForms(rules: readonly Rule[]): Forms {
  const result: RulesResult = { schema: "deepseek-compat/rules@1", rules: rules.map(infoOf) };
  return {
    json: result,
    text: (paint) => {
      const rows = rules.map((rule) => [
        rule.code,
        rule.id,
        rule.severity["v3.1"] ?? "-",
        rule.severity.current ?? "-",
        rule.effect,
        fixesOf(rule),
        rule.title,
      ]);
      return `${textTable(columns, rows, paint.dim)}\n${rules.length} rules; \`deepseek-compat explain RULE\` shows one\n`;
    },
    markdown: () => rulesMarkdown(rules),
  };
}

/** One rule in full. */
export function ruleForms(rule: Rule): Forms {
  const result: RuleResult = { schema: "deepseek-compat/rule@1", rule: infoOf(rule) };
  return {
    json: result,
    text: (paint, width) => ruleText(rule, paint, Math.max(40, Math.min(width, 100))),
    markdown: () => ruleHelp(rule).markdown,
  };
}

function ruleText(rule: Rule, paint: ChalkInstance, width: number): string {
  const { code, id, title, severity, effect, since, explanation, examples, source } = rule;
  const field = (name: string, value: string) => `${paint.dim(name.padEnd(16))} ${value}\n`;
  return [
    `${paint.bold(`${code} ${id}`)}\n${title}\n\n`,
    field("target v3.1", severity["v3.1"] ?? "does not apply"),
    field("target current", severity.current ?? "does not apply"),
    field("effect", effect),
    ...(since ? [field("since", since === "v3.1" ? "V3.1" : "later than V3.1")] : []),
    field("fixes", fixesOf(rule)),
    `\n${wrap(explanation, width)}\n`,
    ...examples.map((example) => exampleText(example, paint)),
    `\n${paint.dim(`sources (${source.confidence}, read ${source.date})`)}\n`,
    ...source.urls.map((url) => `  ${url}\n`),
  ].join("");
}

const ways: Readonly<Record<Example["by"], string>> = {
  safe: "--fix writes this",
  suggested: "--fix=suggested writes this",
  none: "written by hand",
};

/** An example as a diff with all its lines; what needs a person's hand may be another thing altogether. */
function exampleText({ target, language, before, after, by }: Example, paint: ChalkInstance): string {
  const lines = diffLines(before, after).flatMap(({ value, added, removed }) => {
    const sign = added ? "+" : removed ? "-" : " ";
    const colour = added ? paint.green : removed ? paint.red : paint.reset;
    return value
      .replace(/\n$/, "")
      .split("\n")
      .map((line) => `  ${colour(`${sign} ${line}`.trimEnd())}`.trimEnd());
  });
  return `\n${paint.dim(`example, target ${target} (${language}); ${ways[by]}`)}\n${lines.join("\n")}\n`;
}

/** Breaks a paragraph into lines of at most `width` characters where its words allow. */
function wrap(text: string, width: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join("\n");
}
