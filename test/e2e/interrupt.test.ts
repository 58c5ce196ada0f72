import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "@jest/globals";

/* A program in a process of its own gets Ctrl-C at moments that no clock can hit. Needs the built programs. */
const built = pathToFileURL(join(process.cwd(), "dist/commands/host.js")).href;

/** Runs a command of these lines; `interrupt()` in them sends the signal, `pause(ms)` waits. */
const runLines = (lines: string) => {
  const program = `
    import { readFile } from "node:fs/promises";
    import { readFile as readCalled } from "node:fs";
    import { setTimeout as pause } from "node:timers/promises";
    import { runProcess } from ${JSON.stringify(built)};
    const interrupt = () => process.kill(process.pid, "SIGINT");
    process.argv[2] = "work";
    const nothing = { summary: "", arguments: [], options: [], examples: [], exitCodes: { 0: "", 1: "", 2: "" } };
    await runProcess({ name: "program", summary: "", commands: [{ ...nothing, name: "work", async run(host) {
      ${lines}
      await pause(200);
      host.stdout.write("went on");
      return 0;
    } }] });`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  return { ended: status === 130 || signal === "SIGINT", stdout, stderr };
};

test.each([
  ["while something is registered", "host.onInterrupt(() => {}); interrupt();"],
  ["while nothing is", "interrupt();"],
  [
    "just before one part hands over to the next",
    "const forget = host.onInterrupt(() => {}); interrupt(); forget(); host.onInterrupt(() => {});",
  ],
  [
    "just before the last part is done, in what a file's arrival set off",
    `await new Promise((resolve) => readCalled(process.execPath, () => {
      const forget = host.onInterrupt(() => {}); interrupt(); forget(); resolve();
    }));`,
  ],
  [
    "between two parts that wait for each other",
    `const forget = host.onInterrupt(() => {}); await readFile(process.execPath); forget();
     interrupt(); await 0; host.onInterrupt(() => {});`,
  ],
])("Ctrl-C ends a program %s", (_, lines) => {
  expect(runLines(lines)).toEqual({
    ended: true,
    stdout: "",
    stderr: expect.not.stringMatching(/error|Error/),
  });
});
