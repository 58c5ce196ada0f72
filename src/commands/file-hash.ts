import { Worker } from "node:worker_threads";
import { UserError } from "../errors.js";
import { reason } from "./files.js";

// a string, so that it works from TypeScript, from the built package and inside jest alike
const program = `
const { createHash } = require("node:crypto");
const { closeSync, fstatSync, openSync, readSync } = require("node:fs");
const { parentPort, workerData } = require("node:worker_threads");
const descriptor = openSync(workerData, "r");
const { ino, size, mtimeMs } = fstatSync(descriptor);
const hash = createHash("sha256");
// small enough to stay in the cache between reading and hashing
const part = new Uint8Array(1 << 18);
for (let count; (count = readSync(descriptor, part, 0, part.length, null)) > 0; ) hash.update(part.subarray(0, count));
closeSync(descriptor);
parentPort.postMessage({ state: [ino, size, mtimeMs].join(" "), sha256: hash.digest("hex") });
`;

/** A file as it was when it was hashed. */
export interface HashedFile {
  /** Inode, size and time of change. */
  readonly state: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

/**
 * Starts to hash a file of any size beside what this thread does; the returned function waits for it. Until then it does
 * not keep the process. Throws a UserError where the file cannot be read; `label` names it.
 */
export function startHash(file: string, label: string): () => Promise<HashedFile> {
  let worker: Worker | undefined;
  const result = new Promise<HashedFile>((resolve, reject) => {
    const failed = (error: unknown) => reject(new UserError(`${label}: cannot be hashed: ${reason(error)}`));
    try {
      worker = new Worker(program, { eval: true, execArgv: [], workerData: file });
      worker.on("message", resolve);
      worker.on("error", failed);
      worker.on("exit", () => failed("its thread ended"));
      worker.unref();
    } catch (error) {
      failed(error);
    }
  });
  // an error that comes before anybody waits
  result.catch(() => {});
  return () => {
    worker?.ref();
    return result;
  };
}
