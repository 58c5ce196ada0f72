import type { Capability } from "../compat/probe/capabilities.js";
import type { Recording } from "../compat/probe/recording.js";
import type { Forms } from "./forms.js";
import { markdownTable, textTable } from "./table.js";

/** The result of `deepseek-compat probe`: a recording and what it says. */
export interface ProbeReport extends Recording {
  readonly capabilities: readonly Capability[];
}

const columns = ["capability", "answer", "evidence"].map((header) => ({ header }));

/** All forms of a probe's result. */
export function probeForms(report: ProbeReport): Forms {
  const { baseUrl, model, date, exchanges, capabilities } = report;
  const head = `${baseUrl}, model ${model}, ${date}: ${exchanges.length} requests`;
  return {
    json: report,
    text: (paint) => {
      const colours = { yes: paint.green, no: paint.red, unknown: paint.yellow };
      const rows = capabilities.map(({ title, answer, evidence }) => [title, colours[answer](answer), evidence]);
      return `${paint.bold(head)}\n${textTable(columns, rows, paint.dim)}`;
    },
    markdown: () =>
      `## What the endpoint does\n\n${head}\n\n${markdownTable(
        columns,
        capabilities.map(({ title, answer, evidence }) => [title, answer, evidence]),
      )}`,
  };
}
