import { type CommandSpec, exitCode } from "../cli.js";
import { heads } from "./heads.js";
import { knownRules, knownRulesOptions } from "./known-rules.js";
import { checkReports, outputOptions, writeResult } from "./output.js";

export const rulesCommand: CommandSpec = {
  ...heads.rules,
  arguments: [],
  options: [...knownRulesOptions(), ...outputOptions()],
  examples: [
    { command: "rules", note: "the table of all rules" },
    { command: "rules --json", note: "with explanations, examples and sources" },
  ],
  exitCodes: { 0: "listed", 1: "is not used", 2: "an option or the configuration is wrong" },
  async run(host, _, options) {
    checkReports(host, options);
    const { rulesForms } = await import("../render/rule.js");
    await writeResult(host, options, rulesForms(await knownRules(host, options)));
    return exitCode.ok;
  },
};
