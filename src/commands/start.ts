import type { CommandHead, Program } from "../cli.js";
import { listCommands } from "./list-commands.js";

/** Runs a program as this process; its list of commands comes without loading anything else. */
export async function start(program: Program & { readonly commands: readonly CommandHead[] }): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if ((first === "--help" || first === "-h") && rest.length === 0) {
    // a reader that has gone away is not an error, a full disk is
    process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code !== "EPIPE") process.exitCode = 2;
    });
    process.stdout.write(listCommands(program, process.stdout.columns || 80));
    return;
  }
  const [{ runProcess }, { optimizeLater }] = await Promise.all([import("./host.js"), import("./warm-up.js")]);
  optimizeLater();
  await runProcess(program);
}
