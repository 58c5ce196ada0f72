import type { ChalkInstance } from "chalk";
import { type Column, markdownTable, textTable } from "./table.js";

/** One titled table of a report; `note` stands under it. */
export interface Section {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly note?: string;
}

/** Sections for a terminal, each with an empty line before it; with `width`, last columns are wrapped to it. */
export function textSections(sections: readonly Section[], paint: ChalkInstance, width?: number): string {
  return sections
    .map(({ title, columns, rows, note }) => {
      const below = note ? `${paint.dim(note)}\n` : "";
      return `\n${paint.bold(title)}\n${textTable(columns, rows, paint.dim, width)}${below}`;
    })
    .join("");
}

/** Sections as Markdown, under headings of the third level. */
export function markdownSections(sections: readonly Section[]): string {
  return sections
    .map(({ title, columns, rows, note }) => {
      const below = note ? `\n${note}\n` : "";
      return `\n### ${title}\n\n${markdownTable(columns, rows)}${below}`;
    })
    .join("");
}
