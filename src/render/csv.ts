/** A value of a table: null is an empty cell, as is a number that is none. */
export type CsvValue = string | number | boolean | null;

/** Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers are written as they are. */
function cell(value: CsvValue): string {
  if (value === null || (typeof value === "number" && !Number.isFinite(value))) return "";
  if (typeof value !== "string") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Comma-separated values after RFC 4180, header first, each line ended by CR LF. */
export function csvText(header: readonly string[], rows: Iterable<readonly CsvValue[]>): string {
  const lines = [header.map(cell).join(",")];
  for (const row of rows) lines.push(row.map(cell).join(","));
  return `${lines.join("\r\n")}\r\n`;
}
