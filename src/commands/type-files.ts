import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import type { Host } from "../cli.js";
import type { TypeFiles } from "../compat/fix/verify.js";

const slashed = (path: string): string => path.replaceAll("\\", "/");

function look(path: string): "file" | "folder" | "none" {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() ? "file" : stats?.isDirectory() ? "folder" : "none";
  } catch {
    return "none";
  }
}

/** The files a type checker may ask for, read once each. Nothing is written. */
export function typeFiles(host: Host): TypeFiles {
  const kinds = new Map<string, "file" | "folder" | "none">();
  const kindOf = (path: string) => {
    let kind = kinds.get(path);
    if (!kind) {
      kind = look(path);
      kinds.set(path, kind);
    }
    return kind;
  };
  return {
    root: slashed(host.cwd).replace(/\/$/, ""),
    readFile(path) {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return undefined;
      }
    },
    fileExists: (path) => kindOf(path) === "file",
    directoryExists: (path) => kindOf(path) === "folder",
    directories(path) {
      try {
        return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
      } catch {
        return [];
      }
    },
    realPath(path) {
      try {
        return slashed(realpathSync(path));
      } catch {
        return path;
      }
    },
  };
}
