import type { Host } from "../cli.js";
import type { Job, Link, Outcome } from "./training-job.js";

/** Does a whole job: reads, prepares, trains, measures, and leaves the result in the staging folder. */
export async function runJob(job: Job, link: Link): Promise<Outcome> {
  const host = hostOf(job, link);
  if (job.mode === "distill") return (await import("./distill-job.js")).distillJob(host, job, link);
  return (await import("./qat-job.js")).qatJob(host, job, link);
}

/** The outside world as a job sees it. Whoever started the job cleans up after Ctrl-C. */
function hostOf({ cwd, env, version }: Job, link: Link): Host {
  const write = (text: string) => link.say(text.replace(/\n$/, ""));
  return {
    cwd,
    env,
    version,
    stdout: { write, isTerminal: false, columns: 80 },
    stderr: { write, isTerminal: false, columns: 80 },
    onInterrupt: () => () => {},
  };
}
