import { Option } from "commander";
import type { Host, Options } from "../cli.js";
import type { Rule } from "../compat/rule.js";
import { loadConfig } from "./config-file.js";

/** Options of the commands that show rules. */
export function knownRulesOptions(): Option[] {
  return [
    new Option("--config <file>", "configuration that names rules of your own (default: as for scan)"),
    new Option("--no-config", "use no configuration, and load no rules it names"),
  ];
}

/** All rules: the built-in ones, and those of the configuration's plugins. */
export async function knownRules(host: Host, options: Options): Promise<readonly Rule[]> {
  const { rules } = await import("../compat/rules/index.js");
  const loaded = await loadConfig(host, options);
  const { plugins } = loaded?.config ?? {};
  if (!loaded || !plugins) return rules;
  const { loadPlugins } = await import("./plugins.js");
  return [...rules, ...(await loadPlugins(host, loaded.folder, plugins, rules))];
}
