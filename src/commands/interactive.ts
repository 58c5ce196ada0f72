import type { Host } from "../cli.js";
import { hashOf } from "../compat/gates/fingerprint.js";
import { redactText } from "../compat/redact.js";
import type { Finding, Scan } from "../compat/scan.js";
import { fixDiff } from "../render/fix-diff.js";

/** Says which findings of a scan may be fixed. */
type Choose = (scan: Scan) => readonly Finding[];

/** Asks one question; undefined: Ctrl-C. A test answers in its place. */
export type Ask = (question: string, choices: readonly string[]) => Promise<string | undefined>;

const answers = ["apply", "skip", "skip the rule", "quit"] as const;

/**
 * Shows each finding that has a fix and asks what to do with it. The result chooses what was said yes to; undefined
 * where nothing was. Ctrl-C interrupts it, and nothing is to be written then. `quit` keeps the answers so far.
 */
export async function askForFixes(
  host: Host,
  scan: Scan,
  textOf: (file: string) => string,
  isCounted: (file: string) => boolean,
  ask: Ask = clackAsk,
): Promise<Choose | "interrupted" | undefined> {
  const wanted = new Set<Finding>();
  const refusedRules = new Set<string>();
  const open = scan.findings.filter(({ fix, place }) => fix && isCounted(place.file));
  const views = new Set(scan.facts.files.filter(({ view }) => view).map(({ file }) => file));
  for (const [index, finding] of open.entries()) {
    const { fix, place, line, column, severity, code, rule, message, manual } = finding;
    if (refusedRules.has(rule)) continue;
    const files = new Set(fix!.edits.map(({ file }) => file));
    const texts = new Map([...files].map((file) => [file, redactText(textOf(file), file)]));
    const edits = fix!.edits.map((edit) => ({ ...edit, text: redactText(edit.text, edit.file) }));
    const diff = fixDiff({ ...fix!, edits }, { texts, views }) ?? "(the change cannot be shown)\n";
    host.stdout.write(
      `\n${index + 1} of ${open.length}  ${place.file}:${line}:${column}  ${severity}  ${redactText(message)}  ${code} ${rule}\n` +
        `${fix!.applicability}: ${fix!.description}\n${manual ? `note: ${manual}\n` : ""}${diff}`,
    );
    const answer = await ask("What shall be done?", answers);
    if (answer === undefined) return "interrupted";
    if (answer === "quit") break;
    if (answer === "apply") wanted.add(finding);
    if (answer === "skip the rule") refusedRules.add(rule);
  }
  if (wanted.size === 0) return undefined;
  const yes = new Set([...wanted].map(({ fingerprint }) => hashOf(fingerprint)));
  const no = new Set(open.filter((one) => !wanted.has(one)).map(({ fingerprint }) => hashOf(fingerprint)));
  const first = new Set([...wanted].map(({ fingerprint }) => fingerprint));
  let isFirst = true;
  return ({ findings }) => {
    if (isFirst) {
      isFirst = false;
      return findings.filter(({ fingerprint }) => first.has(fingerprint));
    }
    // places have moved: what waited for another fix is known by what it is, unless the same was refused elsewhere
    return findings.filter(({ fingerprint }) => yes.has(hashOf(fingerprint)) && !no.has(hashOf(fingerprint)));
  };
}

const clackAsk: Ask = async (question, choices) => {
  const { isCancel, select } = await import("@clack/prompts");
  const answer = await select({ message: question, options: choices.map((value) => ({ value, label: value })) });
  return isCancel(answer) ? undefined : answer;
};
