import { readFileSync } from "node:fs";
import { exitCode, type Host, type Output, type Program, runProgram } from "../cli.js";

function output(stream: NodeJS.WriteStream): Output {
  // a reader that has seen enough (`| head`) is not an error
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? exitCode.ok);
    // a full disk behind `>`: the result is not whole, which must not pass for findings
    if (stream === process.stdout) process.stderr.write(`error: cannot write the result: ${error.message}\n`);
    process.exit(exitCode.failed);
  });
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
    // a terminal that was never told its size says 0
    columns: stream.columns || 80,
  };
}

/**
 * The host of a real process. Ctrl-C runs what was registered, newest first, and exits with 130. While nothing is
 * registered the system's default holds, which ends the process at once, also in the middle of long computing (a
 * shell sees 130 then, too).
 */
function processHost(): Host {
  const undos: (() => void | Promise<void>)[] = [];
  let interrupted = false;
  const interrupt = () => {
    // a second signal waits for nothing
    if (interrupted) process.exit(exitCode.interrupted);
    interrupted = true;
    const kept = [...undos].reverse().map((undo) => undo());
    const waiting = kept.filter((one) => one instanceof Promise);
    process.stderr.write(waiting.length === 0 ? "\ninterrupted\n" : "\ninterrupted; once more to end at once\n");
    if (waiting.length === 0) process.exit(exitCode.interrupted);
    void Promise.allSettled(waiting).then(() => process.exit(exitCode.interrupted));
  };
  let listening = false;
  const listen = (wanted: boolean) => {
    if (listening === wanted) return;
    listening = wanted;
    for (const signal of ["SIGINT", "SIGTERM"] as const) process[wanted ? "on" : "off"](signal, interrupt);
  };
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return {
    cwd: process.cwd(),
    env: process.env,
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    stdin: { isTerminal: process.stdin.isTTY === true, read: () => readFileSync(0) },
    version: manifest.version,
    onInterrupt(undo) {
      listen(true);
      undos.push(undo);
      return () => {
        const at = undos.indexOf(undo);
        if (at >= 0) undos.splice(at, 1);
        // a signal that came during synchronous work is delivered first, in the next turn of the event loop
        setImmediate(() => setImmediate(() => listen(undos.length > 0)));
      };
    },
  };
}

/** Runs a program as this process: its arguments, its streams, its exit code. */
export async function runProcess(program: Program): Promise<void> {
  process.exitCode = await runProgram(program, process.argv.slice(2), processHost());
}
