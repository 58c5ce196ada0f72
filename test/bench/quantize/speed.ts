// Times of files against the model they were made of, by the built `deepseek bench`.
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

/** The parts of `deepseek bench --json` that are read here; numbers that are infinite come as null. */
interface Bench {
  readonly comparisons: readonly Comparison[];
}
/** A file against the model: CPU time of a run on one thread, and how far outputs differ. */
export interface Comparison {
  readonly time: { readonly ratio: number | null; readonly interval: Interval | null };
  readonly agreement: { readonly total: { readonly sqnrDb: number | null } };
}
interface Interval {
  readonly lower: number;
  readonly upper: number;
}

/** How long is measured. */
export interface Patience {
  /** Runs are so long that they are repeated less. */
  readonly slow?: boolean | undefined;
  readonly quick?: boolean;
}

/** Times runs of the files against the model's; none where `bench` cannot, which is said. */
export function compareTimes(
  model: string,
  files: readonly string[],
  data: string,
  { slow, quick }: Patience,
): readonly Comparison[] {
  const [rounds, seconds] = quick ? [2, 0.3] : [7, 0.6];
  const many = slow ? ["--rounds", quick ? "1" : "2", "--time", "0.1"] : ["--rounds", `${rounds}`];
  const time = slow ? [] : ["--time", `${seconds}`];
  const argv = [resolve("bin", "deepseek.js"), "bench", model, ...files, "--data", data, "--json", ...many, ...time];
  const done = spawnSync(process.execPath, argv, { encoding: "utf8", maxBuffer: 2 ** 30 });
  if (done.status !== 0 && done.status !== 1) {
    console.log(`no times: ${done.stderr.trim().split("\n").at(-1)}`);
    return [];
  }
  return (JSON.parse(done.stdout) as Bench).comparisons;
}
