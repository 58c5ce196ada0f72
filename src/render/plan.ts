import type { ChalkInstance } from "chalk";
import type { Plan, Stage } from "../compat/plan/plan.js";
import type { CostAt, Range } from "../compat/proof/cost.js";
import { targets } from "../compat/targets.js";
import type { Forms } from "./forms.js";
import { markdownSections, type Section, textSections } from "./sections.js";

/** All forms of a plan. */
export function planForms(plan: Plan): Forms {
  return {
    json: plan,
    text: (paint) => text(plan, paint),
    markdown: () => markdown(plan),
  };
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The lines at the head: how ready, how much, what was looked at. */
function heading({ target, from, readiness, stages, looked }: Plan): readonly string[] {
  const findings = stages.reduce((sum, stage) => sum + stage.findings.length, 0);
  const unread = looked.skipped.length + looked.broken.length;
  return [
    `from ${from} to ${target} (${targets[target].title})`,
    findings === 0 && stages.length > 1
      ? "nothing is to be done"
      : `${plural(findings, "finding")} in ${plural(stages.length, "stage")}`,
    `readiness ${readiness.score} of 100`,
    `looked at ${plural(looked.files, "file")}: ${looked.scanned} of a kind that is scanned, ${looked.parsed} read in full; ${plural(looked.manifests, "manifest")}`,
    ...(unread > 0
      ? [
          `not looked at in full: ${[...looked.skipped.map(({ file, reason }) => `${file} (${reason})`), ...looked.broken.map(({ file, line }) => `${file}:${line} (no valid program)`)].join(", ")}`,
        ]
      : []),
    ...(looked.unresolved.length > 0
      ? [`${plural(looked.unresolved.length, "request")} could not be judged in full`]
      : []),
  ];
}

function scoreLines({ readiness }: Plan): readonly string[] {
  const parts = readiness.parts
    .filter(({ count }) => count > 0)
    .map(({ name, count, points }) => `${name} ${count} (-${Math.round(points * 10) / 10})`);
  return [readiness.formula, ...(parts.length > 0 ? [parts.join(", ")] : [])];
}

function text(plan: Plan, paint: ChalkInstance): string {
  const [first, ...rest] = heading(plan);
  return [
    `${paint.bold("Migration plan")} ${first}\n${rest.join("\n")}\n`,
    paint.dim(`${scoreLines(plan).join("\n")}\n`),
    textSections(componentSections(plan), paint),
    ...plan.stages.map(
      (stage) =>
        `\n${paint.bold.underline(`Stage ${stage.number}: ${stage.title}`)}\n${stageLines(stage).join("\n")}\n${textSections(stageSections(stage), paint)}`,
    ),
    costNote(plan, (line) => `${paint.dim(line)}\n`, "\n"),
  ].join("");
}

function markdown(plan: Plan): string {
  const bullets = (lines: readonly string[]) => lines.map((line) => `- ${line}\n`).join("");
  return [
    `# Migration plan\n\n${bullets(heading(plan))}\n\`${scoreLines(plan).join("`\n`")}\`\n`,
    markdownSections(componentSections(plan)),
    ...plan.stages.map(
      (stage) =>
        `\n## Stage ${stage.number}: ${stage.title}\n\n${bullets(stageLines(stage))}${commandBlock(stage)}${markdownSections(stageSections({ ...stage, commands: [] }))}`,
    ),
    costNote(plan, (line) => `- ${line}\n`, "\n## Assumptions of the costs\n\n"),
  ].join("");
}

/** The assumptions, where any cost is shown. */
function costNote({ stages, assumptions }: Plan, line: (text: string) => string, head: string): string {
  return stages.some(({ cost }) => cost.length > 0) ? head + assumptions.map(line).join("") : "";
}

/** What is said of a stage above its tables. */
export function stageLines({ fixable, risk, commands, number, findings }: Stage): readonly string[] {
  const { safe, suggested, manual } = fixable;
  if (number === 4) return commands.length > 0 ? [`risk ${risk.level}: ${risk.reason}`] : [risk.reason];
  if (findings.length === 0) return risk.level === "none" ? [risk.reason] : [`risk ${risk.level}: ${risk.reason}`];
  return [
    `${plural(findings.length, "finding")}: ${safe} with a safe fix, ${suggested} with a suggested one, ${manual} by hand`,
    `risk ${risk.level}: ${risk.reason}`,
  ];
}

function commandBlock({ commands }: Stage): string {
  return commands
    .map(({ command, note, works }) => `\n${works ? "" : "Not yet: "}${note}\n\n\`\`\`sh\n${command}\n\`\`\`\n`)
    .join("");
}

/** The table of components. */
export function componentSections({ components }: Plan): readonly Section[] {
  if (components.length === 0) return [];
  const rows = components.map(({ name, kind, root, evidence }) => [
    name,
    kind,
    root || ".",
    evidence.slice(-2).join("; "),
  ]);
  return [
    { title: "Components", columns: ["name", "kind", "where", "what says so"].map((header) => ({ header })), rows },
  ];
}

/** The tables of a stage. */
export function stageSections(stage: Stage): readonly Section[] {
  const columns = (...headers: string[]) => headers.map((header) => ({ header }));
  const { files, findings, decisions, cost, commands } = stage;
  const sections: readonly Section[] = [
    {
      title: "Files, in this order",
      columns: columns("file", "kind", "findings", "component", "owners"),
      rows: files.map(({ file, kind, findings: own, component, owners }) => [
        file,
        kind,
        String(own),
        component ?? "",
        owners.join(" "),
      ]),
    },
    {
      title: "Findings",
      columns: columns("place", "rule", "severity", "effect", "fix", "what"),
      rows: findings.map(({ file, line, code, rule, severity, effect, fix, message }) => [
        `${file}:${line}`,
        `${code} ${rule}`,
        severity,
        effect,
        fix,
        message,
      ]),
    },
    {
      title: "To be decided by a person",
      columns: columns("question", "where"),
      rows: decisions.map(({ question, places }) => [question, listed(places)]),
    },
    {
      title: "Cost",
      columns: columns("call", ...(cost[0]?.at ?? []).map(({ when, day }) => `${when}, ${day}`)),
      rows: cost.map(({ place, line, at }) => [`${place.file}:${line}`, ...at.map(figures)]),
      ...(cost.length > 0
        ? {
            note: "USD for 1M tokens: cached input / other input / output; then a month, and the most one answer costs",
          }
        : {}),
    },
    {
      title: "Commands",
      columns: columns("command", "note"),
      rows: commands.map(({ command, note, works }) => [command, works ? note : `not yet: ${note}`]),
    },
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

function listed(places: readonly string[]): string {
  const shown = places.slice(0, 6).join(", ");
  return places.length > 6 ? `${shown} and ${places.length - 6} more` : shown;
}

/** One model at one date: its price for a million tokens, a month's bill, the most one answer costs. */
export function figures({ model, price, month, answer }: CostAt): string {
  if (!price) return `${model}: not known`;
  const between = (low: number, high: number) => (low === high ? `${low}` : `${low}-${high}`);
  const { low, high } = price;
  const rate = [between(low.hit, high.hit), between(low.miss, high.miss), between(low.output, high.output)].join("/");
  return [
    `${model} ${rate}`,
    ...(month ? [`$${dollars(month)} a month`] : []),
    ...(answer ? [`answer up to $${dollars(answer)}`] : []),
  ].join("; ");
}

function dollars({ low, high }: Range): string {
  const figure = (value: number) => (value >= 1 || value === 0 ? value.toFixed(2) : value.toPrecision(2));
  return figure(low) === figure(high) ? figure(low) : `${figure(low)} to ${figure(high)}`;
}
