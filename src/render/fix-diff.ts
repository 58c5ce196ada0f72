import { structuredPatch } from "diff";
import { applyEdits } from "../compat/fix/fix.js";
import type { Edit, Fix } from "../compat/rule.js";
import type { Surroundings } from "./scan-report.js";

/** Lines shown around a change. */
const context = 2;

/**
 * What one fix changes, as the hunks of a unified diff; made from the lines around its edits, so that it costs nothing
 * in a large file. Undefined where a file's text is not at hand.
 */
export function fixDiff(fix: Fix, { texts, views }: Pick<Surroundings, "texts" | "views">): string | undefined {
  const byFile = new Map<string, Edit[]>();
  for (const edit of fix.edits) byFile.set(edit.file, [...(byFile.get(edit.file) ?? []), edit]);
  const parts: string[] = [];
  for (const [file, edits] of byFile) {
    const text = texts.get(file);
    if (text === undefined || views?.has(file)) return undefined;
    const from = lineStart(text, Math.min(...edits.map(({ start }) => start)), context);
    const to = lineEnd(text, Math.max(...edits.map(({ end }) => end)), context);
    const before = text.slice(from, to);
    const moved = edits.map((edit) => ({ start: edit.start - from, end: edit.end - from, text: edit.text }));
    const offset = text.slice(0, from).split("\n").length - 1;
    const { hunks } = structuredPatch(file, file, before, applyEdits(before, moved), undefined, undefined, { context });
    parts.push(`--- a/${file}\n+++ b/${file}\n`);
    for (const { oldStart, oldLines, newStart, newLines, lines } of hunks) {
      const shown = lines.filter((line) => !line.startsWith("\\")).map((line) => line.replace(/\r$/, ""));
      parts.push(`@@ -${oldStart + offset},${oldLines} +${newStart + offset},${newLines} @@\n${shown.join("\n")}\n`);
    }
  }
  return parts.join("");
}

function lineStart(text: string, offset: number, back: number): number {
  let at = text.lastIndexOf("\n", offset - 1) + 1;
  for (let step = 0; step < back && at > 0; step += 1) at = text.lastIndexOf("\n", at - 2) + 1;
  return at;
}

function lineEnd(text: string, offset: number, on: number): number {
  let at = offset;
  for (let step = 0; step <= on; step += 1) {
    const next = text.indexOf("\n", at);
    if (next < 0) return text.length;
    at = next + 1;
  }
  return at;
}
