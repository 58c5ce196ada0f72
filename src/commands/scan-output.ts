import { appendFileSync } from "node:fs";
import { extname } from "node:path";
import { InvalidArgumentError, Option } from "commander";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import { type FormatName, formatNames, scanFormats } from "../render/scan-formats.js";
import type { ScanReport, Surroundings } from "../render/scan-report.js";
import { absolute, checkOutput, reason, writeWhole } from "./files.js";
import { repeated } from "./option-values.js";
import { writeResult } from "./output.js";

/** A form of the report and where it goes; undefined: stdout. */
interface Destination {
  readonly format: FormatName;
  readonly file: string | undefined;
}

/** Options of scan for its result. */
export function scanOutputOptions(): Option[] {
  return [
    new Option(
      "--format <name[:file]>",
      `form of the result, on stdout or in a file: ${formatNames.join(", ")} (repeatable, default: text)`,
    ).argParser(formatOption),
    new Option("--json", "same as --format json, whatever --format says of stdout"),
    new Option(
      "--report <file>",
      "also write the result to a file: .json, .md, .html, .sarif or .xml (JUnit) (repeatable)",
    ).argParser(repeated),
  ];
}

function formatOption(text: string, earlier: readonly Destination[] = []): readonly Destination[] {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const file = colon < 0 ? undefined : text.slice(colon + 1);
  if (!formatNames.includes(name as FormatName)) {
    throw new InvalidArgumentError(`Allowed choices are ${formatNames.join(", ")}.`);
  }
  if (file === "") throw new InvalidArgumentError("Behind the colon stands no file.");
  return [...earlier, { format: name as FormatName, file: file === "-" ? undefined : file }];
}

const endings: Readonly<Record<string, FormatName>> = {
  ".json": "json",
  ".md": "markdown",
  ".html": "html",
  ".sarif": "sarif",
  ".xml": "junit",
};

/** Where a report goes, checked before any work is done: names that are no form, files that cannot be written. */
export function destinationsOf(host: Host, options: Options): readonly Destination[] {
  const asked = (options["format"] as readonly Destination[] | undefined) ?? [];
  const onScreen = asked.filter(({ file }) => file === undefined);
  if (onScreen.length > 1) {
    const names = onScreen.map(({ format }) => format);
    throw new UserError(
      `--format ${names.join(", --format ")}: only one form fits on stdout; write --format ${names[0]}:FILE`,
    );
  }
  const reports = ((options["report"] as string[] | undefined) ?? []).map((file) => {
    const format = endings[extname(file)];
    if (!format) throw new UserError(`--report ${file}: the name must end in .json, .md, .html, .sarif or .xml`);
    return { format, file };
  });
  const files = [...asked.filter(({ file }) => file !== undefined), ...reports];
  const seen = new Set<string>();
  for (const { file } of files) {
    const path = absolute(host, file!);
    if (seen.has(path)) throw new UserError(`${file}: two forms would be written to this one file`);
    seen.add(path);
    if (!isSummary(host, file!)) checkOutput(host, file!, true);
  }
  const screen: Destination = options["json"]
    ? { format: "json", file: undefined }
    : (onScreen[0] ?? { format: "text", file: undefined });
  return [screen, ...files];
}

/** The summary page of a GitHub job takes what is appended to its file. */
function isSummary(host: Host, file: string): boolean {
  const summary = host.env["GITHUB_STEP_SUMMARY"];
  return summary !== undefined && absolute(host, file) === absolute(host, summary);
}

/** Writes the report to all its destinations. */
export async function writeReport(
  host: Host,
  destinations: readonly Destination[],
  report: ScanReport,
  surroundings: Surroundings,
): Promise<void> {
  const { scanForms } = await import("../render/scan.js");
  const { withProofs } = await import("../render/proof.js");
  const plain = scanForms(report, surroundings);
  const forms = surroundings.isProofShown ? withProofs(plain, report.proofs) : plain;
  const { Chalk } = await import("chalk");
  const rendered = async (format: FormatName): Promise<string> => {
    if (format === "json") return `${JSON.stringify(forms.json, undefined, 2)}\n`;
    if (format === "markdown") return forms.markdown();
    if (format === "text") return forms.text(new Chalk({ level: 0 }), 120);
    return (await scanFormats[format]())(report, surroundings);
  };
  for (const { format, file } of destinations) {
    if (file === undefined) {
      if (format === "text" || format === "json" || format === "markdown") await writeResult(host, { format }, forms);
      else host.stdout.write(await rendered(format));
    } else if (isSummary(host, file)) append(host, file, await rendered(format));
    else writeWhole(host, file, await rendered(format));
  }
}

/** Bytes that GitHub takes for the summary of a step. */
const summaryLimit = 1_000_000;

function append(host: Host, file: string, text: string): void {
  const bytes = Buffer.from(text);
  const note = "\n\nThe rest does not fit on this page.\n";
  const content = bytes.length <= summaryLimit ? text : cutAtLine(bytes) + note;
  try {
    appendFileSync(absolute(host, file), content);
  } catch (error) {
    throw new UserError(`${file}: cannot write: ${reason(error)}`);
  }
}

function cutAtLine(bytes: Buffer): string {
  const part = bytes.subarray(0, bytes.lastIndexOf("\n", summaryLimit)).toString("utf8");
  // a fence that was cut off would swallow the note
  return (part.match(/^````?/gm)?.length ?? 0) % 2 === 1
    ? `${part}\n${part.includes("````diff") ? "````" : "```"}`
    : part;
}
