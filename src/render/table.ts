import { stripVTControlCharacters } from "node:util";

/** A column of a table. */
export interface Column {
  readonly header: string;
  /** Numbers read best on the right; default left. */
  readonly align?: "left" | "right";
}

/** Characters a text takes on the screen: its colours take none. */
function visibleWidth(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** A text brought to a width with spaces; a longer one stays as it is. */
function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const space = " ".repeat(Math.max(0, width - visibleWidth(text)));
  return align === "right" ? space + text : text + space;
}

/**
 * A plain table: header, rows, two spaces between columns, no rules; cells may hold colours. `header` paints the
 * header line. Ends with a line break.
 */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  header: (text: string) => string = (text) => text,
): string {
  const widths = columns.map((column, at) =>
    Math.max(visibleWidth(column.header), ...rows.map((row) => visibleWidth(row[at] ?? ""))),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map((column, at) => pad(cells[at] ?? "", widths[at]!, column.align))
      .join("  ")
      .trimEnd();
  const lines = [header(line(columns.map((column) => column.header))), ...rows.map(line)];
  return `${lines.join("\n")}\n`;
}

/** A GitHub-flavoured Markdown table; pipes and line breaks in cells are escaped. Ends with a line break. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${columns.map((_, at) => (cells[at] ?? "").replace(/\\?\|/g, "\\|").replace(/\r?\n/g, "<br>")).join(" | ")} |`;
  const lines = [
    line(columns.map((column) => column.header)),
    `| ${columns.map((column) => (column.align === "right" ? "--:" : "---")).join(" | ")} |`,
    ...rows.map(line),
  ];
  return `${lines.join("\n")}\n`;
}
