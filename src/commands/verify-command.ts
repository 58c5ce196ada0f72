import { spawn } from "node:child_process";
import type { Host } from "../cli.js";
import type { Applied, Fixing, Withdrawn } from "../compat/fix/fix.js";
import { type Verifier, withoutSecrets } from "../compat/fix/verify.js";
import { scriptFile } from "../compat/sources.js";
import { UserError } from "../errors.js";
import { checkUnchanged, writeWhole } from "./files.js";
import { typeFiles } from "./type-files.js";

/** A verifier over the files of this machine; undefined where no file has types, so that no compiler is loaded. */
export async function createVerifier(host: Host, paths: readonly string[]): Promise<Verifier | undefined> {
  if (!paths.some((path) => scriptFile.test(path))) return undefined;
  const { createTypeVerifier } = await import("../compat/readers/typescript-verify.js");
  return createTypeVerifier(typeFiles(host));
}

/** Writes the fixes. A file that is not any more what was read of it is refused, before any is written: fixes span files. */
export function writeFixes(host: Host, { before, changed }: Fixing): void {
  for (const [file, text] of before) checkUnchanged(host, file, text);
  for (const [file, text] of changed) {
    // another name of the same file may have been written already
    checkUnchanged(host, file, before.get(file)!, text);
    writeWhole(host, file, text);
  }
}

/** Most runs of the command in one search; what is not cleared by then is taken back. */
const mostRuns = 40;

/**
 * Writes the fixes and runs a command before and after. Where it passed before and fails after, the fixes that make it
 * fail are found by halving, taken back and listed as withdrawn. Ctrl-C and errors leave every file as it was.
 * `fix` makes the fixes anew with those alone that it is asked for.
 */
export async function writeVerified(
  host: Host,
  command: string,
  all: Fixing,
  fix: (accept: (key: string) => boolean) => Promise<Fixing>,
): Promise<Fixing> {
  if (all.changed.size === 0) return all;
  const originals = new Map(all.before);
  // what this run has last seen or written there
  const there = new Map(all.before);
  const put = (file: string, text: string) => {
    if (there.get(file) === text) return;
    checkUnchanged(host, file, there.get(file)!);
    writeWhole(host, file, text);
    there.set(file, text);
  };
  /** Brings the files to a state: changed ones as given, the others as they were. */
  const write = (changed: ReadonlyMap<string, string>) => {
    for (const [file, text] of there) checkUnchanged(host, file, text);
    for (const [file, text] of originals) put(file, changed.get(file) ?? text);
  };
  const restore = (because?: unknown) => {
    for (const [file, text] of originals) {
      try {
        put(file, text);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        const isSaid = because instanceof UserError && because.message === error.message;
        if (!isSaid) host.stderr.write(`error: ${error.message}\n`);
      }
    }
  };
  const forget = host.onInterrupt(() => restore());
  try {
    const first = await run(host, command);
    if (first.code !== 0) {
      host.stderr.write(`--verify-cmd: \`${command}\` fails before anything is changed, so it verifies no fix\n`);
      write(all.changed);
      return withDoubt(all, `\`${command}\` failed before the fixes, so it says nothing of them`);
    }
    let runs = 0;
    const attempt = async (some: Fixing): Promise<Outcome> => {
      runs += 1;
      write(some.changed);
      return run(host, command);
    };
    const whole = await attempt(all);
    if (whole.code === 0) return withCheck(all, `\`${command}\` passes`);
    host.stderr.write(`--verify-cmd: \`${command}\` fails with the fixes; looking for the one that breaks it\n`);
    const keys = [...new Set(all.applied.map(({ key }) => key))];
    const fails = async (some: readonly string[]): Promise<boolean> => {
      if (runs >= mostRuns) return true;
      const chosen = new Set(some);
      return (await attempt(await fix((key) => chosen.has(key)))).code !== 0;
    };
    let kept = keys;
    let result = all;
    for (let failing = true; failing && kept.length > 0; ) {
      const culprits = new Set(await culpritsOf(kept, fails));
      kept = kept.filter((key) => !culprits.has(key));
      const chosen = new Set(kept);
      result = await fix((key) => chosen.has(key));
      // what is left has to pass together too
      failing = result.changed.size > 0 && (await attempt(result)).code !== 0;
      if (failing && runs >= mostRuns) kept = [];
    }
    if (kept.length === 0) result = await fix(() => false);
    write(result.changed);
    const last = withoutSecrets(whole.output.trim().split("\n").at(-1) ?? "");
    const isCut = runs >= mostRuns;
    const verb = isCut
      ? `was not cleared in ${mostRuns} runs of \`${command}\`, which failed`
      : `made \`${command}\` fail`;
    const reason = `${verb}${last ? ` (${last.slice(0, 200)})` : ""}`;
    const left = new Set(kept);
    const taken = all.applied.filter(({ key }) => !left.has(key));
    return withTaken(withCheck(result, `\`${command}\` passes`), taken, reason);
  } catch (error) {
    restore(error);
    throw error;
  } finally {
    forget();
  }
}

/** Of fixes with which the command fails, those without which it passes: by halving, else one after another. */
async function culpritsOf(
  keys: readonly string[],
  fails: (some: readonly string[]) => Promise<boolean>,
): Promise<readonly string[]> {
  if (keys.length <= 1) return keys;
  const middle = keys.length >> 1;
  const found: string[] = [];
  for (const half of [keys.slice(0, middle), keys.slice(middle)]) {
    if (await fails(half)) found.push(...(await culpritsOf(half, fails)));
  }
  if (found.length > 0) return found;
  const passing: string[] = [];
  for (const key of keys) {
    if (await fails([...passing, key])) found.push(key);
    else passing.push(key);
  }
  return found;
}

interface Outcome {
  readonly code: number;
  /** Last part of what it printed. */
  readonly output: string;
}

/** Most characters of a command's output that are kept. */
const longestOutput = 4000;

/** Runs a command in a shell, its output kept and not shown; Ctrl-C ends it with all it started. */
function run(host: Host, command: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const isGroup = process.platform !== "win32";
    const child = spawn(command, {
      shell: true,
      cwd: host.cwd,
      detached: isGroup,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const forget = host.onInterrupt(() => {
      try {
        if (isGroup && child.pid) process.kill(-child.pid, "SIGKILL");
        else child.kill("SIGKILL");
      } catch {
        // it has ended already
      }
    });
    let output = "";
    const keep = (data: Buffer) => {
      output = (output + data.toString("utf8")).slice(-longestOutput);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => {
      forget();
      reject(error);
    });
    child.on("close", (code) => {
      forget();
      resolve({ code: code ?? 1, output });
    });
  });
}

function withVerification(fixing: Fixing, change: (one: Applied["verification"]) => Applied["verification"]): Fixing {
  return { ...fixing, applied: fixing.applied.map((one) => ({ ...one, verification: change(one.verification) })) };
}

const withCheck = (fixing: Fixing, check: string): Fixing =>
  withVerification(fixing, (one) => ({ ...one, checks: [...one.checks, check] }));

const withDoubt = (fixing: Fixing, doubt: string): Fixing =>
  withVerification(fixing, (one) => ({
    ...one,
    state: "fixed-unverified",
    doubt: one.doubt ? `${one.doubt}; ${doubt}` : doubt,
  }));

/** The same with fixes that were taken back: they are listed, and their findings are left to a person. */
function withTaken(fixing: Fixing, taken: readonly Applied[], reason: string): Fixing {
  const withdrawn: readonly Withdrawn[] = taken.map(({ file, rule, description }) => ({
    file,
    rule,
    description,
    reason,
  }));
  const findings = fixing.remaining.findings.map((finding) => {
    const { fix, manual, ...rest } = finding;
    const own = taken.some(
      ({ file, rule, description }) =>
        finding.place.file === file && finding.rule === rule && fix?.description === description,
    );
    return own ? { ...rest, manual: `${manual ? `${manual}; ` : ""}its fix (${fix!.description}) ${reason}` } : finding;
  });
  return {
    ...fixing,
    withdrawn: [...fixing.withdrawn, ...withdrawn],
    remaining: { ...fixing.remaining, findings },
  };
}
