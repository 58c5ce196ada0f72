import type { Program } from "./cli.js";
import { heads } from "./commands/heads.js";
import { start } from "./commands/start.js";

export const program = {
  name: "deepseek-compat",
  summary: "Find, explain and fix what differs between DeepSeek V3.0, V3.1 and today's API in your code.",
  commands: [
    { ...heads.scan, load: async () => (await import("./commands/scan.js")).scanCommand },
    { ...heads.rules, load: async () => (await import("./commands/rules.js")).rulesCommand },
    { ...heads.explain, load: async () => (await import("./commands/explain.js")).explainCommand },
    { ...heads.plan, load: async () => (await import("./commands/plan.js")).planCommand },
    { ...heads.probe, load: async () => (await import("./commands/probe.js")).probeCommand },
  ],
} satisfies Program;

export function main(): Promise<void> {
  return start(program);
}
