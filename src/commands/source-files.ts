import { closeSync, type Dirent, openSync, readdirSync, readFileSync, readSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import createIgnore, { type Ignore } from "ignore";
import type { Host } from "../cli.js";
import { readerOf } from "../compat/readers/index.js";
import { mentionsDeepSeek, type Sources } from "../compat/sources.js";
import { UserError } from "../errors.js";
import { reason } from "./files.js";

/** Files above this are generated or data, not code people maintain. */
const maximumBytes = 2 * 1024 * 1024;
/** Folders that hold what others wrote or what a build made. */
const foreignFolders = new Set([
  "node_modules",
  ".git",
  "dist",
  "build",
  "out",
  "vendor",
  "coverage",
  ".next",
  ".nuxt",
  ".turbo",
  "__snapshots__",
  "__generated__",
  "__recordings__",
  "__cassettes__",
  "cassettes",
]);

/** The files of some paths, and the ones among them that are not read. */
export interface SourceFiles extends Sources {
  /** Files that turned out, when read, to be unreadable or no UTF-8 text. */
  readonly unreadable: ReadonlySet<string>;
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
}

/**
 * Finds the scripts below some paths: what .gitignore leaves out, foreign folders and links are passed over; files
 * named themselves are always taken. Paths are relative to the host's folder, with forward slashes.
 * `onRead` is told of files read so far.
 */
export function findSourceFiles(
  host: Host,
  paths: readonly string[],
  onRead: (done: number, total: number) => void = () => {},
): SourceFiles {
  const files = new Set<string>();
  const skipped: { file: string; reason: string }[] = [];
  const name = (absolute: string) => relative(host.cwd, absolute).split(sep).join("/") || ".";
  for (const path of paths) {
    const absolute = resolve(host.cwd, path);
    const stats = statSync(absolute, { throwIfNoEntry: false });
    if (!stats) throw new UserError(`${path}: no such file or folder`);
    if (stats.isDirectory()) {
      const skip: Skip = (folder, why) => skipped.push({ file: name(folder), reason: why });
      walk(absolute, rulesFor(absolute), (file) => files.add(name(file)), skip);
    } else if (readerOf(path)) files.add(name(absolute));
    else throw new UserError(`${path}: not a kind of file this program reads`);
  }
  const kept: string[] = [];
  for (const file of [...files].sort()) {
    const why = unfit(resolve(host.cwd, file));
    if (why) skipped.push({ file, reason: why });
    else kept.push(file);
  }
  const cache = new Map<string, string>();
  const there = new Map<string, boolean>();
  const unreadable = new Set<string>();
  let done = 0;
  return {
    paths: kept,
    skipped,
    unreadable,
    has(path) {
      const known = there.get(path) ?? statSync(resolve(host.cwd, path), { throwIfNoEntry: false })?.isFile() === true;
      there.set(path, known);
      return known;
    },
    read(path) {
      const known = cache.get(path);
      if (known !== undefined) return known;
      const text = readText(resolve(host.cwd, path));
      done += 1;
      onRead(Math.min(done, kept.length), kept.length);
      if (text === undefined) unreadable.add(path);
      // the files of interest are read several times, the others once
      else if (mentionsDeepSeek(text) || path.endsWith(".json")) cache.set(path, text);
      return text;
    },
  };
}

interface Rules {
  readonly folder: string;
  readonly ignore: Ignore;
}

function rulesOf(folder: string): readonly Rules[] {
  try {
    return [{ folder, ignore: createIgnore().add(readFileSync(join(folder, ".gitignore"), "utf8")) }];
  } catch {
    return [];
  }
}

/** The .gitignore files between a folder and the root of its repository. */
function ignoresAbove(folder: string): readonly Rules[] {
  const above: Rules[] = [];
  for (let at = realpathSync(folder); ; ) {
    if (at !== folder) above.unshift(...rulesOf(at));
    if (statSync(join(at, ".git"), { throwIfNoEntry: false })) return above;
    const next = resolve(at, "..");
    // not in a repository: what lies above is none of our business
    if (next === at) return [];
    at = next;
  }
}

/** The rules above a folder; none where they leave out the folder itself, which somebody asked for all the same. */
function rulesFor(folder: string): readonly Rules[] {
  const above = ignoresAbove(folder);
  return isIgnored(above, folder, "/") ? [] : above;
}

function isIgnored(rules: readonly Rules[], path: string, suffix: string): boolean {
  return rules.some(({ folder, ignore }) => {
    const inside = relative(folder, path).split(sep).join("/");
    return inside !== "" && !inside.startsWith("..") && ignore.ignores(inside + suffix);
  });
}

/** Told of a folder that cannot be read. */
type Skip = (path: string, why: string) => void;

function walk(folder: string, above: readonly Rules[], take: (file: string) => void, skip: Skip): void {
  const rules = [...above, ...rulesOf(folder)];
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    skip(folder, reason(error));
    return;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!foreignFolders.has(entry.name) && !isIgnored(rules, path, "/")) walk(path, rules, take, skip);
    } else if (entry.isFile() && readerOf(path) && !isIgnored(rules, path, "")) take(path);
  }
}

/** Why a file is not read; undefined where it is. */
function unfit(path: string): string | undefined {
  if (/[.-]min\.[cm]?js$/.test(path)) return "minified";
  if (/\.generated\.[cm]?[jt]sx?$/.test(path)) return "generated";
  try {
    const { size } = statSync(path);
    if (size > maximumBytes) return "larger than 2 MB";
    const head = Buffer.alloc(Math.min(size, 4096));
    const file = openSync(path, "r");
    try {
      readSync(file, head, 0, head.length, 0);
    } finally {
      closeSync(file);
    }
    if (head.includes(0)) return "not text";
    if (/^[ \t]*(\/\/|\/?\*).*@generated\b/m.test(head.toString("latin1"))) return "generated";
    // recordings of requests, and findings that quote them, are no code
    if (/^\s*\{\s*"schema"\s*:\s*"deepseek-compat\//.test(head.toString("latin1"))) return "a report of this program";
    // people break lines
    if (size > 20_000 && !head.includes(0x0a)) return "minified";
  } catch (error) {
    return reason(error);
  }
  return undefined;
}

/** A file's text, its byte order mark kept; undefined where it cannot be read or is not UTF-8. */
function readText(path: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch {
    return undefined;
  }
}
