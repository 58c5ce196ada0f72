import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";
import { absolute, fileSize, readInput, reason, statsOf } from "./files.js";

/** How samples lie on disk. */
type SampleForm = "npz" | "npy" | "pb" | "jsonl" | "json" | "image" | "text" | "test data";

/** Samples found on disk: files of one form, or folders of test data, in the order people count. */
export interface FoundSamples {
  readonly form: SampleForm;
  readonly paths: readonly string[];
}

const endings: readonly { readonly form: SampleForm; readonly ending: RegExp; readonly name: string }[] = [
  { form: "npz", ending: /\.npz$/i, name: ".npz files" },
  { form: "npy", ending: /\.npy$/i, name: ".npy files" },
  { form: "pb", ending: /\.pb$/i, name: ".pb files" },
  { form: "jsonl", ending: /\.(jsonl|ndjson)$/i, name: ".jsonl files" },
  { form: "json", ending: /\.json$/i, name: ".json files" },
  { form: "image", ending: /\.(png|jpe?g|webp|avif|tiff?|gif)$/i, name: "images" },
];

const known =
  "an .npz, .npy, .pb, .jsonl or .json file, an image, or a folder of such files or of test_data_set_N folders";

// as people count: line-2 before line-10
const { compare } = new Intl.Collator("en", { numeric: true });

/** What lies under `--data`. With a tokenizer every file, and every .txt of a folder, is text. */
export function findSamples(host: Host, path: string, asText: boolean): FoundSamples {
  const stats = statsOf(host, path);
  if (!stats) throw new UserError(`--data ${path}: no such file or folder`);
  if (!stats.isDirectory()) {
    if (asText) return { form: "text", paths: [path] };
    const form = endings.find(({ ending }) => ending.test(path))?.form;
    if (form) return { form, paths: [path] };
    if (/\.txt$/i.test(path)) throw new UserError(`--data ${path}: lines of text need --tokenizer <tokenizer.json>`);
    throw new UserError(`--data ${path}: samples are ${known}`);
  }
  const entries = list(host, path);
  // labels often lie beside their samples
  const files = entries.flatMap((entry) => (entry.isDirectory() || /^labels\./i.test(entry.name) ? [] : [entry.name]));
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const inPath = (names: readonly string[]) => names.map((name) => join(path, name));
  if (asText) {
    const texts = files.filter((name) => /\.txt$/i.test(name));
    if (texts.length === 0) throw new UserError(`--data ${path}: the folder holds no .txt files for --tokenizer`);
    return { form: "text", paths: inPath(texts) };
  }
  if (files.some((name) => /^input_\d+\.pb$/.test(name))) return { form: "test data", paths: [path] };
  const sets = folders.filter((name) => /^test_data(_set)?_?\d+$/.test(name));
  if (sets.length > 0) return { form: "test data", paths: inPath(sets) };
  const found = endings
    .map(({ form, ending, name }) => ({ form, name, paths: inPath(files.filter((file) => ending.test(file))) }))
    .filter(({ paths }) => paths.length > 0);
  // images are often sorted into a folder a class, perhaps with the names of the classes in a .json file beside
  if (found.every(({ form }) => form === "json")) {
    const { form, ending, name } = endings.find(({ form }) => form === "image")!;
    const nested = folders.flatMap((folder) =>
      list(host, join(path, folder)).flatMap((entry) =>
        ending.test(entry.name) && !entry.isDirectory() ? [join(path, folder, entry.name)] : [],
      ),
    );
    if (nested.length > 0) found.push({ form, name, paths: nested });
  }
  // beside samples of another form a .json file is a configuration, or names of classes
  const [only, other] = found.length > 1 ? found.filter(({ form }) => form !== "json") : found;
  if (!only) throw new UserError(`--data ${path}: the folder holds no samples; they are ${known}`);
  if (other) {
    throw new UserError(`--data ${path}: the folder holds ${only.name} and ${other.name}; give a folder of one form`);
  }
  return only;
}

function list(host: Host, path: string) {
  try {
    return readdirSync(absolute(host, path), { withFileTypes: true })
      .filter(({ name }) => !name.startsWith("."))
      .map((entry) => ({ name: entry.name, isDirectory: () => isFolder(host, path, entry) }))
      .sort((a, b) => compare(a.name, b.name));
  } catch (error) {
    throw new UserError(`--data ${path}: cannot be read: ${reason(error)}`);
  }
}

function isFolder(
  host: Host,
  path: string,
  entry: { readonly name: string; isDirectory(): boolean; isSymbolicLink(): boolean },
) {
  return entry.isSymbolicLink() ? (statsOf(host, join(path, entry.name))?.isDirectory() ?? false) : entry.isDirectory();
}

/** The lines of a text file that are not blank, read one at a time. */
export interface Lines {
  readonly count: number;
  /** Line number in the file, from 1. */
  numberOf(at: number): number;
  read(at: number): string;
}

/** No line of samples and no .json file is longer: 256 MB. */
const maxTextBytes = 2 ** 28;

/** Finds where the lines of a UTF-8 file stand, reading it once in pieces. Throws a UserError where it cannot. */
export function indexLines(host: Host, path: string): Lines {
  const starts: number[] = [];
  const lengths: number[] = [];
  const numbers: number[] = [];
  const piece = new Uint8Array(1 << 20);
  const file = open(host, path);
  try {
    let start = 0;
    let blank = true;
    let number = 1;
    const finish = (end: number) => {
      if (end - start > maxTextBytes) throw new UserError(`${path}:${number}: is longer than 256 MB`);
      if (!blank) {
        starts.push(start);
        lengths.push(end - start);
        numbers.push(number);
      }
      start = end + 1;
      blank = true;
      number++;
    };
    for (let offset = 0; ; ) {
      const size = readPiece(file, piece, offset, path);
      if (size === 0) {
        finish(offset);
        break;
      }
      for (let at = 0; at < size; at++) {
        const byte = piece[at]!;
        if (byte === 10) finish(offset + at);
        else if (byte !== 13 && byte !== 32 && byte !== 9) blank = false;
      }
      offset += size;
    }
  } finally {
    closeSync(file);
  }
  return {
    count: starts.length,
    numberOf: (at) => numbers[at]!,
    read(at) {
      const bytes = new Uint8Array(lengths[at]!);
      const file = open(host, path);
      try {
        for (let done = 0; done < bytes.length; ) {
          const size = readPiece(file, bytes.subarray(done), starts[at]! + done, path);
          if (size === 0) throw new UserError(`${path}: became shorter while it was read`);
          done += size;
        }
      } finally {
        closeSync(file);
      }
      return decode(bytes, `${path}:${numbers[at]}`).replace(/\r$/, "");
    },
  };
}

/** The text of a .json file. Throws a UserError for one over 256 MB, and for what is not UTF-8. */
export function readJsonText(host: Host, path: string): string {
  if (fileSize(host, path, "sample") > maxTextBytes) {
    throw new UserError(`${path}: is longer than 256 MB; give a .jsonl file with a sample a line`);
  }
  return decode(readInput(host, path, "sample"), path);
}

/** Whether a .json file may hold a list; an object is told from it by its first bytes, without reading it whole. */
export function mayBeList(host: Host, path: string): boolean {
  const file = open(host, path);
  try {
    const head = new Uint8Array(4096);
    const size = readPiece(file, head, 0, path);
    const start = new TextDecoder().decode(head.subarray(0, size)).trimStart();
    return start === "" || start.startsWith("[");
  } finally {
    closeSync(file);
  }
}

function decode(bytes: Uint8Array, where: string): string {
  try {
    // also drops a byte order mark
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`${where}: is not UTF-8 text`);
  }
}

function open(host: Host, path: string): number {
  try {
    return openSync(absolute(host, path), "r");
  } catch (error) {
    throw new UserError(`${path}: cannot read the samples: ${reason(error)}`);
  }
}

function readPiece(file: number, piece: Uint8Array, offset: number, path: string): number {
  try {
    return readSync(file, piece, 0, piece.length, offset);
  } catch (error) {
    throw new UserError(`${path}: cannot read the samples: ${reason(error)}`);
  }
}
