import { Argument } from "commander";
import { type CommandSpec, exitCode } from "../cli.js";
import { nearestNames } from "../compat/gates/names.js";
import { UserError } from "../errors.js";
import { heads } from "./heads.js";
import { knownRules, knownRulesOptions } from "./known-rules.js";
import { checkReports, outputOptions, writeResult } from "./output.js";

export const explainCommand: CommandSpec = {
  ...heads.explain,
  arguments: [new Argument("<rule>", "id or code of a rule")],
  options: [...knownRulesOptions(), ...outputOptions()],
  examples: [
    { command: "explain R01", note: "by its code" },
    { command: "explain retired-model-alias --json", note: "by its id, as data" },
  ],
  exitCodes: { 0: "shown", 1: "is not used", 2: "there is no such rule, or an option or the configuration is wrong" },
  async run(host, [name], options) {
    checkReports(host, options);
    const rules = await knownRules(host, options);
    const wanted = String(name);
    const rule = rules.find(({ id, code }) => id === wanted.toLowerCase() || code === wanted.toUpperCase());
    if (!rule) {
      const near = nearestNames(
        wanted,
        rules.flatMap(({ id, code }) => [id, code]),
      );
      const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : "`deepseek-compat rules` lists them";
      throw new UserError(`${wanted}: there is no such rule; ${hint}`);
    }
    const { ruleForms } = await import("../render/rule.js");
    await writeResult(host, options, ruleForms(rule));
    return exitCode.ok;
  },
};
