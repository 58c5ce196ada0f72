import { readFileSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import type { Host } from "../cli.js";
import type { Price } from "../compat/proof/prices.js";
import { UserError } from "../errors.js";
import type { LoadedConfig } from "./config-file.js";
import { reason } from "./files.js";

/** The price table that a configuration names, and its absolute path; undefined where it names none. */
export async function loadPrices(
  host: Host,
  loaded: LoadedConfig | undefined,
): Promise<{ readonly path: string; readonly prices: readonly Price[] } | undefined> {
  const configured = loaded?.config.prices;
  if (!loaded || configured === undefined) return undefined;
  const path = resolve(loaded.folder, configured);
  const name = relative(host.cwd, path).split(sep).join("/");
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const isBroken = error instanceof SyntaxError;
    throw new UserError(
      `${name}: ${isBroken ? "is not valid JSON" : `cannot read the price table: ${reason(error)}`} (prices in ${loaded.name} names it)`,
    );
  }
  const { parsePrices } = await import("../compat/proof/own-prices.js");
  return { path, prices: parsePrices(content, name) };
}
