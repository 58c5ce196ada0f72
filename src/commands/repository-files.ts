import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import createIgnore, { type Ignore } from "ignore";
import type { Host } from "../cli.js";

/** Folders that hold what others wrote or what a build made. */
const foreign = new Set([
  ".git",
  "node_modules",
  "dist",
  "build",
  "out",
  "vendor",
  "coverage",
  ".venv",
  "venv",
  "__pycache__",
  ".next",
  ".nuxt",
  ".turbo",
]);
/** Beyond this many a repository is more than one plan can tell of. */
const most = 100_000;

interface Rules {
  /** Folder they hold for, with a slash at its end; empty for the root. */
  readonly folder: string;
  readonly ignore: Ignore;
}

/**
 * All files of the host's folder, of any kind, but for what .gitignore leaves out and links. Paths are relative, with
 * forward slashes, sorted.
 */
export function repositoryFiles(host: Host): readonly string[] {
  const files: string[] = [];
  const walk = (folder: string, above: readonly Rules[]): void => {
    if (files.length >= most) return;
    let entries: readonly Dirent[];
    try {
      entries = readdirSync(join(host.cwd, folder), { withFileTypes: true });
    } catch {
      // what cannot be listed cannot be planned; the scan of the same folder says so
      return;
    }
    const own = entries.some(({ name }) => name === ".gitignore") ? rulesOf(host, folder) : [];
    const rules = [...above, ...own];
    const isIgnored = (path: string, suffix: string) =>
      rules.some((one) => one.ignore.ignores(path.slice(one.folder.length) + suffix));
    for (const entry of entries) {
      const path = folder + entry.name;
      if (entry.isDirectory()) {
        if (!foreign.has(entry.name) && !isIgnored(path, "/")) walk(`${path}/`, rules);
      } else if (entry.isFile() && files.length < most && !isIgnored(path, "")) files.push(path);
    }
  };
  walk("", []);
  return files.sort();
}

function rulesOf(host: Host, folder: string): readonly Rules[] {
  try {
    return [{ folder, ignore: createIgnore().add(readFileSync(join(host.cwd, folder, ".gitignore"), "utf8")) }];
  } catch {
    return [];
  }
}
