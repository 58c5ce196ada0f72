import type { Program } from "./cli.js";
import { heads } from "./commands/heads.js";
import { listCommands } from "./commands/list-commands.js";

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

export async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if ((first === "--help" || first === "-h") && rest.length === 0) {
    // a reader that has gone away is not an error, a full disk is
    process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code !== "EPIPE") process.exitCode = 2;
    });
    process.stdout.write(listCommands(program, process.stdout.columns || 80));
    return;
  }
  const [{ runProcess }, { optimizeLater }] = await Promise.all([
    import("./commands/host.js"),
    import("./commands/warm-up.js"),
  ]);
  optimizeLater();
  await runProcess(program);
}
