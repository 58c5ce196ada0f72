// Reads the labelled corpus: code in the shapes of the V3.0 era, each line marked with what it must raise.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Target } from "../../src/compat/targets.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "fixtures", "compat", "corpus");

/** A group of files that are scanned together. */
export interface Project {
  readonly name: string;
  /** A trap: nothing at all may be found in it. */
  readonly isTrap: boolean;
  /** Text without the marks, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** `file:line code` of everything that must be found, by target. */
  readonly expected: Readonly<Record<Target, ReadonlySet<string>>>;
}

/**
 * A mark at the end of a line: ` //~ R01 R05`, for one target only ` //~ R01 v3.1:R08 current:R02`. It is cut off before
 * the scan, whatever the language, so that it changes nothing the scanner sees.
 */
const mark = /[ \t]*\/\/~ ([^\r\n]*)/;

/**
 * The corpus: `projects/<name>/` are scanned as a whole, files of the other folders each alone; `traps/` must stay
 * without any finding.
 */
export function readCorpus(): readonly Project[] {
  const projects = new Map<string, string[]>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === "README.md") continue;
    const path = relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/");
    const parts = path.split("/");
    const name = parts.includes("projects") ? parts.slice(0, parts.indexOf("projects") + 2).join("/") : path;
    projects.set(name, [...(projects.get(name) ?? []), path]);
  }
  return [...projects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, paths]) => readProject(name, paths));
}

function readProject(name: string, paths: readonly string[]): Project {
  const files: Record<string, string> = {};
  const expected: Record<Target, Set<string>> = { "v3.1": new Set(), current: new Set() };
  for (const path of paths.toSorted()) {
    // within its project a file has the path it would have in a repository
    const own =
      paths.length === 1 && !name.includes("projects/")
        ? path.slice(path.lastIndexOf("/") + 1)
        : path.slice(name.length + 1);
    const lines = readFileSync(join(root, path), "utf8").split("\n");
    files[own] = lines.map((line) => line.replace(mark, "")).join("\n");
    for (const [index, line] of lines.entries()) {
      for (const label of mark.exec(line)?.[1]?.trim().split(/\s+/) ?? []) {
        const [, target, code] = /^(?:(v3\.1|current):)?(R\d\d)$/.exec(label) ?? [];
        if (!code) throw new Error(`${path}:${index + 1}: "${label}" is no mark`);
        for (const one of ["v3.1", "current"] as const) {
          if (target === undefined || target === one) expected[one].add(`${own}:${index + 1} ${code}`);
        }
      }
    }
  }
  return { name, isTrap: name.startsWith("traps/"), files, expected };
}
