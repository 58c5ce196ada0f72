import { relative, sep } from "node:path";
import type { Host } from "../cli.js";
import { walk } from "./walk.js";

/** Beyond this many a repository is more than one plan can tell of. */
const most = 100_000;

/**
 * All files of the host's folder, of any kind, but for what a scan passes over as well: what .gitignore leaves out,
 * dependencies, build output, links. Paths are relative, with forward slashes, sorted.
 */
export function repositoryFiles(host: Host): readonly string[] {
  const files: string[] = [];
  walk(host.cwd, {
    file(path) {
      if (files.length < most) files.push(relative(host.cwd, path).split(sep).join("/"));
    },
    passed: () => {},
    // what cannot be listed cannot be planned; the scan of the same folder says so
    failed: () => {},
  });
  return files.sort();
}
