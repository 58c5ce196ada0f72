import { readdirSync } from "node:fs";
import { resolve } from "node:path";

/** Names of what lies in folders, each read from the disk once; undefined where a folder cannot be listed. */
export function startFolderNames(cwd: string): (folder: string) => ReadonlySet<string> | undefined {
  const known = new Map<string, ReadonlySet<string> | undefined>();
  return (folder) => {
    if (!known.has(folder)) known.set(folder, namesIn(resolve(cwd, folder)));
    return known.get(folder);
  };
}

function namesIn(folder: string): ReadonlySet<string> | undefined {
  try {
    return new Set(readdirSync(folder));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR" ? new Set() : undefined;
  }
}
