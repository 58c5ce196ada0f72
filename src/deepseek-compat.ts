import type { Program } from "./cli.js";
import { explainCommand } from "./commands/explain.js";
import { runProcess } from "./commands/host.js";
import { planCommand } from "./commands/plan.js";
import { probeCommand } from "./commands/probe.js";
import { rulesCommand } from "./commands/rules.js";
import { scanCommand } from "./commands/scan.js";

export const program: Program = {
  name: "deepseek-compat",
  summary: "Find, explain and fix what differs between DeepSeek V3.0, V3.1 and today's API in your code.",
  commands: [scanCommand, rulesCommand, explainCommand, planCommand, probeCommand],
};

export function main(): Promise<void> {
  return runProcess(program);
}
