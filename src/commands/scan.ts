import { Argument } from "commander";
import { type CommandSpec, exitCode, type Host, type Options } from "../cli.js";
import type { Fixing, FixOptions } from "../compat/fix/fix.js";
import type { ReadinessContext } from "../compat/gates/score.js";
import type { Applicability, Severity } from "../compat/rule.js";
import type { Finding, Scan } from "../compat/scan.js";
import { UserError } from "../errors.js";
import type { ScanReport } from "../render/scan-report.js";
import { checkReplaceable } from "./files.js";
import { heads } from "./heads.js";
import { startProgress } from "./progress.js";
import { scanOptions } from "./scan-options.js";
import { destinationsOf, writeReport } from "./scan-output.js";
import type { ScanSettings } from "./scan-settings.js";
import type { ScanSources } from "./scan-sources.js";

export const scanCommand: CommandSpec = {
  ...heads.scan,
  details:
    "Values are followed through constants, defaults, environment fallbacks, spreads, classes and imports, and each finding says which host the request goes to and how that is known. Code that talks to another host than DeepSeek's own is left alone. Only files that mention DeepSeek, and files that import them, are parsed; .gitignore is respected.\n\nA comment `deepseek-compat-ignore RULE[,RULE] -- reason [until YYYY-MM-DD]` takes the findings of its line out of the count; -ignore-next-line and -ignore-file speak of the next line of code and of the whole file. Values of keys, tokens and passwords are masked in every form of the result.",
  arguments: [new Argument("[paths...]", "files and folders").default(["."], ".")],
  options: scanOptions(),
  examples: [
    { command: "scan", note: "the files below this folder" },
    { command: "scan src --diff", note: "what --fix would change" },
    { command: "scan src --fix", note: "apply the safe fixes" },
    { command: "scan src --interactive", note: "ask for each fix" },
    { command: 'scan src --fix --verify-cmd "npm test"', note: "keep only fixes with which the tests still pass" },
    { command: "scan src --target v3.1 --fail-on warning", note: "for weights you host yourself" },
    { command: "scan --update-baseline", note: "accept what is there, fail for what comes new" },
    { command: "scan --changed origin/main --format github", note: "annotations on a pull request" },
    { command: "scan --format sarif:out.sarif --format text", note: "several forms at once" },
    { command: 'scan --format markdown:"$GITHUB_STEP_SUMMARY"', note: "on the summary page of a job" },
    { command: "scan --stdin --stdin-filename src/a.ts < a.ts", note: "from an editor" },
  ],
  exitCodes: {
    0: "no finding at or above --fail-on and no other limit passed (after fixing: none left)",
    1: "findings at or above --fail-on, or --max-warnings, --max-unresolved or --min-score not kept",
    2: "a path is missing, an option, rule or configuration is wrong, or no file could be read",
  },
  async run(host, [paths], options) {
    if (options["listFiles"] === true) {
      const { listFiles } = await import("./list-files.js");
      await listFiles(host, paths as string[], options);
      return exitCode.ok;
    }
    checkCombination(host, options);
    const destinations = destinationsOf(host, options);
    const { scanSettings } = await import("./scan-settings.js");
    const settings = await scanSettings(host, options);
    const { openBaseline } = await import("./baseline-file.js");
    const baseline = openBaseline(host, options, settings.loaded);
    const changed = options["changed"]
      ? (await import("./changed-files.js")).changedFiles(
          host,
          options["changed"] === true ? undefined : (options["changed"] as string),
        )
      : undefined;
    const written = [...destinations.map(({ file }) => file), baseline?.name, settings.priceFile].filter(
      (file) => file !== undefined,
    );
    const { scanSources, stdinSources } = await import("./scan-sources.js");
    const progress = startProgress(host, "scanning", "files");
    const sources = options["stdin"]
      ? stdinSources(host, options)
      : scanSources(host, paths as string[], settings.files, settings.folder, written, (done, total) =>
          progress.update(done, total),
        );
    const isCounted = (file: string) => changed?.files.has(file) ?? true;
    const result = await scanAndFix(host, options, settings, sources, isCounted, () => progress.stop());
    progress.stop();
    if (!result) {
      host.stderr.write("interrupted: nothing was written\n");
      return exitCode.interrupted;
    }
    const { report, texts, views, counted } = await reportOf(
      host,
      options,
      settings,
      sources,
      result,
      isCounted,
      baseline,
      changed,
    );
    const { rules } = settings.scan;
    const isProofShown = options["proof"] === true;
    const isPlanned = !options["stdin"] && destinations.some(({ format }) => format === "html");
    const plan = isPlanned
      ? await (await import("./scan-plan.js")).planOfScan(host, counted, sources, settings.cost)
      : undefined;
    await writeReport(host, destinations, report, {
      texts,
      views,
      rules,
      isProofShown,
      version: host.version,
      ...(plan ? { plan } : {}),
    });
    return report.failures.length > 0 ? exitCode.found : exitCode.ok;
  },
};

function checkCombination(host: Host, options: Options): void {
  const { stdin, interactive, diff, fix, updateBaseline } = options;
  if (options["verifyCmd"] !== undefined && ((!fix && !interactive) || diff)) {
    throw new UserError("--verify-cmd: there is nothing to verify without --fix; --diff writes nothing");
  }
  if (stdin && (fix || interactive))
    throw new UserError("--stdin: there is no file to write fixes to; --diff shows them");
  if (stdin && (options["changed"] || updateBaseline)) {
    throw new UserError(`--stdin: goes without ${updateBaseline ? "--update-baseline" : "--changed"}`);
  }
  if (options["stdinFilename"] && !stdin) throw new UserError("--stdin-filename: is for --stdin");
  if (!interactive) return;
  if (diff || fix)
    throw new UserError(`--interactive: asks for each fix itself; leave out ${diff ? "--diff" : "--fix"}`);
  if (!host.stdin?.isTerminal || !host.stdout.isTerminal) {
    throw new UserError(
      "--interactive: needs a terminal to ask on; use --diff to see the fixes and --fix to write them",
    );
  }
}

type Choose = NonNullable<FixOptions["choose"]>;

/** A scan, and what fixing did. */
interface Result {
  readonly scan: Scan;
  readonly fixing: Fixing | undefined;
  readonly isWritten: boolean;
}

async function scanAndFix(
  host: Host,
  options: Options,
  settings: ScanSettings,
  sources: ScanSources,
  isCounted: (file: string) => boolean,
  beforeAsking: () => void,
): Promise<Result | undefined> {
  const { scan } = await import("../compat/scan.js");
  const asked = options["fix"] as Applicability | undefined;
  const isDiff = options["diff"] === true;
  let level: Applicability = asked ?? "safe";
  let choose: Choose = ({ findings }) => findings.filter(({ place }) => isCounted(place.file));
  if (options["interactive"]) {
    const first = await scan(sources, settings.scan);
    beforeAsking();
    const { askForFixes } = await import("./interactive.js");
    const chosen = await askForFixes(host, first, (file) => sources.read(file) ?? "", isCounted);
    if (chosen === "interrupted") return undefined;
    if (!chosen) return { scan: first, fixing: undefined, isWritten: false };
    level = "suggested";
    choose = chosen;
  } else if (!asked && !isDiff)
    return { scan: await scan(sources, settings.scan), fixing: undefined, isWritten: false };
  const { applyFixes } = await import("../compat/fix/fix.js");
  const { createVerifier, writeFixes, writeVerified } = await import("./verify-command.js");
  const verifier = await createVerifier(host, sources.paths);
  const fix = (accept?: (key: string) => boolean) =>
    applyFixes(sources, settings.scan, level, {
      choose,
      ...(verifier ? { verifier } : {}),
      ...(accept ? { accept } : {}),
    });
  let fixing: Fixing = await fix();
  if (isDiff) return { scan: fixing.first, fixing, isWritten: false };
  for (const file of fixing.changed.keys()) checkReplaceable(host, file);
  const command = options["verifyCmd"] as string | undefined;
  if (command === undefined) writeFixes(host, fixing);
  else fixing = await writeVerified(host, command, fixing, fix);
  return { scan: fixing.remaining, fixing, isWritten: true };
}

async function reportOf(
  host: Host,
  options: Options,
  { scan: scanOptions, limits, cost }: ScanSettings,
  sources: ScanSources,
  { scan, fixing, isWritten }: Result,
  isCounted: (file: string) => boolean,
  baseline: import("./baseline-file.js").BaselineFile | undefined,
  changed: import("./changed-files.js").ChangedFiles | undefined,
) {
  const { failuresOf, isAtLeast } = await import("../compat/gates/gates.js");
  const { buildReport, maskedChanges } = await import("../render/build-report.js");
  const { proofsOf } = await import("../compat/proof/proof.js");
  const { unifiedDiff } = await import("../render/scan.js");
  const unreadable = sources.paths.filter((path) => sources.unreadable.has(path));
  if (sources.paths.length > 0 && unreadable.length === sources.paths.length) {
    throw new UserError(`${unreadable[0]}: cannot be read as UTF-8 text, nor can any other file; nothing was scanned`);
  }
  const counted = scan.findings.filter(({ place }) => isCounted(place.file));
  const comparison = baseline
    ? (await import("./baseline-file.js")).applyBaseline(
        host,
        baseline,
        counted,
        new Set(sources.paths.filter((path) => isCounted(path) && !sources.unreadable.has(path))),
        new Set(scanOptions.rules.map(({ id }) => id)),
      )
    : undefined;
  const fresh = counted.filter((_, index) => !comparison?.known[index]);
  const known = new Set(counted.filter((_, index) => comparison?.known[index]).map(({ fingerprint }) => fingerprint));
  const listed = counted.filter(({ severity }) => isAtLeast(severity, options["minSeverity"] as Severity));
  const unresolved = scan.unresolved.filter(({ file }) => isCounted(file));
  const skipped = [...sources.skipped, ...unreadable.map((file) => ({ file, reason: "cannot be read as UTF-8 text" }))];
  const applied = isWritten ? (fixing?.applied ?? []) : [];
  const score = await scoreOf(scan, fresh, unresolved, {
    skipped: skipped.length - unreadable.length,
    unreadable: unreadable.length,
    unverifiedFixes: applied.filter(({ verification }) => verification.state === "fixed-unverified").length,
  });
  const changes = [...(fixing?.changed ?? [])].map(([file, after]) => ({
    file,
    after,
    before: sources.read(file) ?? "",
  }));
  const built = buildReport({
    scan,
    listed,
    suppressed: scan.suppressed.filter(({ place }) => isCounted(place.file)),
    known,
    fixing,
    written: isWritten,
    diff: options["diff"] ? unifiedDiff(maskedChanges(changes)) : undefined,
    passedOver: options["stats"] ? Object.fromEntries(sources.passedOver) : undefined,
    rest: {
      hidden: counted.length - listed.length,
      ...(baseline && comparison
        ? { baseline: { file: baseline.name, known: known.size, gone: comparison.gone, updated: baseline.isUpdated } }
        : {}),
      ...(changed
        ? { changed: { since: changed.since, files: sources.paths.filter((path) => changed.files.has(path)).length } }
        : {}),
      score,
      failOn: limits.failOn,
      failures: failuresOf(
        { severities: fresh.map(({ severity }) => severity), unresolved: unresolved.length, score: score.score },
        limits,
      ),
      unresolved,
      proofs: proofsOf(scan, cost).filter(({ file }) => isCounted(file)),
      excluded: sources.excluded,
      skipped,
    },
    textOf: (file) => (isWritten ? fixing?.changed.get(file) : undefined) ?? sources.read(file) ?? "",
  });
  return { ...built, counted: { ...scan, findings: fresh, unresolved } };
}

async function scoreOf(
  scan: Scan,
  findings: readonly Finding[],
  unresolved: Scan["unresolved"],
  context: ReadinessContext,
): Promise<ScanReport["score"]> {
  const { readiness, readinessInput } = await import("../compat/gates/score.js");
  return readiness(readinessInput({ ...scan, findings, unresolved }, context));
}
