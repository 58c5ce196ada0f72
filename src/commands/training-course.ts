import type { Host } from "../cli.js";
import { UserError } from "../errors.js";
import type { Run } from "../evaluate/agreement.js";
import { curveOf } from "../render/training-curve.js";
import type { TrainingCourse } from "../render/training-result.js";
import { openLive } from "../train/live-session.js";
import { train } from "../train/loop.js";
import type { Objective } from "../train/objective.js";
import type { TrainableModel } from "../train/prepare.js";
import type { TrainingData, TrainingRecord, TrainingSettings, TrainingTask } from "../train/task.js";
import type { Job, Link } from "./training-job.js";
import { openKeeper } from "./training-keep.js";
import type { Gauge } from "./training-measure.js";

/** What is to be trained, and how. */
export interface Work {
  readonly model: TrainableModel;
  readonly objective: Objective;
  readonly data: TrainingData;
  readonly gauge: Gauge;
  readonly settings: TrainingSettings;
  /** What decides the result beside settings and weights, by what each is called: a checkpoint of another is not taken. */
  readonly run: Readonly<Record<string, string>>;
  /** Makes outputs of the training copy comparable, where it names or lays them out otherwise. */
  readonly live?: (run: Run) => Run;
  /** What the first steps run instead of the model. */
  readonly early?: TrainingTask["early"];
  beforeStep?(step: number): void;
}

/** Steps of a dry run that are timed at least; those before, of the run that compiles the graph, are not counted. */
const trialSteps = 5;

/** The mean time of a step in seconds, from a few of each phase; the weights are not what they were afterwards. */
export async function timeSteps(work: Work, link: Link): Promise<number | null> {
  const { steps } = work.settings;
  const { early, ...late } = work;
  const first = Math.min(early?.steps ?? 0, steps);
  const ofEarly = first > 0 ? await timePhase(work, first, link) : null;
  const ofLate = first < steps ? await timePhase(late, steps, link) : ofEarly;
  return ofLate === null ? null : ((ofEarly ?? ofLate) * first + ofLate * (steps - first)) / steps;
}

/** The time of a step as training begins, of at most so many. What is read once, and asked of a teacher once, counts once. */
async function timePhase(work: Work, most: number, link: Link): Promise<number | null> {
  let done = 0;
  const reading = { ms: 0, samples: 0 };
  const data: TrainingData = {
    ...work.data,
    async read(at) {
      const startedMs = performance.now();
      const sample = await work.data.read(at);
      reading.ms += performance.now() - startedMs;
      reading.samples += 1;
      return sample;
    },
  };
  const settings = { ...work.settings, steps: most, patience: 0, evaluateEvery: 1e9, checkpointEvery: 0 };
  const seen: { readonly done: number; readonly ms: number }[] = [];
  const look = () => seen.push({ done, ms: performance.now() - reading.ms });
  await train({
    model: work.model,
    objective: work.objective,
    data,
    ...(work.beforeStep ? { beforeStep: (step: number) => work.beforeStep!(step) } : {}),
    ...(work.early ? { early: work.early } : {}),
    settings,
    hooks: {
      log: () => {
        done += 1;
      },
      keep: () => {},
      stopRequested() {
        if (done > 0) look();
        return link.stopRequested() || (seen.length > 1 && done - seen[0]!.done >= trialSteps);
      },
      progress: () => {},
    },
  });
  // the last of all steps is not asked about
  if (seen.at(-1)?.done !== done) look();
  const [first, last] = [seen[0]!, seen.at(-1)!];
  if (last.done === first.done) return null;
  const { steps, batchSize, accumulate } = work.settings;
  const reads = Math.min(work.data.count, steps * batchSize * accumulate) / steps;
  const own = (last.ms - first.ms) / (last.done - first.done);
  return (own + (reads * reading.ms) / Math.max(1, reading.samples)) / 1000;
}

/** Trains, with checkpoints, log, measurements and limits. Ends with the best weights in the model's parameters. */
export async function runCourse(
  host: Host,
  job: Job,
  link: Link,
  work: Work,
): Promise<{ readonly course: TrainingCourse; readonly notes: readonly string[] } | { readonly stopped: number }> {
  const { options, checkpoints: folder } = job;
  const { model, objective, data, gauge, settings } = work;
  const keeper = openKeeper(host, folder, work.run, {
    resume: options["resume"] === true,
    force: options["force"] === true,
    logFile: options["log"] as string | undefined,
  });
  const live = await openLive(model, settings.threads);
  const run = work.live ? work.live(live.run) : live.run;
  const startedMs = performance.now();
  const limit = options["time"] as number | undefined;
  let isLate = false;
  let rate = 0;
  let first: number | undefined;
  const hooks = {
    log(record: TrainingRecord) {
      if (record.kind === "step") rate = record.rate;
      first ??= record.step;
      keeper.log(record);
    },
    keep: keeper.keep,
    stopRequested() {
      // at least one step, however short the time
      isLate = limit !== undefined && first !== undefined && performance.now() - startedMs > limit * 1000;
      return isLate || link.stopRequested();
    },
    progress: (done: number, total: number, loss: number) => link.progress({ done, total, loss, rate }),
  };
  try {
    const outcome = await train({
      model,
      objective,
      data,
      evaluate: () => gauge.score(run),
      ...(work.beforeStep ? { beforeStep: (step: number) => work.beforeStep!(step) } : {}),
      ...(work.early ? { early: work.early } : {}),
      settings,
      hooks,
      ...(keeper.resume ? { resume: keeper.resume } : {}),
    });
    keeper.flush();
    if (outcome.ended === "stopped" && link.stopRequested()) return { stopped: outcome.steps };
    const records = keeper.records();
    const evaluations = records.flatMap((record) =>
      record.kind === "evaluation" ? [{ step: record.step, value: record.score.value, best: record.best }] : [],
    );
    const course: TrainingCourse = {
      steps: outcome.steps,
      ended: outcome.ended === "stopped" ? "time" : outcome.ended,
      bestStep: outcome.best?.step ?? null,
      finalLoss: outcome.finalLoss,
      seconds: (performance.now() - startedMs) / 1000,
      resumedAt: keeper.resume ? (first ?? outcome.steps + 1) - 1 : 0,
      curve: curveOf(records),
      evaluations,
      measure: gauge.measure,
    };
    return { course, notes: outcome.notes };
  } catch (error) {
    if (!keeper.hasLast()) keeper.discard();
    else if (error instanceof UserError) {
      throw new UserError(`${error.message}; the last good checkpoint is in ${folder}`, { cause: error });
    }
    throw error;
  } finally {
    await live.close();
  }
}
