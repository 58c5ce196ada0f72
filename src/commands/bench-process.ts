import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Measurement, Round } from "../bench/models/measure.js";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";
import type { Answer, Job, Request } from "./bench-worker.js";

/** How the measuring process is started. */
export interface Worker {
  readonly script: string;
  /** Options of Node.js for it; none but in tests, which run the TypeScript source. */
  readonly nodeOptions: readonly string[];
}

/** The one that is built beside this file. */
export const builtWorker: Worker = {
  script: fileURLToPath(new URL("./bench-worker.js", import.meta.url)),
  nodeOptions: [],
};

/** A fresh process that measures one model. */
export interface MeasuringProcess extends Measurement {
  /** Ends the process, whatever it does. */
  stop(): void;
}

/**
 * Starts a process that has loaded the model and warmed it up. This and all it offers throw a UserError when the
 * model cannot be run or the process is ended from outside (memory). Ctrl-C ends the process.
 */
export async function startProcess(host: Host, worker: Worker, label: string, job: Job): Promise<MeasuringProcess> {
  const child = fork(worker.script, {
    execArgv: [...worker.nodeOptions],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const forget = host.onInterrupt(() => void child.kill("SIGKILL"));
  let complaint = "";
  let failure: Error | undefined;
  /** Who waits for the answer to what was asked last. */
  let settle: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    settle?.reject(failure);
  };
  child.stderr?.on("data", (text) => {
    complaint = `${complaint}${text}`.slice(-2000);
  });
  child.on("message", (answer: Answer) => settle?.resolve(answer));
  child.once("error", fail);
  child.once("close", (code, signal) => fail(new UserError(ended(label, code, signal, complaint))));

  const ask = async (request: Request): Promise<undefined | number | Round> => {
    const answer = await new Promise<Answer>((resolve, reject) => {
      if (failure) return reject(failure);
      settle = { resolve, reject };
      // a process that is gone also closes, which says why
      child.send(request, () => {});
    });
    if ("value" in answer) return answer.value;
    throw answer.user ? new UserError(answer.error) : new Error(`${label}: ${answer.error}`);
  };
  const stop = () => {
    forget();
    child.kill("SIGKILL");
  };
  try {
    await ask({ start: job });
  } catch (error) {
    stop();
    throw error;
  }
  return {
    slice: async (seconds) => (await ask({ slice: seconds })) as number,
    finish: async () => (await ask({ finish: true })) as Round,
    stop,
  };
}

function ended(label: string, code: number | null, signal: NodeJS.Signals | null, complaint: string): string {
  const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
  const why = signal === "SIGKILL" ? "; the machine may be out of memory" : "";
  const last = complaint.trim().split("\n").at(-1);
  return `${label}: the measuring process ${how}${why}${last ? ` (${last})` : ""}`;
}
