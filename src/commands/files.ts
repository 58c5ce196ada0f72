import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";

/** Why the system refused, in words; the code itself where there is none. */
function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const words: Record<string, string> = {
    ENOENT: "no such file or folder",
    EACCES: "permission denied",
    EPERM: "operation not permitted",
    EISDIR: "it is a folder",
    ENOTDIR: "part of the path is not a folder",
    EROFS: "the file system is read-only",
    ENOSPC: "no space left on the device",
    EMFILE: "too many open files",
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
    return new Uint8Array(readFileSync(absolute(host, path)));
  } catch (error) {
    throw new UserError(`${path}: cannot read the ${kind}: ${reason(error)}`);
  }
}

/** Refuses an output path that is there already (unless forced), is a folder, or lies in no writable folder. */
export function checkOutput(host: Host, path: string, force: boolean): void {
  const target = absolute(host, path);
  const existing = statSync(target, { throwIfNoEntry: false });
  if (existing?.isDirectory()) throw new UserError(`${path}: is a folder; give the name of a file to write`);
  if (existing && !force) throw new UserError(`${path}: exists already; use --force to replace it, or -o another name`);
  // opening a temporary file is the only honest test of "writable"
  const probe = temporaryName(target);
  try {
    closeSync(openSync(probe, "wx"));
  } catch (error) {
    throw new UserError(`${path}: cannot write into ${dirname(target)}: ${reason(error)}`);
  } finally {
    rmSync(probe, { force: true });
  }
}

function temporaryName(target: string): string {
  return join(dirname(target), `.${basename(target)}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`);
}

/** A file that takes its name only once it is whole. */
export interface PendingFile {
  write(bytes: Uint8Array): void;
  /** Flushes to disk; the file is still under its temporary name. */
  finish(): void;
  /** Gives the finished file its name, replacing what was there. */
  publish(): void;
  /** Removes the temporary file; nothing happens once it is published. */
  discard(): void;
}

/** Opens a file for writing under a temporary name in the target's folder; Ctrl-C removes it. */
export function openPending(host: Host, path: string): PendingFile {
  const target = absolute(host, path);
  const temporary = temporaryName(target);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(temporary, "wx");
  } catch (error) {
    throw new UserError(`${path}: cannot write: ${reason(error)}`);
  }
  let published = false;
  const discard = () => {
    forget();
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
    if (!published) rmSync(temporary, { force: true });
  };
  const forget = host.onInterrupt(discard);
  const guarded = (action: () => void) => {
    try {
      action();
    } catch (error) {
      discard();
      throw new UserError(`${path}: cannot write: ${reason(error)}`);
    }
  };
  return {
    write: (bytes) =>
      guarded(() => {
        for (let at = 0; at < bytes.length; ) at += writeSync(descriptor!, bytes, at, bytes.length - at);
      }),
    finish: () =>
      guarded(() => {
        fsyncSync(descriptor!);
        closeSync(descriptor!);
        descriptor = undefined;
      }),
    publish: () =>
      guarded(() => {
        renameSync(temporary, target);
        published = true;
        forget();
      }),
    discard,
  };
}

/** Writes a file whole or not at all. */
export function writeWhole(host: Host, path: string, content: string | Uint8Array): void {
  const file = openPending(host, path);
  file.write(typeof content === "string" ? new TextEncoder().encode(content) : content);
  file.finish();
  file.publish();
}

/** Makes a folder and its parents. */
export function makeFolder(host: Host, path: string): void {
  try {
    mkdirSync(absolute(host, path), { recursive: true });
  } catch (error) {
    throw new UserError(`${path}: cannot make the folder: ${reason(error)}`);
  }
}
