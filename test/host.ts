import { type CommandSpec, type ExitCode, type Host, type Output, runProgram } from "../src/cli.js";

/** What a command did, as a user sees it. */
export interface Outcome {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command in-process on a host that records its output; no terminal, no colours. */
export async function runCommand(
  spec: CommandSpec,
  argv: readonly string[],
  cwd = process.cwd(),
  world: { readonly env?: Host["env"]; readonly stdin?: string | Uint8Array } = {},
): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const host: Host = {
    cwd,
    env: world.env ?? {},
    ...(world.stdin === undefined ? {} : { stdin: { isTerminal: false, read: () => Buffer.from(world.stdin!) } }),
    stdout: recorder((text) => {
      stdout += text;
    }),
    stderr: recorder((text) => {
      stderr += text;
    }),
    version: "0.0.0-test",
    onInterrupt: () => () => {},
  };
  const code = await runProgram({ name: "test", summary: "", commands: [spec] }, [spec.name, ...argv], host);
  return { code, stdout, stderr };
}

/** What is printed beside progress, which a slow machine shows more of. */
export function withoutProgress(stderr: string): string {
  return stderr.replace(/^(training \d.*|[\d,]+ steps will take about .*)\n/gm, "");
}

function recorder(write: (text: string) => void): Output {
  return { write, isTerminal: false, columns: 100 };
}
