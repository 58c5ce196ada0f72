import { UserError } from "../../errors.js";
import { readEntry } from "./entry.js";
import type { Source } from "./make.js";
import type { Conversation } from "./workload.js";

/** Sizes up to which a data set is read. */
export interface DatasetLimits {
  readonly characters: number;
  readonly lines: number;
}

export const datasetLimits: DatasetLimits = { characters: 256 * 2 ** 20, lines: 1_000_000 };

const remedy = 'write one JSON object a line, such as {"prompt": "..."}, or name the file .txt for one prompt a line';

/**
 * Prompts of a file: JSON Lines (or one JSON array), or plain text with a prompt a line where its name ends with .txt.
 * Every line is read once to find mistakes, and again when it is asked, so that memory holds the text and no more.
 * Throws a UserError that names file and line.
 */
export function datasetSource(
  text: string,
  name: string,
  mostTurns: number = Number.POSITIVE_INFINITY,
  limits: DatasetLimits = datasetLimits,
): Source {
  const entries = entriesOf(text, name, limits);
  const take = (number: number): Conversation => {
    const entry = entries[number]!;
    return { id: entry.id, turns: readEntry(entry.read(), entry.where, mostTurns), group: null };
  };
  for (let number = 0; number < entries.length; number++) take(number);
  return { name, size: entries.length, ordered: false, arrivals: null, take };
}

/** One entry of a file, not read yet. */
export interface Entry {
  readonly id: string;
  /** File and line, for errors. */
  readonly where: string;
  /** Throws a UserError where it is not JSON. */
  read(): unknown;
}

/** Takes a file apart. */
export function entriesOf(whole: string, name: string, limits: DatasetLimits = datasetLimits): readonly Entry[] {
  if (whole.length > limits.characters) {
    throw new UserError(
      `${name} has ${whole.length} characters, more than the ${limits.characters} that are read; take a part of it`,
    );
  }
  const text = whole.replace(/^\uFEFF/, "");
  const plain = /\.txt$/i.test(name);
  const lines = linesOf(text, name, limits.lines);
  if (lines.length === 0) throw new UserError(`${name} is empty; ${remedy}`);
  if (!plain && lines[0]!.text.trimStart().startsWith("[")) return itemsOf(text, name, limits.lines);
  return lines.map(({ text: line, number }) => {
    const where = `${name}: line ${number}`;
    return { id: `line ${number}`, where, read: () => (plain ? line : parse(line, where)) };
  });
}

/** Lines that hold something, with their numbers from 1. */
function linesOf(
  text: string,
  name: string,
  most: number,
): readonly { readonly text: string; readonly number: number }[] {
  const lines: { text: string; number: number }[] = [];
  for (let start = 0, number = 1; start < text.length; number++) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 ? text.length : newline;
    // a slice shares the memory of the whole
    const line = text.slice(start, end).replace(/\r$/, "");
    if (line.trim() !== "") lines.push({ text: line, number });
    if (lines.length > most) throw new UserError(`${name} has more than ${most} lines; take a part of it`);
    start = end + 1;
  }
  return lines;
}

function itemsOf(text: string, name: string, most: number): readonly Entry[] {
  let items: unknown;
  try {
    items = JSON.parse(text);
  } catch {
    throw new UserError(`${name} begins like a JSON array, but is none; ${remedy}`);
  }
  const list = items as readonly unknown[];
  if (list.length === 0) throw new UserError(`${name} is an empty array; ${remedy}`);
  if (list.length > most) throw new UserError(`${name} has more than ${most} entries; take a part of it`);
  return list.map((item, at) => ({ id: `entry ${at + 1}`, where: `${name}: entry ${at + 1}`, read: () => item }));
}

function parse(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // what JSON.parse says quotes the line, which may hold what nobody should read
    throw new UserError(`${where} is not JSON; ${remedy}`);
  }
}
