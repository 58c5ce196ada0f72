import type { Edit } from "./rule.js";

/** Where an offset of a view lies, for people. Counted from 1. */
export interface Location {
  /** Line and column in the file itself. */
  readonly line: number;
  readonly column: number;
  /** Cell of a notebook, and the line in it. */
  readonly cell?: number;
  readonly cellLine?: number;
}

/**
 * Code as readers and rules see it, where a file holds it in another form: a notebook's cells, joined, stand in JSON
 * strings in the file.
 */
export interface View {
  /** What is read; places of facts and edits are offsets into it. */
  readonly text: string;
  locate(offset: number): Location;
  /** The file's text with edits applied that do not overlap; everything else stays byte for byte. */
  apply(edits: readonly Omit<Edit, "file">[]): string;
}
