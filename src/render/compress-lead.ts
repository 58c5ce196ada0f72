import type { CompressResult, PlanResult } from "./compress-result.js";
import type { Forms } from "./forms.js";
import { markdownSections, type Section, textSections } from "./sections.js";
import { wrapWords } from "./table.js";

/** The parts of a report. */
export interface Report {
  readonly title: string;
  readonly lead: readonly string[];
  readonly sections: readonly Section[];
  /** What is needed to do it again, one line each. */
  readonly foot: readonly string[];
}

/** The forms of a report for terminals and Markdown. */
export function reportForms(json: Forms["json"], { title, lead, sections, foot }: Report): Omit<Forms, "html"> {
  return {
    json,
    text: (paint, columns) => {
      const lines = lead.flatMap((line) =>
        wrapWords(line, columns - 4).map((part, at) => `${at === 0 ? "  " : "    "}${part}\n`),
      );
      const below = foot.length > 0 ? `\n${foot.map((line) => `${paint.dim(line)}\n`).join("")}` : "";
      return `${paint.bold(title)}\n${lines.join("")}${textSections(sections, paint, columns)}${below}`;
    },
    markdown: () => {
      const points = lead.map((line) => `- ${line}\n`).join("");
      const below = foot.length > 0 ? `\n${foot.join("<br>\n")}\n` : "";
      return `## ${title}\n\n${points}${markdownSections(sections)}${below}`;
    },
  };
}

/** What was done to the model before its weights were quantized. */
export function preparation({ opset, normalised }: CompressResult | PlanResult): readonly string[] {
  const lines = normalised.map(({ words }) => words);
  if (opset.from !== opset.to) {
    const rewritten = Object.entries(opset.rewritten).map(([operator, nodes]) => `${nodes} ${operator}`);
    const note = rewritten.length > 0 ? ` (rewritten: ${rewritten.join(", ")})` : "";
    lines.push(`opset ${opset.from} -> ${opset.to}${note}`);
  }
  return lines.length > 0 ? [`prepared: ${lines.join("; ")}`] : [];
}
