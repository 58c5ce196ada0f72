import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";
import { reason } from "./files.js";

/**
 * Imports a user's module (.js, .mjs, .ts). A .ts file is one module: its types are dropped, and it may import packages
 * and JavaScript files, but no other TypeScript. `what` it holds stands in the UserError where it cannot be loaded.
 */
export async function importModule(
  host: Host,
  path: string,
  name: string,
  what: string,
): Promise<Record<string, unknown>> {
  try {
    if (!/ts$/.test(path)) return await import(pathToFileURL(path).href);
    const { transpile } = await import("../compat/readers/typescript-transpile.js");
    return await importText(host, path, transpile(readFileSync(path, "utf8"), path));
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new UserError(`${name}: cannot load ${what}: ${why}`);
  }
}

/** Imports JavaScript that stands in no file: from one beside `path` for a moment, so that its imports resolve. */
async function importText(host: Host, path: string, text: string): Promise<Record<string, unknown>> {
  const temporary = join(dirname(path), `.deepseek-compat-${process.pid}-${process.hrtime.bigint()}.mjs`);
  const discard = () => rmSync(temporary, { force: true });
  const forget = host.onInterrupt(discard);
  try {
    try {
      writeFileSync(temporary, text, { flag: "wx" });
    } catch (error) {
      // a read-only checkout: without a place of its own it can import nothing but Node's modules
      if (/^\s*import\b.*["']\.{1,2}\//m.test(text)) throw new Error(`its folder cannot be written: ${reason(error)}`);
      return await import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
    }
    return await import(pathToFileURL(temporary).href);
  } finally {
    discard();
    forget();
  }
}
