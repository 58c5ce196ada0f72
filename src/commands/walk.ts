import { type Dirent, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { reason } from "./files.js";
import { type IgnoreRules, isIgnored, rulesAbove, rulesOf } from "./git-ignore.js";
import { foreignFile, foreignFolder } from "./left-alone.js";

/** What a walk tells. Paths are absolute. */
export interface Visitor {
  /** A file that nothing speaks against. */
  file(path: string): void;
  /** An entry that is passed over, and why; `isFolder` with all that lies below it. */
  passed(path: string, why: string, isFolder: boolean): void;
  /** A folder whose every entry is told of. */
  listed?(path: string): void;
  /** A folder that cannot be read. */
  failed(path: string, why: string): void;
}

/**
 * Visits the files below a folder. Passed over are what .gitignore leaves out, foreign folders and files, links (so
 * that none can lead in a circle), and what is neither file nor folder. Sync: twice as fast as the asynchronous calls.
 */
export function walk(start: string, visitor: Visitor): void {
  const root = start.endsWith(sep) ? start.slice(0, -1) : start;
  // deep folders must not end the stack
  const pending: { readonly below: string; readonly rules: readonly IgnoreRules[] }[] = [
    { below: "", rules: rulesAbove(start) },
  ];
  for (let folder = pending.pop(); folder; folder = pending.pop()) {
    const { below } = folder;
    const path = below === "" ? start : `${root}${sep}${below.slice(0, -1)}`;
    let entries: readonly Dirent[];
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch (error) {
      visitor.failed(path, reason(error));
      continue;
    }
    visitor.listed?.(path);
    const prefix = `${path.endsWith(sep) ? path.slice(0, -1) : path}${sep}`;
    const own = entries.some(({ name }) => name === ".gitignore");
    const rules = own ? [...folder.rules, ...rulesOf(join(path, ".gitignore"), below.length)] : folder.rules;
    for (const entry of entries) {
      const { name } = entry;
      const full = prefix + name;
      const isFolder = entry.isDirectory();
      if (!isFolder && !entry.isFile()) {
        visitor.passed(full, entry.isSymbolicLink() ? "link" : "neither file nor folder", false);
        continue;
      }
      const foreign = isFolder ? foreignFolder(name) : foreignFile(name);
      if (foreign) {
        visitor.passed(full, foreign, isFolder);
        continue;
      }
      if (rules.length > 0 && isIgnored(rules, below + name, name, isFolder)) {
        visitor.passed(full, "left out by .gitignore", isFolder);
        continue;
      }
      if (isFolder) pending.push({ below: `${below}${name}/`, rules });
      else visitor.file(full);
    }
  }
}
