import { readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { Host, Options } from "../cli.js";
import {
  type Baseline,
  baselineText,
  type Comparison,
  compareWithBaseline,
  parseBaseline,
} from "../compat/gates/baseline.js";
import { redactText } from "../compat/redact.js";
import type { Finding } from "../compat/scan.js";
import { UserError } from "../errors.js";
import type { LoadedConfig } from "./config-file.js";
import { checkOutput, reason, writeWhole } from "./files.js";

const usualName = "deepseek-compat-baseline.json";

/** The baseline of a run. */
export interface BaselineFile {
  /** As shown to people: relative to the host's folder. */
  readonly name: string;
  readonly isUpdated: boolean;
  readonly content: Baseline;
  /** A path of the scan as the baseline writes it: relative to the baseline's folder. */
  pathOf(file: string): string;
}

/**
 * The baseline that is used: what --baseline names, else the configuration, else deepseek-compat-baseline.json beside
 * the configuration (in this folder without one), where there is one or --update-baseline asks for one.
 */
export function openBaseline(host: Host, options: Options, loaded: LoadedConfig | undefined): BaselineFile | undefined {
  const asked = options["baseline"] as string | boolean | undefined;
  const isUpdated = options["updateBaseline"] === true;
  const { baseline: configured } = loaded?.config ?? {};
  if (asked === false || (asked !== undefined ? false : configured === false)) {
    if (isUpdated)
      throw new UserError("--update-baseline: the baseline is switched off; name one with --baseline FILE");
    return undefined;
  }
  const named = typeof asked === "string" ? resolve(host.cwd, asked) : undefined;
  const folder = loaded?.folder ?? host.cwd;
  const fromConfig = typeof configured === "string" ? resolve(folder, configured) : undefined;
  const path = named ?? fromConfig ?? join(folder, usualName);
  const name = relative(host.cwd, path).split(sep).join("/");
  const pathOf = (file: string) => relative(dirname(path), resolve(host.cwd, file)).split(sep).join("/");
  const exists = statSync(path, { throwIfNoEntry: false }) !== undefined;
  if (isUpdated) checkOutput(host, name, true);
  if (!exists) {
    if (isUpdated) return { name, isUpdated, pathOf, content: { schema: "deepseek-compat/baseline@1", findings: [] } };
    if (path === join(folder, usualName) && !named && !fromConfig) return undefined;
    throw new UserError(`${name}: there is no such baseline; make it with --update-baseline`);
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`${name}: cannot read the baseline: ${reason(error)}`);
  }
  return { name, isUpdated, pathOf, content: parseBaseline(text, name) };
}

/** Compares findings with a baseline, and writes it anew where that was asked for. */
export function applyBaseline(
  host: Host,
  { name, isUpdated, content, pathOf }: BaselineFile,
  findings: readonly Finding[],
  scanned: ReadonlySet<string>,
  ran: ReadonlySet<string>,
): Comparison {
  const files = new Set([...scanned].map(pathOf));
  const folder = dirname(resolve(host.cwd, name));
  const there = findings.map(({ fingerprint, place }) => ({ fingerprint, file: pathOf(place.file) }));
  const comparison = compareWithBaseline(
    content,
    there,
    ({ file, rule }) => files.has(file) && ran.has(rule),
    (file) => statSync(join(folder, file), { throwIfNoEntry: false }) !== undefined,
  );
  if (!isUpdated) return comparison;
  const entries = findings.map(({ fingerprint, rule, place, line, message }) => ({
    fingerprint,
    rule,
    file: pathOf(place.file),
    line,
    message: redactText(message),
  }));
  writeWhole(host, name, baselineText([...entries, ...comparison.unseen]));
  return { ...comparison, known: findings.map(() => true) };
}
