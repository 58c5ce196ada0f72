import type { ChalkInstance } from "chalk";

/** A result in all its forms. `json` is the result object itself; its `schema` names kind and version. */
export interface Forms {
  readonly json: { readonly schema: string };
  /** For a terminal of that many columns; colours come from `paint`. */
  text(paint: ChalkInstance, columns: number): string;
  markdown(): string;
  /** One page that loads nothing, for results that have one. */
  html?(): string;
  /** Comma-separated values, one row for each thing measured, for results that have such. */
  csv?(): string;
  /** The same with one row for each summary. */
  summaryCsv?(): string;
  /** JUnit XML, one test case for each decision, for results that decide. */
  junit?(): string;
}
