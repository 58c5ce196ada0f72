import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";

/** Why the system refused a file operation, in words; the code itself where there are none. */
export function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const words: Record<string, string> = {
    ENOENT: "no such file or folder",
    EACCES: "permission denied",
    EPERM: "operation not permitted",
    EISDIR: "it is a folder",
    EEXIST: "a file of this name is there",
    ENOTDIR: "part of the path is not a folder",
    EROFS: "the file system is read-only",
    ENOSPC: "no space left on the device",
    EMFILE: "too many open files",
    ENAMETOOLONG: "the name is too long",
    ELOOP: "links lead in a circle",
    EIO: "the device reports an error",
  };
  return words[code] ?? code;
}

/** Absolute path of a user's path. */
export function absolute(host: Host, path: string): string {
  return resolve(host.cwd, path);
}

/** Size in bytes of a file that must exist; `kind` names it in errors ("model"). */
export function fileSize(host: Host, path: string, kind: string): number {
  try {
    const stats = statSync(absolute(host, path));
    if (stats.isDirectory()) throw new UserError(`${path}: is a folder; give a ${kind} file`);
    if (!stats.isFile()) throw new UserError(`${path}: is a pipe or device; give a ${kind} file`);
    return stats.size;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: cannot read the ${kind}: ${reason(error)}`);
  }
}

/** A whole file's bytes. Errors: missing, a folder, unreadable, over 2 GiB. */
export function readInput(host: Host, path: string, kind: string): Uint8Array<ArrayBuffer> {
  const size = fileSize(host, path, kind);
  if (size > 2 ** 31 - 1) {
    throw new UserError(`${path}: is ${size} bytes; a ${kind} in one file may have at most 2 GiB`);
  }
  try {
    const content = readFileSync(absolute(host, path)) as Buffer<ArrayBuffer>;
    return new Uint8Array(content.buffer, content.byteOffset, content.length);
  } catch (error) {
    throw new UserError(`${path}: cannot read the ${kind}: ${reason(error)}`);
  }
}

/** What is there under a path; undefined for nothing. */
export function statsOf(host: Host, path: string): Stats | undefined {
  try {
    return statSync(absolute(host, path), { throwIfNoEntry: false });
  } catch (error) {
    throw new UserError(`${path}: ${reason(error)}`);
  }
}

/** Whether two paths name one file, links followed; the second need not exist yet. */
export function isSameFile(host: Host, path: string, other: string): boolean {
  const real = (file: string) => (statsOf(host, file) ? realpathSync(absolute(host, file)) : undefined);
  const parent = dirname(absolute(host, other));
  const place = real(other) ?? (real(parent) ? join(realpathSync(parent), basename(other)) : absolute(host, other));
  return (real(path) ?? absolute(host, path)) === place;
}

/** Refuses an output path that is there already (unless forced), is a folder, or lies in no writable folder. */
export function checkOutput(host: Host, path: string, force: boolean): void {
  const target = absolute(host, path);
  const existing = statsOf(host, path);
  if (existing?.isDirectory()) throw new UserError(`${path}: is a folder; give the name of a file to write`);
  if (existing && !force) throw new UserError(`${path}: exists already; use --force to replace it, or -o another name`);
  // opening a temporary file is the only honest test of "writable"
  const probe = temporaryName(target);
  // with somebody listening, a signal waits for the end of this; without, it would leave the file behind
  const forget = host.onInterrupt(() => {});
  try {
    closeSync(openSync(probe, "wx"));
    rmSync(probe, { force: true });
  } catch (error) {
    throw new UserError(`${path}: cannot write into ${dirname(target)}: ${reason(error)}`);
  } finally {
    forget();
  }
}

/** Refuses an output of a command that is its own input, or that cannot be written. */
export function checkNewOutput(host: Host, input: string, output: string, force: boolean): void {
  if (isSameFile(host, input, output)) {
    throw new UserError(`${output}: is the input itself, which is never changed; give -o another name`);
  }
  checkOutput(host, output, force);
}

function temporaryName(target: string): string {
  return join(dirname(target), `.deepseek-${process.pid}-${process.hrtime.bigint()}.tmp`);
}

/** Refuses to replace a file that somebody made read-only; renaming over it would not ask. */
export function checkReplaceable(host: Host, path: string): void {
  const stats = statsOf(host, path);
  if (stats && (stats.mode & 0o222) === 0) {
    throw new UserError(`${path}: is read-only; make it writable (chmod u+w) if it may be changed`);
  }
}

/**
 * Writes a file whole or not at all: under a temporary name in the same folder, flushed, then renamed. A file that is
 * replaced keeps its permissions, a link is followed. Ctrl-C removes the temporary file.
 */
export function writeWhole(host: Host, path: string, content: string | Uint8Array): void {
  checkReplaceable(host, path);
  const named = absolute(host, path);
  const target = statSync(named, { throwIfNoEntry: false }) ? realpathSync(named) : named;
  const temporary = temporaryName(target);
  const discard = () => rmSync(temporary, { force: true });
  const forget = host.onInterrupt(discard);
  try {
    const mode = statSync(target, { throwIfNoEntry: false })?.mode;
    writeFileSync(temporary, content, { flag: "wx", flush: true, ...(mode === undefined ? {} : { mode }) });
    if (mode !== undefined) chmodSync(temporary, mode);
    renameSync(temporary, target);
  } catch (error) {
    discard();
    throw new UserError(`${path}: cannot write: ${reason(error)}`);
  } finally {
    forget();
  }
}

/**
 * Refuses to replace a file that is not any more what was read of it: somebody's edit in the meantime must not be lost. Several texts may be expected.
 */
export function checkUnchanged(host: Host, path: string, ...expected: readonly string[]): void {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(absolute(host, path));
  } catch (error) {
    throw new UserError(`${path}: cannot be read again before it is changed: ${reason(error)}; run again`);
  }
  if (expected.some((text) => Buffer.from(text).equals(bytes))) return;
  throw new UserError(`${path}: was changed by something else since it was read, so it is left as it is; run again`);
}

/** A hidden folder beside the final place, in which files of several parts are made before any takes its name. */
export interface Staging {
  /** The path beside which the files will lie, as the user gave it: what errors about them name. */
  readonly label: string;
  /** Absolute path a file of this name has until it is published. */
  pathOf(name: string): string;
  /** Removes files of these names. */
  remove(names: readonly string[]): void;
  /** Moves the named files to their place, in this order, replacing what was there; then removes the folder. */
  publish(names: readonly string[]): void;
  /** Removes the folder and all in it; nothing happens once it is published. */
  discard(): void;
}

/** Opens a staging folder for files that will lie beside `path`; Ctrl-C removes it. */
export function openStaging(host: Host, path: string): Staging {
  const home = dirname(absolute(host, path));
  let folder: string;
  try {
    folder = mkdtempSync(join(home, ".deepseek-"));
  } catch (error) {
    throw new UserError(`${path}: cannot write into ${home}: ${reason(error)}`);
  }
  const discard = () => {
    forget();
    rmSync(folder, { recursive: true, force: true });
  };
  const forget = host.onInterrupt(discard);
  return stagingAt(host, path, folder, discard);
}

/** A staging folder that is open already, for files that will lie beside `path`; `discard` is its opener's. */
export function stagingAt(host: Host, path: string, folder: string, discard: () => void): Staging {
  const home = dirname(absolute(host, path));
  return {
    label: path,
    pathOf: (name) => join(folder, name),
    remove(names) {
      for (const name of names) rmSync(join(folder, name), { force: true });
    },
    publish(names) {
      try {
        for (const name of names) renameSync(join(folder, name), join(home, name));
      } catch (error) {
        throw new UserError(`${path}: cannot write: ${reason(error)}`);
      } finally {
        discard();
      }
    },
    discard,
  };
}
