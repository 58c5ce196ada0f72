import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";
import { formatCount } from "../render/quantities.js";
import { startTrainingProgress } from "./progress.js";
import type { Job, Link, Message, Outcome, TrainingProgress } from "./training-job.js";

/** The thread that is built beside this file; sources that run as they are (tests) have none and train in this one. */
const script = fileURLToPath(new URL("./training-worker.js", import.meta.url));

/** How long an exit waits for a run of a model to end. */
const longestRunMs = 5000;

/**
 * Does a job in a thread of its own and shows how it is doing. Ctrl-C lets the step end and waits until a checkpoint
 * holds it; `remedy` is what the user is then told.
 */
export async function runInThread(host: Host, job: Job, remedy: string): Promise<Outcome> {
  const progress = startTrainingProgress(host);
  const said = (text: string) => progress.say(text);
  const stop = new Int32Array(job.stop);
  let begun = false;
  let ended = () => {};
  const update = (state: TrainingProgress) => {
    begun = true;
    progress.update(state);
  };
  const forget = host.onInterrupt(() => {
    // before the first step there is nothing to keep
    if (!begun) return undefined;
    Atomics.store(stop, 0, 1);
    return new Promise<void>((resolve) => {
      ended = resolve;
    });
  });
  try {
    const outcome = await (existsSync(script) ? inThread(job, update, said) : here(job, update, said));
    progress.stop();
    if (outcome.kind === "stopped") {
      host.stderr.write(
        `stopped after step ${formatCount(outcome.step)} of ${formatCount(outcome.steps)}; ${remedy}\n`,
      );
    } else if (Atomics.load(stop, 0) !== 0) {
      host.stderr.write(`all steps are done, but the result was not written; ${remedy}\n`);
    }
    return outcome;
  } finally {
    progress.stop();
    forget();
    ended();
  }
}

async function here(job: Job, progress: Link["progress"], say: Link["say"]): Promise<Outcome> {
  const { runJob } = await import("./training-run.js");
  const stop = new Int32Array(job.stop);
  return runJob(job, { say, progress, stopRequested: () => stop[0] !== 0 });
}

function inThread(job: Job, progress: Link["progress"], say: Link["say"]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const over = new SharedArrayBuffer(4);
    const worker = new Worker(script, { workerData: { job, over } });
    // a process that exits while a thread is inside onnxruntime is aborted: the thread ends by itself first
    const leave = () => {
      worker.postMessage("end");
      Atomics.wait(new Int32Array(over), 0, 0, longestRunMs);
    };
    process.once("exit", leave);
    worker.once("exit", () => process.off("exit", leave));
    worker.on("message", (message: Message) => {
      if ("say" in message) say(message.say);
      else if ("progress" in message) progress(message.progress);
      else if ("outcome" in message) resolve(message.outcome);
      else reject(message.user ? new UserError(message.error) : new Error(message.error));
    });
    worker.on("error", (error: NodeJS.ErrnoException) => {
      const full = error.code === "ERR_WORKER_OUT_OF_MEMORY" || error instanceof RangeError;
      reject(full ? new UserError("training ran out of memory; a smaller --batch needs less") : error);
    });
    worker.on("exit", (code) => reject(new Error(`the training thread ended with code ${code}`)));
  });
}
