import type { FileFacts } from "../../../src/compat/facts.js";
import { readerOf } from "../../../src/compat/readers/index.js";
import type { Sources } from "../../../src/compat/sources.js";

/** The facts of one file, by the reader that takes it. */
export async function readText(file: string, text: string): Promise<FileFacts> {
  const reader = readerOf(file);
  if (!reader) throw new Error(`no reader takes ${file}`);
  const sources: Sources = {
    paths: [file],
    has: (path) => path === file,
    read: (path) => (path === file ? text : undefined),
  };
  const loaded = await reader.load();
  await loaded.prepare?.(sources, [file]);
  const [facts] = loaded.read(sources, [file]);
  if (!facts) throw new Error(`${file} was not read`);
  return facts;
}

/** Number of syntax errors the reader of a file counts. */
export async function errorsIn(file: string, text: string): Promise<number> {
  return (await readerOf(file)!.load()).countSyntaxErrors(file, text);
}

/** The text of a fact's place. */
export const at = ({ text }: FileFacts, place: { readonly start: number; readonly end: number }): string =>
  text.slice(place.start, place.end);

/** Every stretch that facts name. */
export function spansIn(value: unknown): readonly { readonly start: number; readonly end: number }[] {
  if (typeof value !== "object" || value === null) return [];
  const own = value as { start?: unknown; end?: unknown };
  const here = typeof own.start === "number" && typeof own.end === "number" ? [{ start: own.start, end: own.end }] : [];
  return [...here, ...Object.values(value).flatMap(spansIn)];
}
