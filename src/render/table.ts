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

/** Characters that the lines of a table take without its last column being wrapped. */
export function tableWidth(columns: readonly Column[], rows: readonly (readonly string[])[]): number {
  const widths = columns.map((column, at) =>
    Math.max(visibleWidth(column.header), ...rows.map((row) => visibleWidth(row[at] ?? ""))),
  );
  return widths.reduce((sum, width) => sum + width + 2, -2);
}

/** Below this many characters, words of a last column are not wrapped: hardly any would stand on a line. */
const leastWrapped = 24;

/**
 * A plain table: header, rows, two spaces between columns, no rules; cells may hold colours. `header` paints the
 * header line. With `width`, a last column that would not fit goes on in lines below. Ends with a line break.
 */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  header: (text: string) => string = (text) => text,
  width = Number.POSITIVE_INFINITY,
): string {
  const widths = columns.map((column, at) =>
    Math.max(visibleWidth(column.header), ...rows.map((row) => visibleWidth(row[at] ?? ""))),
  );
  const last = columns.length - 1;
  const room = width - widths.slice(0, last).reduce((sum, own) => sum + own + 2, 0);
  const line = (cells: readonly string[]) =>
    columns
      .map((column, at) => pad(cells[at] ?? "", widths[at]!, column.align))
      .join("  ")
      .trimEnd();
  const wrapped = (cells: readonly string[]): string[] => {
    const text = cells[last] ?? "";
    if (room < leastWrapped || visibleWidth(text) <= room) return [line(cells)];
    const [first, ...more] = wrapWords(text, room);
    return [line([...cells.slice(0, last), first!]), ...more.map((part) => " ".repeat(width - room) + part)];
  };
  const lines = [header(line(columns.map((column) => column.header))), ...rows.flatMap(wrapped)];
  return `${lines.join("\n")}\n`;
}

/** A text without colours in lines of at most that many characters, broken between words where there are such. */
export function wrapWords(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && visibleWidth(line) + 1 + visibleWidth(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
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
