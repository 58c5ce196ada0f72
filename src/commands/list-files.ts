import type { Host, Options } from "../cli.js";
import { readerOf } from "../compat/readers/index.js";
import { selectFiles } from "../compat/select.js";
import { loadConfig } from "./config-file.js";
import { scanSources } from "./scan-sources.js";

/** Prints the files that a scan would read in full, each with the reason, and what it would pass over. No parser is loaded. */
export async function listFiles(host: Host, paths: readonly string[], options: Options): Promise<void> {
  const loaded = await loadConfig(host, options);
  const settings = loaded ? (await import("../compat/gates/config.js")).fileSettings(loaded.config) : undefined;
  const sources = scanSources(host, paths, settings, loaded?.folder ?? host.cwd, [], () => {});
  const selected = selectFiles(sources, sources.paths.filter(readerOf));
  host.stdout.write(selected.map(({ path, why }) => `${path}: ${why}\n`).join(""));
  const passed = [...sources.passedOver].map(([why, { files, folders }]) => {
    const counts = [files && plural(files, "file"), folders && plural(folders, "folder")].filter(Boolean);
    return `passed over: ${why}: ${counts.join(", ")}\n`;
  });
  host.stderr.write(`${selected.length} of ${plural(sources.paths.length, "file")} matter\n${passed.join("")}`);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
