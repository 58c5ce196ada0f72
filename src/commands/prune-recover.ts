import { dirname, join } from "node:path";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import type { EmptyPlaces } from "../evaluate/empty-places.js";
import type { DistillResult } from "../render/training-result.js";
import type { Staging } from "./files.js";
import type { Job } from "./training-job.js";
import { dropCheckpoints, earlierRun, hasCheckpoint } from "./training-keep.js";
import { runInThread } from "./training-thread.js";

/** Brings accuracy back: the original teaches what is left of it. */
export interface Recoverer {
  /** Trains the staged model `from`, whose outputs have zeros at `empty` places; the result lies in the staging folder under `name`. Undefined where it was stopped. */
  recover(
    round: number,
    from: string,
    name: string,
    empty: readonly EmptyPlaces[],
  ): Promise<{ readonly result: DistillResult; readonly files: readonly string[] } | undefined>;
  /** Drops the checkpoints, once the result is published. */
  close(): void;
}

/** Opens what trains: `teacher` is the original's path. Throws a UserError where there is nothing to go on from. */
export function openRecoverer(
  host: Host,
  options: Options,
  teacher: string,
  output: string,
  staging: Staging,
  rounds: number,
): Recoverer {
  const home = (options["checkpoint"] as string | undefined) ?? `${output}.training`;
  const folderOf = (round: number) => (rounds === 1 ? home : join(home, `round-${round + 1}`));
  if (options["resume"] === true && !hasCheckpoint(host, folderOf(0))) {
    throw new UserError(`--resume: ${home} holds no checkpoint; leave --resume out to start`);
  }
  // training would say the same, but only after pruning has taken its time
  if (options["resume"] !== true && options["force"] !== true) {
    const there = Array.from({ length: rounds }, (_, round) => folderOf(round)).find((each) =>
      hasCheckpoint(host, each),
    );
    if (there) throw new UserError(earlierRun(there));
  }
  const done: string[] = [];
  return {
    async recover(round, from, name, empty) {
      const checkpoints = folderOf(round);
      const job: Job = {
        mode: "distill",
        cwd: host.cwd,
        env: { ...host.env },
        version: host.version,
        model: teacher,
        options: {
          ...options,
          student: staging.pathOf(from),
          resume: options["resume"] === true && hasCheckpoint(host, checkpoints),
          // the whole pipeline is timed at its end
          speedSeconds: 0,
        },
        isPlan: false,
        empty,
        staging: { label: join(dirname(output), name), folder: dirname(staging.pathOf("any")) },
        checkpoints,
        stop: new SharedArrayBuffer(4),
      };
      done.push(checkpoints);
      const outcome = await runInThread(host, job, `the same command with --resume goes on from ${home}`);
      if (outcome.kind !== "result" || Atomics.load(new Int32Array(job.stop), 0) !== 0) return undefined;
      return { result: outcome.result as DistillResult, files: outcome.files };
    },
    close() {
      if (options["checkpoint"] !== undefined) return;
      for (const folder of done) dropCheckpoints(host, folder);
      if (rounds > 1) dropCheckpoints(host, home);
    },
  };
}
