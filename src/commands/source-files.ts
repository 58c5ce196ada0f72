import { isUtf8 } from "node:buffer";
import { closeSync, constants, openSync, readFileSync, readSync, statSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import type { Host } from "../cli.js";
import { type Reader, readerOf } from "../compat/readers/index.js";
import { startLook } from "../compat/select.js";
import type { Sources } from "../compat/sources.js";
import { UserError } from "../errors.js";
import { reason } from "./files.js";
import { isMinified, saysGenerated } from "./left-alone.js";
import { walk } from "./walk.js";

/** Files above this are generated or data, not code people maintain. */
const maximumBytes = 2 * 1024 * 1024;
/** The same for a file that somebody named: what a reader can hold in memory. */
const maximumNamedBytes = 256 * 1024 * 1024;
/** Of a file's bytes, so many tell what it is. */
const headLength = 4096;
const generated = "generated";
const otherKind = "not a kind of file this program reads";

interface FoundFile {
  /** Absolute path. */
  readonly full: string;
  /** Did somebody name the file itself? */
  readonly named: boolean;
  readonly reader: Reader | undefined;
}

/** The files of some paths, and the ones among them that are not read. */
export interface SourceFiles extends Sources {
  /** Files that turned out, when read, to be unreadable or no UTF-8 text. */
  readonly unreadable: ReadonlySet<string>;
  /** Files of a kind that is read, and folders, that were not looked at. */
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
  /** All that was passed over, counted by reason; a folder counts as one, with all that lies in it. */
  readonly passedOver: ReadonlyMap<string, { readonly files: number; readonly folders: number }>;
}

/**
 * Finds the files below some paths that can be read, and looks through their bytes once for a mention of DeepSeek.
 * What .gitignore leaves out, foreign folders and links are passed over; files named themselves are always taken.
 * Paths are relative to the host's folder, with forward slashes. `onRead` is told of files looked at so far; only
 * files that `accept` takes are looked at.
 */
export function findSourceFiles(
  host: Host,
  paths: readonly string[],
  onRead: (done: number, total: number) => void = () => {},
  accept: (path: string) => boolean = () => true,
): SourceFiles {
  const found = new Map<string, FoundFile>();
  const folders = startListing();
  const skipped: { file: string; reason: string }[] = [];
  const passedOver = new Map<string, { files: number; folders: number }>();
  const count = (why: string, isFolder = false) => {
    const known = passedOver.get(why) ?? { files: 0, folders: 0 };
    passedOver.set(why, known);
    if (isFolder) known.folders += 1;
    else known.files += 1;
  };
  const skip = (file: string, why: string, isFolder = false) => {
    skipped.push({ file, reason: why });
    count(why, isFolder);
  };
  const nameOf = createNaming(host.cwd);
  for (const path of paths) {
    const start = resolve(host.cwd, path);
    if (isFolderToWalk(start, path)) {
      walk(start, {
        listed: (full) => folders.add(nameOf(full)),
        file(full) {
          const file = nameOf(full);
          if (found.has(file)) return;
          const reader = readerOf(file);
          if (!reader) count(otherKind);
          else if (!accept(file)) count("left out by the configuration");
          else {
            found.set(file, { full, named: false, reader });
            return;
          }
          folders.doubt(file);
        },
        passed(full, why, isFolder) {
          if (!isFolder) folders.doubt(nameOf(full));
          if (!isFolder && (why === "minified" || why === generated) && readerOf(full)) skip(nameOf(full), why);
          else count(why, isFolder);
        },
        failed: (full, why) => skip(nameOf(full), why, true),
      });
    } else found.set(nameOf(start), { full: start, named: true, reader: readerOf(nameOf(start)) });
  }
  const look = startLook();
  const kept: string[] = [];
  const files = [...found.keys()].sort();
  files.forEach((file, index) => {
    if (index % 256 === 0) onRead(index, files.length);
    const { full, named, reader } = found.get(file)!;
    const result = lookInto(full, named);
    if (typeof result !== "string") skip(file, result.why);
    else {
      const unfit = named ? undefined : unfitText(result, reader);
      if (unfit) skip(file, unfit);
      else {
        kept.push(file);
        look.add(file, result, reader);
      }
    }
  });
  onRead(files.length, files.length);
  const existence = (path: string) => found.has(path) || (folders.knows(path) ? false : undefined);
  skipped.sort((a, b) => (a.file < b.file ? -1 : 1));
  const fullOf = (path: string) => found.get(path)?.full ?? resolve(host.cwd, path);
  return { paths: kept, skipped, passedOver, look, ...reading(fullOf, look.mentioning, existence) };
}

/** Is what somebody named a folder (true) or a file that can be read (false)? Errors for all else. */
function isFolderToWalk(absolute: string, path: string): boolean {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(absolute, { throwIfNoEntry: false });
  } catch (error) {
    throw new UserError(`${path}: ${reason(error)}`);
  }
  if (!stats) throw new UserError(`${path}: no such file or folder`);
  if (stats.isDirectory()) return true;
  if (!stats.isFile()) throw new UserError(`${path}: is a pipe or device; give a file or folder`);
  if (!readerOf(path)) throw new UserError(`${path}: ${otherKind}`);
  return false;
}

/** Knows folders whose files have all been seen, so that nobody needs to ask the disk for others. */
function startListing() {
  const listed = new Set<string>();
  const doubtful = new Set<string>();
  return {
    add: (folder: string) => void listed.add(folder === "." ? "" : folder),
    /** A file of which it is not said here whether it can be read. */
    doubt: (file: string) => void doubtful.add(file),
    /** Is all said of a file of this path? */
    knows: (file: string) => listed.has(file.slice(0, Math.max(0, file.lastIndexOf("/")))) && !doubtful.has(file),
  };
}

/** Paths relative to a folder, with forward slashes. */
function createNaming(folder: string): (absolute: string) => string {
  const prefix = folder.endsWith(sep) ? folder : folder + sep;
  const slashes = (path: string) => (sep === "/" ? path : path.split(sep).join("/"));
  return (absolute) =>
    slashes(absolute.startsWith(prefix) ? absolute.slice(prefix.length) : relative(folder, absolute)) || ".";
}

/** Used again for each file; one byte more than is read of files that nobody named. */
const buffer = Buffer.allocUnsafeSlow(maximumBytes + 1);

/** Reads a file into the buffer, as far as it fits; returns the number of bytes. */
function fillFrom(path: string): number {
  // not waiting for a pipe that took the file's place
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    return readSync(file, buffer, 0, buffer.length, 0);
  } finally {
    closeSync(file);
  }
}

/** A file's bytes as Latin-1 text, or why it has none. */
function lookInto(path: string, named: boolean): string | { readonly why: string } {
  let text: string;
  try {
    const length = fillFrom(path);
    if (length <= maximumBytes) text = buffer.toString("latin1", 0, length);
    else if (!named) return { why: "larger than 2 MB" };
    else if (statSync(path).size > maximumNamedBytes) return { why: "larger than 256 MB" };
    else text = readFileSync(path, "latin1");
  } catch (error) {
    return { why: reason(error) };
  }
  if (text.startsWith("\xff\xfe") || text.startsWith("\xfe\xff")) {
    return { why: "UTF-16 text; save it as UTF-8 to have it read" };
  }
  return text.slice(0, headLength).includes("\0") ? { why: "not text" } : text;
}

/** Why a text is not what people maintain; undefined where it is. */
function unfitText(text: string, reader: Reader | undefined): string | undefined {
  if (saysGenerated(text.slice(0, headLength))) return generated;
  // recordings of requests, and findings that quote them, are no code
  if (ownReport.test(text)) return "a report of this program";
  return reader?.name === "typescript" && isMinified(text) ? "minified" : undefined;
}

const ownReport = /^\s*\{\s*"schema"\s*:\s*"deepseek-compat\//;

/** Access to the texts of files, those of interest kept: they are read several times, the others once. */
function reading(
  fullOf: (path: string) => string,
  mentioning: ReadonlySet<string>,
  existence: (path: string) => boolean | undefined,
): Pick<SourceFiles, "has" | "read" | "peek" | "unreadable"> {
  const cache = new Map<string, string>();
  const there = new Map<string, boolean>();
  const unreadable = new Set<string>();
  // names of packages are asked for in every folder on the way up, where nearly none of them has a folder
  const folders = new Map<string, boolean>();
  const isFolder = (path: string): boolean => {
    let known = folders.get(path);
    if (known === undefined) {
      const parent = dirname(path);
      known =
        (parent === path || isFolder(parent)) && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
      folders.set(path, known);
    }
    return known;
  };
  return {
    unreadable,
    has(path) {
      let known = there.get(path) ?? existence(path);
      if (known === undefined) {
        const absolute = fullOf(path);
        known = isFolder(dirname(absolute)) && isFile(absolute);
        there.set(path, known);
      }
      return known;
    },
    peek(path) {
      const result = lookInto(fullOf(path), true);
      return typeof result === "string" ? result : undefined;
    },
    read(path) {
      const known = cache.get(path);
      if (known !== undefined) return known;
      const text = readText(fullOf(path));
      if (text === undefined) unreadable.add(path);
      else if (mentioning.has(path) || path.endsWith(".json")) cache.set(path, text);
      return text;
    },
  };
}

function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    // behind a closed folder, or links in a circle
    return false;
  }
}

/** A file's text, its byte order mark kept; undefined where it cannot be read or is not UTF-8. */
function readText(path: string): string | undefined {
  try {
    const length = fillFrom(path);
    const bytes = length > maximumBytes ? readFileSync(path) : buffer.subarray(0, length);
    return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
  } catch {
    return undefined;
  }
}
