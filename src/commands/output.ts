import { extname } from "node:path";
import type { ChalkInstance } from "chalk";
import { Option } from "commander";
import type { Host, Options, Output } from "../cli.js";
import { UserError } from "../errors.js";
import type { Forms } from "../render/forms.js";
import { checkOutput, writeWhole } from "./files.js";
import { repeated } from "./option-values.js";

/** Endings of report files that every command writes. */
const usualEndings: readonly string[] = [".json", ".md"];
/** Those of commands whose forms have a page. */
export const withPage: readonly string[] = [...usualEndings, ".html"];
/** Those of benchmarks: beside the page values for spreadsheets, and decisions for CI. */
export const withValues: readonly string[] = [...withPage, ".csv", ".xml"];
/** What an ending does not say itself. */
const meanings: Readonly<Record<string, string>> = { ".csv": "summaries only: .summary.csv", ".xml": "JUnit" };

/** The options every command shares for its result; `endings` of the reports it can write. */
export function outputOptions(endings = usualEndings): Option[] {
  const kinds = alternatives(endings.map((ending) => ending + (ending in meanings ? ` (${meanings[ending]})` : "")));
  return [
    new Option("--format <form>", "form of the result on stdout").choices(["text", "json", "markdown"]).default("text"),
    new Option("--json", "same as --format json, whatever --format says"),
    new Option("--report <file>", `also write the result to a file, ${kinds} (repeatable)`).argParser(repeated),
  ];
}

/** Colours of an output: none where it is no terminal or NO_COLOR is set; FORCE_COLOR forces them. */
async function paintFor(host: Host, output: Output): Promise<ChalkInstance> {
  // help needs no colours, and starts sooner without them
  const { Chalk } = await import("chalk");
  const forced = host.env["FORCE_COLOR"];
  const on = forced ? forced !== "0" : output.isTerminal && !host.env["NO_COLOR"] && host.env["TERM"] !== "dumb";
  return new Chalk({ level: on ? 1 : 0 });
}

function reportFiles(options: Options): readonly string[] {
  return (options["report"] as string[] | undefined) ?? [];
}

/** Refuses report names with another ending, or in a folder that cannot be written, before any work is done. */
export function checkReports(host: Host, options: Options, endings = usualEndings): void {
  for (const path of reportFiles(options)) {
    if (!endings.includes(extname(path))) {
      throw new UserError(`--report ${path}: the name must end in ${alternatives(endings)}`);
    }
    checkOutput(host, path, true);
  }
}

function alternatives(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** Prints a result on stdout in the chosen form and writes the report files. */
export async function writeResult(host: Host, options: Options, forms: Forms): Promise<void> {
  const json = () => `${JSON.stringify(forms.json, undefined, 2)}\n`;
  const format = options["json"] ? "json" : options["format"];
  if (format === "json") host.stdout.write(json());
  else if (format === "markdown") host.stdout.write(forms.markdown());
  else host.stdout.write(forms.text(await paintFor(host, host.stdout), host.stdout.columns));
  const byEnding: Readonly<Record<string, (path: string) => string | Promise<string>>> = {
    ".json": json,
    ".md": () => forms.markdown(),
    ".html": () => forms.html!(),
    ".csv": (path) => (path.endsWith(".summary.csv") ? forms.summaryCsv!() : forms.csv!()),
    ".xml": () => forms.junit!(),
  };
  const failures: unknown[] = [];
  for (const path of reportFiles(options)) {
    try {
      writeWhole(host, path, await byEnding[extname(path)]!(path));
    } catch (error) {
      // the others are still written
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** A warning on stderr. */
export async function warn(host: Host, message: string): Promise<void> {
  const paint = await paintFor(host, host.stderr);
  host.stderr.write(`${paint.yellow("warning:")} ${message}\n`);
}
