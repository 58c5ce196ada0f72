import { Argument, InvalidArgumentError, Option } from "commander";
import { type CommandSpec, exitCode, type Options } from "../cli.js";
import type { Applicability, Rule, Severity } from "../compat/rule.js";
import type { Target } from "../compat/targets.js";
import { UserError } from "../errors.js";
import { checkReplaceable, writeWhole } from "./files.js";
import { repeated } from "./option-values.js";
import { checkReports, outputOptions, writeResult } from "./output.js";
import { probeOf } from "./probe-recording.js";
import { startProgress } from "./progress.js";

export const scanCommand: CommandSpec = {
  name: "scan",
  summary:
    "Find what differs between DeepSeek V3.0, V3.1 and today's API in TypeScript and JavaScript, and fix what is safe.",
  details:
    "Values are followed through constants, defaults, environment fallbacks, spreads, classes and imports, and each finding says which host the request goes to and how that is known. Code that talks to another host than DeepSeek's own is left alone. Only files that mention DeepSeek, and files that import them, are parsed; .gitignore is respected.",
  arguments: [new Argument("[paths...]", "files and folders").default(["."], ".")],
  options: [
    new Option(
      "--target <target>",
      "what the code moves to: the V3.1 weights with another host, or today's official API",
    )
      .choices(["v3.1", "current"])
      .default("current"),
    new Option(
      "--fix [level]",
      "write the fixes into the files: safe ones, or with --fix=suggested those too that need your eye",
    )
      .argParser(fixLevel)
      .preset("safe"),
    new Option(
      "--verify-cmd <command>",
      "with --fix: run this (npm test) before and after, and take back the fix that makes it fail",
    ),
    new Option("--diff", "show the fixes as a unified diff and write nothing"),
    new Option("--list-files", "print the files that would be read in full and why, and scan nothing"),
    new Option("--rule <id>", "only this rule, by name or code (repeatable)").argParser(repeated),
    new Option("--min-severity <severity>", "list findings from this severity on")
      .choices(["error", "warning", "info"])
      .default("info"),
    new Option("--fail-on <severity>", "exit with 1 for findings from this severity on")
      .choices(["error", "warning", "info", "never"])
      .default("error"),
    new Option("--proof", "show what each version of the API would answer to each request (JSON always holds it)"),
    new Option("--probe <file>", "a recording of `deepseek-compat probe`: what its endpoint answers is certain"),
    ...outputOptions(),
  ],
  examples: [
    { command: "scan", note: "the files below this folder" },
    { command: "scan src --diff", note: "what --fix would change" },
    { command: "scan src --fix", note: "apply the safe fixes" },
    { command: 'scan src --fix --verify-cmd "npm test"', note: "keep only fixes with which the tests still pass" },
    { command: "scan src --target v3.1 --fail-on warning", note: "for weights you host yourself" },
    { command: "scan --format markdown", note: "for the summary page of a CI job" },
  ],
  exitCodes: {
    0: "no finding at or above --fail-on (after fixing: none left)",
    1: "findings at or above --fail-on",
    2: "a path is missing, an option or rule is unknown, or no file could be read",
  },
  async run(host, [paths], options) {
    if (options["listFiles"] === true) {
      const { listFiles } = await import("./list-files.js");
      listFiles(host, paths as string[]);
      return exitCode.ok;
    }
    checkReports(host, options);
    const { rules: known } = await import("../compat/rules/index.js");
    const rules = chosenRules(known, options);
    const { findSourceFiles } = await import("./source-files.js");
    const progress = startProgress(host, "scanning", "files");
    const sources = findSourceFiles(host, paths as string[], (done, total) => progress.update(done, total));
    const probe = await probeOf(host, options);
    const scanOptions = { target: options["target"] as Target, rules, ...(probe ? { probe } : {}) };
    const level = options["fix"] as Applicability | undefined;
    const { scan } = await import("../compat/scan.js");
    const { applyFixes } = await import("../compat/fix.js");
    const { proofsOf } = await import("../compat/proof.js");
    const { scanForms, unifiedDiff } = await import("../render/scan.js");
    const { withProofs } = await import("../render/proof.js");
    const showsDiff = options["diff"] === true;
    const command = options["verifyCmd"] as string | undefined;
    if (command !== undefined && (!level || showsDiff)) {
      throw new UserError("--verify-cmd: there is nothing to verify without --fix; --diff writes nothing");
    }
    const fix = async (accept?: (key: string) => boolean) => {
      const { createVerifier } = await import("./verify-command.js");
      const verifier = await createVerifier(host, sources.paths);
      return applyFixes(sources, scanOptions, level ?? "safe", {
        ...(verifier ? { verifier } : {}),
        ...(accept ? { accept } : {}),
      });
    };
    let fixing = level || showsDiff ? await fix() : undefined;
    const writes = fixing !== undefined && !showsDiff;
    if (fixing && writes) {
      for (const file of fixing.changed.keys()) checkReplaceable(host, file);
      if (command === undefined) for (const [file, text] of fixing.changed) writeWhole(host, file, text);
      else {
        const { writeVerified } = await import("./verify-command.js");
        fixing = await writeVerified(host, command, sources, fixing, fix);
      }
    }
    const result = writes && fixing ? fixing.remaining : await scan(sources, scanOptions);
    progress.stop();
    const textOf = (file: string) => (writes ? fixing?.changed.get(file) : undefined) ?? sources.read(file) ?? "";
    const listed = result.findings.filter(({ severity }) => isAtLeast(severity, options["minSeverity"] as Severity));
    const texts = new Map(listed.map(({ place }) => [place.file, textOf(place.file)]));
    const changes = [...(fixing?.changed ?? [])].map(([file, after]) => ({
      file,
      after,
      before: sources.read(file) ?? "",
    }));
    const unreadable = sources.paths.filter((path) => sources.unreadable.has(path));
    if (sources.paths.length > 0 && unreadable.length === sources.paths.length) {
      throw new UserError(
        `${unreadable[0]}: cannot be read as UTF-8 text, nor can any other file; nothing was scanned`,
      );
    }
    const report = {
      schema: "deepseek-compat/scan@1" as const,
      target: result.target,
      findings: listed.map((finding) => ({
        ...finding,
        source: texts.get(finding.place.file)!.split(/\r?\n/)[finding.line - 1] ?? "",
      })),
      hidden: result.findings.length - listed.length,
      files: {
        scanned: result.files,
        parsed: result.parsed.length,
        skipped: [...sources.skipped, ...unreadable.map((file) => ({ file, reason: "cannot be read as UTF-8 text" }))],
        broken: result.broken,
      },
      unresolved: result.unresolved,
      fixed: writes ? (fixing?.applied ?? []) : [],
      withdrawn: fixing?.withdrawn ?? [],
      proofs: proofsOf(result),
      ...(showsDiff ? { diff: unifiedDiff(changes) } : {}),
    };
    const forms = scanForms(report, { texts });
    await writeResult(host, options, options["proof"] ? withProofs(forms, report.proofs) : forms);
    const limit = options["failOn"] as Severity | "never";
    const fails = limit !== "never" && result.findings.some(({ severity }) => isAtLeast(severity, limit));
    return fails ? exitCode.found : exitCode.ok;
  },
};

function fixLevel(value: string): Applicability {
  if (value === "safe" || value === "suggested") return value;
  throw new InvalidArgumentError("It must be safe or suggested; write paths before --fix.");
}

const ranks: Readonly<Record<Severity, number>> = { error: 2, warning: 1, info: 0 };

function isAtLeast(severity: Severity, limit: Severity): boolean {
  return ranks[severity] >= ranks[limit];
}

function chosenRules(known: readonly Rule[], options: Options): readonly Rule[] {
  const names = options["rule"] as string[] | undefined;
  if (!names) return known;
  for (const name of names) {
    if (known.some(({ id, code }) => name === id || name.toUpperCase() === code)) continue;
    throw new UserError(
      `--rule ${name}: no such rule; there are ${known.map(({ id, code }) => `${code} ${id}`).join(", ")}`,
    );
  }
  return known.filter(({ id, code }) => names.some((name) => name === id || name.toUpperCase() === code));
}
