import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { Host, Options } from "../cli.js";
import type { Config } from "../compat/gates/config.js";
import { UserError } from "../errors.js";
import { reason } from "./files.js";

/** A configuration and where it was found. */
export interface LoadedConfig {
  readonly config: Config;
  /** As shown to people: relative to the host's folder. */
  readonly name: string;
  /** Absolute; globs and paths in the configuration are relative to it. */
  readonly folder: string;
}

const names = ["deepseek-compat.config.json", "deepseek-compat.config.yaml", "deepseek-compat.config.yml"];

/**
 * The configuration of a run: the one --config names, none with --no-config, else the nearest in `start` (this folder,
 * where it is left out) or above it, up to the root of the repository.
 */
export async function loadConfig(
  host: Host,
  options: Options,
  start: string = host.cwd,
): Promise<LoadedConfig | undefined> {
  const asked = options["config"] as string | boolean | undefined;
  if (asked === false) return undefined;
  const path = typeof asked === "string" ? resolve(host.cwd, asked) : nearestConfig(start);
  if (path === undefined) return undefined;
  const name = relative(host.cwd, path).split(sep).join("/");
  const content = await readConfig(path, name);
  const { parseConfig } = await import("../compat/gates/config.js");
  return { config: parseConfig(content, name), name, folder: dirname(path) };
}

function nearestConfig(from: string): string | undefined {
  const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  const folders: string[] = [];
  for (let at = from; ; at = dirname(at)) {
    folders.push(at);
    if (statSync(join(at, ".git"), { throwIfNoEntry: false })) break;
    if (dirname(at) === at) {
      // in no repository: what lies above is none of our business
      folders.length = 1;
      break;
    }
  }
  for (const folder of folders) {
    const here = names.map((name) => join(folder, name)).filter(isFile);
    if (here.length > 1) {
      throw new UserError(`${here.map((path) => basename(path)).join(" and ")} in one folder: keep one of them`);
    }
    if (here[0]) return here[0];
    const manifest = join(folder, "package.json");
    if (isFile(manifest) && hasKey(manifest)) return manifest;
  }
  return undefined;
}

function hasKey(manifest: string): boolean {
  try {
    const text = readFileSync(manifest, "utf8");
    return text.includes('"deepseek-compat"') && typeof JSON.parse(text)["deepseek-compat"] === "object";
  } catch {
    // a broken package.json is for others to report
    return false;
  }
}

async function readConfig(path: string, name: string): Promise<unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`${name}: cannot read the configuration: ${reason(error)}`);
  }
  try {
    if (/\.ya?ml$/.test(path)) return (await import("yaml")).parse(text) ?? {};
    const content = JSON.parse(text) as Record<string, unknown>;
    return basename(path) === "package.json" ? (content["deepseek-compat"] ?? {}) : content;
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).split("\n")[0]!.replace(/[:.]$/, "");
    throw new UserError(`${name}: is not valid ${/\.ya?ml$/.test(path) ? "YAML" : "JSON"}: ${why}`);
  }
}
