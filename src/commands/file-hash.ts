import { Worker } from "node:worker_threads";
import { UserError } from "../errors.js";
import { reason } from "./files.js";

// a string, so that it works from TypeScript, from the built package and inside jest alike
const program = `
const { createHash } = require("node:crypto");
const { closeSync, fstatSync, openSync, readSync } = require("node:fs");
const { parentPort } = require("node:worker_threads");
// small enough to stay in the cache between reading and hashing
const part = new Uint8Array(1 << 18);
parentPort.on("message", (file) => {
  try {
    const descriptor = openSync(file, "r");
    const { ino, size, mtimeMs } = fstatSync(descriptor);
    const hash = createHash("sha256");
    for (let count; (count = readSync(descriptor, part, 0, part.length, null)) > 0; ) hash.update(part.subarray(0, count));
    closeSync(descriptor);
    parentPort.postMessage({ file, hashed: { state: [ino, size, mtimeMs].join(" "), sha256: hash.digest("hex") } });
  } catch (error) {
    parentPort.postMessage({ file, error });
  }
});
`;

/** A file as it was when it was hashed. */
interface HashedFile {
  /** Inode, size and time of change. */
  readonly state: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Hashes files of any size on a thread beside what this one does; the thread starts with the first. */
export interface Hasher {
  /** Starts to hash a file, unless that was started before. */
  start(file: string): void;
  /** Hash of a file; starts it where that has not been done. Throws a UserError where it cannot be read; `label` names it. */
  hashOf(file: string, label: string): Promise<HashedFile>;
  /** Ends the thread. */
  close(): void;
}

type Answer = { readonly file: string; readonly hashed: HashedFile } | { readonly file: string; readonly error: Error };

/** A hasher; it does not keep the process until somebody waits for a hash. */
export function openHasher(): Hasher {
  const waiting = new Map<string, { resolve(hashed: HashedFile): void; reject(error: unknown): void }>();
  const started = new Map<string, Promise<HashedFile>>();
  let worker: Worker | undefined;
  const lost = (error: unknown) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const thread = (): Worker => {
    if (worker) return worker;
    worker = new Worker(program, { eval: true, execArgv: [] });
    worker.on("message", (answer: Answer) => {
      const found = waiting.get(answer.file);
      waiting.delete(answer.file);
      if ("error" in answer) found?.reject(answer.error);
      else found?.resolve(answer.hashed);
      if (waiting.size === 0) worker?.unref();
    });
    worker.on("error", lost);
    worker.on("exit", () => lost("its thread ended"));
    worker.unref();
    return worker;
  };
  const start = (file: string): Promise<HashedFile> => {
    const known = started.get(file);
    if (known) return known;
    const result = new Promise<HashedFile>((resolve, reject) => {
      waiting.set(file, { resolve, reject });
      try {
        thread().postMessage(file);
      } catch (error) {
        waiting.delete(file);
        reject(error);
      }
    });
    // an error that comes before anybody waits
    result.catch(() => {});
    started.set(file, result);
    return result;
  };
  return {
    start: (file) => void start(file),
    async hashOf(file, label) {
      const result = start(file);
      if (waiting.has(file)) worker?.ref();
      try {
        return await result;
      } catch (error) {
        throw new UserError(`${label}: cannot be hashed: ${reason(error)}`);
      }
    },
    close: () => void worker?.terminate(),
  };
}
