import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { SelfTestResult } from "../bench/endpoints/self-test.js";
import type { Channel, RemoteServer } from "../bench/server/child.js";
import type { Host } from "../cli.js";
import type { Worker } from "./bench-process.js";
import { cpuSeconds, monotonic } from "./process-clocks.js";

const builtServer: Worker = { script: fileURLToPath(new URL("./bench-serve.js", import.meta.url)), nodeOptions: [] };

/** What this program can measure on this machine, against a server of its own in another process. */
export async function selfTestHere(host: Host, seconds: number, given?: Worker): Promise<SelfTestResult> {
  const { connectChild } = await import("../bench/server/child.js");
  const { selfTest } = await import("../bench/endpoints/self-test.js");
  const { environmentOf } = await import("./bench-environment.js");
  const { startProgress } = await import("./progress.js");
  const { script, nodeOptions } = given ?? builtServer;
  const environment = await environmentOf();
  const progress = startProgress(host, "testing this program", "steps");
  let steps = 0;
  try {
    return await selfTest({
      environment,
      started: new Date().toISOString(),
      seconds,
      now: monotonic,
      cpuSeconds,
      async start(behaviours): Promise<RemoteServer> {
        const child = fork(script, {
          execArgv: [...nodeOptions],
          serialization: "advanced",
          stdio: ["ignore", "ignore", "inherit", "ipc"],
        });
        const forget = host.onInterrupt(() => void child.kill("SIGKILL"));
        child.once("exit", forget);
        return connectChild(child as Channel, behaviours);
      },
      progress: () => progress.update(steps++, 6),
    });
  } finally {
    progress.stop();
  }
}
