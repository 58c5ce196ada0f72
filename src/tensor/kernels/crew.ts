import { Worker } from "node:worker_threads";
import type { KernelCall, Simd, Slot } from "./simd.js";

/** One kernel call with what goes into its memory before and comes out after. */
export interface Task {
  fill(slot: Slot): KernelCall;
  take(slot: Slot): void;
}

/** Threads that work through tasks, this one among them. */
export interface Crew {
  readonly threads: number;
  /** Slots that `run` wants: two for each background thread, so that it never waits for the next task, and our own. */
  readonly slots: number;
  /** Does all tasks, in any order; `background` false keeps them in this thread. */
  run(tasks: readonly Task[], slots: readonly Slot[], background: boolean): Promise<void>;
  close(): Promise<void>;
}

// a string, so that it works from TypeScript, from the built package and inside jest alike
const program = `
const { parentPort, workerData } = require("node:worker_threads");
const { exports } = new WebAssembly.Instance(workerData.module, { env: { memory: workerData.memory } });
parentPort.on("message", ([index, [name, ...args]]) => {
  exports[name](...args);
  parentPort.postMessage(index);
});
parentPort.postMessage(-1);
`;

interface Mate {
  readonly worker: Worker;
  /** Slots, and the task in each. */
  readonly busy: Map<number, Task>;
  ready: boolean;
  dead: boolean;
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A crew of `threads` threads, this one included. The others start when first wanted; a crew without them works too. */
export function gatherCrew(simd: Simd, threads: number): Crew {
  const mates: Mate[] = [];
  let started = false;
  /** Called whenever a thread has something to say. */
  let heard = () => {};

  function start(): void {
    started = true;
    for (let index = 1; index < threads; index++) {
      try {
        const worker = new Worker(program, {
          eval: true,
          execArgv: [],
          workerData: { module: simd.module, memory: simd.memory },
        });
        const mate: Mate = { worker, busy: new Map(), ready: false, dead: false };
        worker.on("message", (slot: number) => {
          if (slot < 0) mate.ready = true;
          else answered(mate, slot);
          heard();
        });
        const lost = () => {
          mate.dead = true;
          heard();
        };
        worker.on("error", lost);
        worker.on("exit", lost);
        worker.unref();
        mates.push(mate);
      } catch {
        // not allowed here; this thread does it alone
      }
    }
  }

  let answered: (mate: Mate, slot: number) => void = () => {};

  async function run(tasks: readonly Task[], slots: readonly Slot[], background: boolean): Promise<void> {
    if (background && !started) start();
    const queue = [...tasks].reverse();
    let failure: unknown;
    const own = slots[0]!;
    const doOwn = (task: Task) => {
      const [name, ...args] = task.fill(own);
      simd.kernels[name](...args);
      task.take(own);
    };
    const feed = (mate: Mate, index: number) => {
      for (const slot of [1 + 2 * index, 2 + 2 * index]) {
        if (mate.dead || !mate.ready || mate.busy.has(slot) || queue.length === 0) continue;
        // the last ones are for whoever is free first
        if (mate.busy.size > 0 && queue.length <= mates.length) continue;
        const task = queue.pop()!;
        const call = task.fill(slots[slot]!);
        mate.busy.set(slot, task);
        mate.worker.ref();
        mate.worker.postMessage([slot, call]);
      }
    };
    answered = (mate, slot) => {
      const task = mate.busy.get(slot);
      mate.busy.delete(slot);
      try {
        task?.take(slots[slot]!);
        feed(mate, mates.indexOf(mate));
      } catch (error) {
        failure ??= error;
      }
      if (mate.busy.size === 0) mate.worker.unref();
    };
    const withMates = background && mates.length > 0;
    for (;;) {
      if (failure) throw failure;
      if (withMates) {
        mates.forEach((mate, index) => {
          if (mate.dead) {
            // what it had not answered is done again
            queue.push(...mate.busy.values());
            mate.busy.clear();
          } else feed(mate, index);
        });
      }
      const task = queue.pop();
      if (task) {
        doOwn(task);
        if (queue.length > 0 || withMates) await nextTurn();
      } else if (mates.some(({ busy }) => busy.size > 0)) {
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      } else return;
    }
  }

  return {
    threads,
    slots: threads < 2 ? 1 : 2 * threads - 1,
    run,
    async close() {
      started = true;
      await Promise.all(mates.splice(0).map(({ worker }) => worker.terminate()));
    },
  };
}
