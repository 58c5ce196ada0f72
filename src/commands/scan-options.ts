import { InvalidArgumentError, Option } from "commander";
import type { Applicability } from "../compat/rule.js";
import { repeated, whole } from "./option-values.js";
import { scanOutputOptions } from "./scan-output.js";

/** Options of the commands that go by the configuration file. */
export function configOptions(): Option[] {
  return [
    new Option(
      "--config <file>",
      "configuration (default: deepseek-compat.config.json, .yaml or .yml, or the key deepseek-compat in package.json, here or above)",
    ),
    new Option("--no-config", "use no configuration, and load no rules it names"),
  ];
}

/** The options of `deepseek-compat scan`. Where the configuration file may say the same, the default is in the text. */
export function scanOptions(): Option[] {
  return [
    new Option(
      "--target <target>",
      "what the code moves to: the V3.1 weights with another host, or today's official API (default: current)",
    ).choices(["v3.1", "current"]),
    new Option("--from <version>", "what the code was written for (default: v3.0)").choices(["v3.0", "v3.1"]),
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
    new Option("-i, --interactive", "show each fix and ask whether to apply it"),
    new Option("--list-files", "print the files that would be read in full and why, and scan nothing"),
    new Option("--rule <id>", "only this rule, by name or code (repeatable)").argParser(repeated),
    new Option(
      "--changed [ref]",
      "count only findings in files that changed since the last commit in common with ref (default: the target branch of the pull request, else the main branch), those not committed included; write paths before it",
    ),
    new Option("--stdin", "scan the text on standard input, with --stdin-filename"),
    new Option("--stdin-filename <name>", "what the text on standard input is called"),
    new Option("--min-severity <severity>", "list findings from this severity on")
      .choices(["error", "warning", "info"])
      .default("info"),
    new Option("--fail-on <severity>", "exit with 1 for findings from this severity on (default: error)").choices([
      "error",
      "warning",
      "info",
      "never",
    ]),
    new Option("--max-warnings <n>", "exit with 1 for more warnings than this").argParser(whole(0)),
    new Option(
      "--max-unresolved <n>",
      "exit with 1 for more requests than this that could not be judged in full",
    ).argParser(whole(0)),
    new Option("--min-score <n>", "exit with 1 for a readiness score below this, 0 to 100").argParser(whole(0, 100)),
    new Option(
      "--baseline <file>",
      "findings in it are marked and do not count (default: deepseek-compat-baseline.json, where there is one)",
    ),
    new Option("--no-baseline", "use no baseline"),
    new Option("--update-baseline", "write the findings of this scan into the baseline"),
    ...configOptions(),
    new Option("--proof", "show what each version of the API would answer to each request (JSON always holds it)"),
    new Option("--probe <file>", "a recording of `deepseek-compat probe`: what its endpoint answers is certain"),
    new Option("--stats", "also say what was skipped and why, and what each rule took"),
    ...scanOutputOptions(),
  ];
}

function fixLevel(value: string): Applicability {
  if (value === "safe" || value === "suggested") return value;
  throw new InvalidArgumentError("It must be safe or suggested; write paths before --fix.");
}
