import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Host } from "../cli.js";
import type { OutputStore } from "../distill/teacher.js";
import { UserError } from "../errors.js";
import { absolute, reason } from "./files.js";

/**
 * A folder of --cache: a file for each sample. What a run that was killed left half-written has another name. One that
 * is not `writable` is only read, and need not be there.
 */
export function openStore(host: Host, folder: string, writable: boolean): OutputStore {
  const home = absolute(host, folder);
  const pathOf = (key: string) => join(home, key.slice(0, 2), `${key}.npz`);
  const failed = (error: unknown): never => {
    throw new UserError(`--cache ${folder}: ${reason(error)}`);
  };
  try {
    if (writable) mkdirSync(home, { recursive: true });
  } catch (error) {
    failed(error);
  }
  return {
    async read(key) {
      try {
        return existsSync(pathOf(key)) ? readFileSync(pathOf(key)) : undefined;
      } catch (error) {
        return failed(error);
      }
    },
    async write(key, bytes) {
      if (!writable) return;
      const path = pathOf(key);
      const temporary = `${path}.${process.pid}.tmp`;
      try {
        mkdirSync(dirname(path), { recursive: true });
        // not flushed: a damaged file is found out and written anew
        writeFileSync(temporary, bytes);
        renameSync(temporary, path);
      } catch (error) {
        failed(error);
      }
    },
  };
}
