import { UserError } from "../errors.js";
import { decodeNpy } from "../formats/npy.js";
import { numbersOf } from "../tensor/numbers.js";
import type { SampleSet } from "./batch.js";

/** What is right for one sample: a class, several (one a row of the sample), or a text. */
export type Label = number | string | readonly number[];

/** Samples with their labels. */
export interface LabelledSamples extends SampleSet {
  /** One a sample; undefined where there are none. */
  readonly labels: readonly Label[] | undefined;
}

/** The labels of samples; `nameOf` is what the sample is called, for files that name it. */
interface Labelled {
  readonly count: number;
  readonly source: string;
  nameOf(at: number): string;
}

/**
 * Reads the labels of a file, one a sample and in their order, and checks that there are as many:
 *
 * - `.txt`: a line each; - `.csv`: its column `label` or `class`, or the last one where it has no header of that name;
 *   with a column `file` (or `image`, `name`), rows are found by the samples' file names, in any order;
 * - `.json`: a list, or an object from file name to label; - `.npy`: whole numbers, one a sample, or one row each.
 *
 * Where every label of a text file is a whole number, they are classes, else texts. Throws a UserError.
 */
export function parseLabels(bytes: Uint8Array, where: string, samples: Labelled): readonly Label[] {
  const form = /\.(txt|csv|json|npy)$/i.exec(where)?.[1]?.toLowerCase();
  if (form === "npy") return counted(npyLabels(bytes, where), where, samples);
  if (!form) throw new UserError(`--labels ${where}: labels are .txt, .csv, .json or .npy files`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`--labels ${where}: is not UTF-8 text`);
  }
  if (form === "json") return jsonLabels(text, where, samples);
  if (form === "csv") return csvLabels(text, where, samples);
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return counted(typed(lines), where, samples);
}

function counted<T>(labels: readonly T[], where: string, { count, source }: Labelled): readonly T[] {
  if (labels.length === count) return labels;
  throw new UserError(
    `--labels ${where}: holds ${labels.length} labels, but there are ${count} samples (${source}); give one a sample`,
  );
}

/** Classes where all are whole numbers, else the texts themselves. */
function typed(texts: readonly string[]): readonly Label[] {
  const trimmed = texts.map((text) => text.trim());
  return trimmed.every((text) => /^\d{1,15}$/.test(text)) ? trimmed.map(Number) : texts;
}

function npyLabels(bytes: Uint8Array, where: string): readonly Label[] {
  const tensor = decodeNpy(bytes, `--labels ${where}`);
  const { shape, dtype } = tensor;
  if (dtype.startsWith("float")) throw new UserError(`--labels ${where}: holds ${dtype}; classes are whole numbers`);
  if (shape.length === 0 || shape.length > 2) {
    throw new UserError(`--labels ${where}: has ${shape.length} axes; labels have one, or a row for each sample`);
  }
  const numbers = Array.from(numbersOf(tensor));
  const width = shape[1] ?? 1;
  if (width === 1) return numbers;
  return Array.from({ length: shape[0]! }, (_, at) => numbers.slice(at * width, (at + 1) * width));
}

function jsonLabels(text: string, where: string, samples: Labelled): readonly Label[] {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new UserError(`--labels ${where}: is not JSON: ${(error as Error).message}`);
  }
  if (typeof data !== "object" || data === null) {
    throw new UserError(`--labels ${where}: must be a list of labels, or an object from file name to label`);
  }
  const found = Array.isArray(data)
    ? counted(data, where, samples)
    : byName(new Map(Object.entries(data)), where, samples);
  return found.map((label: unknown, at) => {
    const isClass = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
    if (typeof label === "string" || isClass(label)) return label as Label;
    if (Array.isArray(label) && label.length > 0 && label.every(isClass)) return label as readonly number[];
    const shown = JSON.stringify(label).slice(0, 40);
    throw new UserError(
      `--labels ${where}: label ${at + 1} is ${shown}; a label is a class number, a text, or a list of classes`,
    );
  });
}

/** Labels found by what the samples are called: their path, or the file's name alone. */
function byName<T>(labels: ReadonlyMap<string, T>, where: string, samples: Labelled): readonly T[] {
  return Array.from({ length: samples.count }, (_, at) => {
    const name = samples.nameOf(at).replaceAll("\\", "/");
    const parts = name.split("/");
    for (let from = 0; from < parts.length; from++) {
      const label = labels.get(parts.slice(from).join("/"));
      if (label !== undefined) return label;
    }
    throw new UserError(
      `--labels ${where}: has no label for sample ${name}; it names ${[...labels.keys()].slice(0, 3).join(", ")}`,
    );
  });
}

function csvLabels(text: string, where: string, samples: Labelled): readonly Label[] {
  const rows = csvRows(text, where);
  const head = (rows[0] ?? []).map((cell) => cell.trim().toLowerCase());
  const column = head.findIndex((cell) => cell === "label" || cell === "class");
  const names = head.findIndex((cell) => ["file", "filename", "image", "name", "path"].includes(cell));
  const body = column >= 0 || names >= 0 ? rows.slice(1) : rows;
  const cellOf = (row: readonly string[]) => row[column >= 0 ? column : row.length - 1] ?? "";
  const labels = typed(body.map(cellOf));
  if (names < 0) return counted(labels, where, samples);
  return byName(
    new Map(body.map((row, at) => [(row[names] ?? "").replaceAll("\\", "/"), labels[at]!])),
    where,
    samples,
  );
}

/** Cells of comma-separated rows, quotes as in RFC 4180; empty lines are left out. */
function csvRows(text: string, where: string): readonly (readonly string[])[] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n|\n|\r|$)/y;
  const source = text.replace(/^\uFEFF/, "");
  while (cell.lastIndex < source.length) {
    const start = cell.lastIndex;
    const found = cell.exec(source);
    if (!found) {
      const line = source.slice(0, start).split("\n").length;
      throw new UserError(`--labels ${where}:${line}: a quote that does not stand around a whole cell`);
    }
    const [, content, end] = found as unknown as [string, string, string];
    row.push(content.startsWith('"') ? content.slice(1, -1).replaceAll('""', '"') : content);
    if (end === "," && cell.lastIndex < source.length) continue;
    if (end === ",") row.push("");
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  return rows;
}
