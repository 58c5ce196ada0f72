// Every file of the installed packages that a reader takes is read as if it mentioned DeepSeek: none may raise an exception.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { readerOf } from "../../src/compat/readers/index.js";
import type { Sources } from "../../src/compat/sources.js";

const packages = join(import.meta.dirname ?? join(process.cwd(), "test", "long"), "..", "..", "node_modules");
const most = 8000;
const largest = 400_000;

const paths = readdirSync(packages, { recursive: true, encoding: "utf8" })
  .filter((name) => readerOf(name) !== undefined)
  .map((name) => ({ name, order: hashOf(name) }))
  // a sample over all packages, the same on every run
  .sort((a, b) => a.order - b.order)
  .map(({ name }) => name);

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

test(
  "files of real packages are read without an exception",
  async () => {
    const failures: string[] = [];
    let read = 0;
    for (const path of paths) {
      if (read >= most) break;
      const stats = statSync(join(packages, path), { throwIfNoEntry: false });
      if (!stats?.isFile() || stats.size > largest) continue;
      const text = readFileSync(join(packages, path), "utf8");
      // alone: what it imports is not there
      const sources: Sources = {
        paths: [path],
        has: (name) => name === path,
        read: (name) => (name === path ? text : undefined),
      };
      const reader = readerOf(path)!;
      try {
        const loaded = await reader.load();
        const facts = loaded.read(sources, [path]);
        if (facts.length !== 1) failures.push(`${path}: ${facts.length} facts`);
        loaded.countSyntaxErrors(path, text);
      } catch (error) {
        failures.push(`${path}: ${error instanceof Error ? error.stack : error}`);
      }
      read += 1;
    }
    expect(failures.slice(0, 20)).toEqual([]);
    expect(read).toBeGreaterThanOrEqual(5000);
  },
  30 * 60_000,
);
