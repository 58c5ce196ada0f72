import { relative, resolve, sep } from "node:path";
import type { Host, Options } from "../cli.js";
import type { FileSettings } from "../compat/gates/config.js";
import { readerOf } from "../compat/readers/index.js";
import { UserError } from "../errors.js";
import { reason } from "./files.js";
import { startFolderNames } from "./folder-names.js";
import { findSourceFiles, type SourceFiles } from "./source-files.js";
import { collectGarbage } from "./tidy.js";

/** The files of a scan, without those that the configuration leaves out. */
export interface ScanSources extends SourceFiles {
  /** Number of files left out. */
  readonly excluded: number;
}

/** A path relative to the host's folder as one relative to another folder, forward slashes. */
export function pathFrom(host: Host, folder: string, path: string): string {
  return relative(folder, resolve(host.cwd, path)).split(sep).join("/");
}

/** Files of this program: they speak of models without using any. */
const ownFile = /(^|\/)deepseek-compat(-baseline\.json|\.config\.(json|ya?ml))$/;

/**
 * The files below some paths, less what the configuration leaves out; `folder` is that of the configuration. `written`
 * are the files that this run writes (reports, the baseline): an earlier run has left them there.
 */
export function scanSources(
  host: Host,
  paths: readonly string[],
  settings: FileSettings | undefined,
  folder: string,
  written: readonly string[],
  onRead: (done: number, total: number) => void,
): ScanSources {
  const accept = settings ? (path: string) => settings.isIncluded(pathFrom(host, folder, path)) : undefined;
  const found = findSourceFiles(host, paths, onRead, accept);
  const outputs = new Set(written.map((file) => pathFrom(host, host.cwd, file)));
  const own = found.paths.filter((path) => !ownFile.test(path) && !outputs.has(path));
  // files that were named are left out too: those who hand over all staged files count on it
  const kept = accept ? own.filter(accept) : own;
  const passed = found.passedOver.get("left out by the configuration")?.files ?? 0;
  const skipped = found.skipped.filter(({ file }) => !ownFile.test(file) && !outputs.has(file));
  const names = startFolderNames(host.cwd);
  return { ...found, names, tidy: collectGarbage, skipped, paths: kept, excluded: passed + own.length - kept.length };
}

/** The text on stdin as one file of that name; what it imports is read from the disk. */
export function stdinSources(host: Host, options: Options): ScanSources {
  const name = options["stdinFilename"] as string | undefined;
  if (!name) throw new UserError("--stdin: --stdin-filename must say what the file is called");
  const path = relative(host.cwd, resolve(host.cwd, name)).split(sep).join("/");
  if (!readerOf(path)) throw new UserError(`--stdin-filename ${name}: not a kind of file this program reads`);
  if (!host.stdin) throw new UserError("--stdin: there is no standard input here");
  let bytes: Uint8Array;
  try {
    bytes = host.stdin.read();
  } catch (error) {
    throw new UserError(`--stdin: cannot read standard input: ${reason(error)}`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UserError(`${name}: standard input is no UTF-8 text`);
  }
  const disk = findSourceFiles(host, []);
  return {
    paths: [path],
    skipped: [],
    unreadable: new Set(),
    passedOver: new Map(),
    excluded: 0,
    has: (file) => file === path || disk.has(file),
    read: (file) => (file === path ? text : disk.read(file)),
  };
}
