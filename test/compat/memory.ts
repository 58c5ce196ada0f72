import type { Request } from "../../src/compat/facts.js";
import { readerOf } from "../../src/compat/readers/index.js";
import { readTypeScript } from "../../src/compat/readers/typescript.js";
import type { Sources } from "../../src/compat/sources.js";

/** Sources from a record of path and text. */
export function memorySources(files: Readonly<Record<string, string>>): Sources {
  return {
    paths: Object.keys(files).filter(readerOf),
    has: (path) => Object.hasOwn(files, path),
    read: (path) => (Object.hasOwn(files, path) ? files[path] : undefined),
  };
}

/** The only request in some files. */
export function onlyRequest(files: Readonly<Record<string, string>>): Request {
  const sources = memorySources(files);
  const requests = readTypeScript(sources, sources.paths).flatMap((file) => file.requests);
  if (requests.length !== 1) throw new Error(`${requests.length} requests instead of one`);
  return requests[0]!;
}
