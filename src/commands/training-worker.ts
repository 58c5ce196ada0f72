/** The thread that trains: onnxruntime blocks it for a step at a time, while the program's own thread stays awake. */
import { parentPort, workerData } from "node:worker_threads";
import { UserError } from "../errors.js";
import { flushDenormals } from "../train/denormals.js";
import type { Job, Message } from "./training-job.js";
import { runJob } from "./training-run.js";

const send = (message: Message) => parentPort!.postMessage(message);
const { job, over } = workerData as { readonly job: Job; readonly over: SharedArrayBuffer };
const stop = new Int32Array(job.stop);
// the only message asks to end, and is heard between runs of a model
parentPort!.on("message", () => process.exit());
parentPort!.unref();
process.once("exit", () => {
  const ended = new Int32Array(over);
  Atomics.store(ended, 0, 1);
  Atomics.notify(ended, 0);
});

try {
  await flushDenormals();
  const outcome = await runJob(job, {
    say: (say) => send({ say }),
    progress: (progress) => send({ progress }),
    stopRequested: () => Atomics.load(stop, 0) !== 0,
  });
  send({ outcome });
} catch (error) {
  const user = error instanceof UserError;
  send({ error: user ? error.message : String((error as Error)?.stack ?? error), user });
}
