import type { Round } from "../bench/models/measure.js";
import { type ModelPoint, pointsOf } from "../bench/models/points.js";
import type { BenchResult, BenchSettings } from "../bench/models/result.js";
import type { MeasuredPoint } from "../bench/models/summarise.js";
import type { Host, Options } from "../cli.js";
import type { Batch, DeclaredInput, SampleSet } from "../data/batch.js";
import { UserError } from "../errors.js";
import type { OpenedModel } from "./bench-models.js";
import type { MeasuringProcess, Worker } from "./bench-process.js";
import { sampleSettings } from "./sample-options.js";
import { readSamples, type SampleSettings } from "./samples.js";

/** Samples made up when there is no --data, and how many runs' samples are timed at most. */
const syntheticCount = 4;
const maxTimed = 16;
/** The least with a 95 % interval. */
const usualRounds = 6;
/** More combinations than this are a slip of the keyboard. */
const maxPoints = 64;

/** Measures model files against the first of them. */
export async function benchModelFiles(
  host: Host,
  paths: readonly string[],
  options: Options,
  given: Worker | undefined,
): Promise<BenchResult> {
  const { environmentOf } = await import("./bench-environment.js");
  const { openModels } = await import("./bench-models.js");
  const { summarise } = await import("../bench/models/summarise.js");
  const { parseGate } = await import("../bench/compare/gates.js");
  const { startProgress } = await import("./progress.js");
  const worker = given ?? (await import("./bench-process.js")).builtWorker;
  const settings = settingsOf(options);
  for (const gate of settings.gates) parseGate(gate, "models");
  const points = pointsOf({
    batches: (options["batch"] as readonly number[] | undefined) ?? [],
    threads: options["threads"] as readonly number[],
    axes: axesOf((options["axis"] as readonly string[] | undefined) ?? []),
  });
  if (points.length > maxPoints) {
    throw new UserError(`--batch, --axis and --threads make ${points.length} combinations; ${maxPoints} are the most`);
  }
  const data = options["data"] as string | undefined;
  if (data !== undefined && options["axis"] !== undefined) {
    throw new UserError("--axis: leave it out with --data; the samples have their own sizes");
  }

  // before anything of ours loads the machine
  const environment = await environmentOf();
  const session = { threads: settings.threads, config: settings.session };
  const reading = sampleSettings(options, { count: syntheticCount, seed: settings.seed });
  const { models, samples, inputs } = await openModels(host, paths, settings.control, session, points[0]!, {
    path: data,
    settings: reading,
    labels: options["labels"] as string | undefined,
    score: options["score"] as string | undefined,
  });

  const fed: { readonly point: ModelPoint; readonly batches: readonly Batch[] }[] = [];
  for (const point of points) {
    const own = point === points[0] ? samples : await samplesAt(host, data, inputs, reading, point);
    fed.push({ point, batches: await batchesOf(own, inputs, point) });
  }
  const progress = startProgress(host, "measuring", "rounds");
  const measured: MeasuredPoint[] = [];
  try {
    for (const [at, { point, batches }] of fed.entries()) {
      const advance = (done: number) => progress.update(at * settings.rounds + done, points.length * settings.rounds);
      const rounds = await measurePoint(
        host,
        worker,
        models,
        { ...settings, threads: point.threads },
        batches,
        advance,
      );
      measured.push({
        point,
        shapes: await shapesOf(batches),
        models: models.map(({ absolutePath: _, ...model }, which) => ({ ...model, rounds: rounds[which]! })),
      });
    }
  } finally {
    progress.stop();
  }
  const [first, ...others] = measured;
  return summarise(
    first!.models,
    {
      environment,
      settings,
      samples: {
        count: samples.count,
        timed: fed[0]!.batches.length * (points[0]!.batch ?? 1),
        source: samples.source,
        synthetic: samples.synthetic,
        shapes: first!.shapes,
        notes: samples.notes,
      },
    },
    first!.point,
    others,
  );
}

function settingsOf(options: Options): BenchSettings {
  const threads = options["threads"] as readonly number[];
  return {
    rounds: (options["rounds"] as number | undefined) ?? usualRounds,
    seconds: options["time"] as number,
    warmUpSeconds: options["warmup"] as number,
    threads: threads[0]!,
    tolerance: options["tolerance"] as number,
    // CPU time of several threads says little of how long one waits
    metric:
      (options["metric"] as "cpu" | "wall" | undefined) ?? (threads.every((count) => count === 1) ? "cpu" : "wall"),
    seed: options["seed"] as number,
    session: sessionEntries((options["session"] as string[] | undefined) ?? []),
    control: options["control"] === true,
    gates: (options["gate"] as readonly string[] | undefined) ?? [],
  };
}

/** Rounds of all models in one way: fresh processes that take turns. */
async function measurePoint(
  host: Host,
  worker: Worker,
  models: readonly OpenedModel[],
  settings: BenchSettings,
  batches: readonly Batch[],
  onRound: (done: number) => void,
): Promise<readonly (readonly Round[])[]> {
  const { startProcess } = await import("./bench-process.js");
  const { schedule, takeTurns } = await import("../bench/models/schedule.js");
  const rounds: Round[][] = models.map(() => []);
  const processes = new Map<number, MeasuringProcess>();
  const session = { threads: settings.threads, config: settings.session };
  try {
    for (const [done, order] of schedule(models.length, settings.rounds, settings.seed).entries()) {
      for (const at of order) {
        const { path: shown, absolutePath: path } = models[at]!;
        const { warmUpSeconds } = settings;
        processes.set(at, await startProcess(host, worker, shown, { path, session, batches, warmUpSeconds }));
      }
      await takeTurns([...processes.values()], settings.seconds);
      for (const [at, child] of processes) {
        rounds[at]!.push(await child.finish());
        child.stop();
      }
      processes.clear();
      onRound(done + 1);
    }
  } finally {
    for (const child of processes.values()) child.stop();
  }
  return rounds;
}

/** Samples of the sizes of a point; those of --data are what they are. */
async function samplesAt(
  host: Host,
  path: string | undefined,
  inputs: readonly DeclaredInput[],
  settings: SampleSettings,
  { sizes }: ModelPoint,
): Promise<SampleSet> {
  const { withSizes } = await import("../data/feeds.js");
  return readSamples(host, path, withSizes(inputs, new Map(Object.entries(sizes))), settings);
}

/** What the model is timed on: single samples, or `batch` of them at once. */
async function batchesOf(
  samples: SampleSet,
  inputs: readonly DeclaredInput[],
  { batch }: ModelPoint,
): Promise<readonly Batch[]> {
  const { batchAxes, joinSamples } = await import("../data/feeds.js");
  // made-up samples all have one shape, so one of them times as well as all
  const runs = samples.synthetic ? 1 : Math.max(1, Math.min(maxTimed, Math.floor(samples.count / (batch ?? 1))));
  const axes = batchAxes(inputs);
  if (batch !== null && batch > 1 && axes.size === 0) {
    throw new UserError(
      `--batch ${batch}: the leading axis of every input is fixed, so the model takes one batch size only`,
    );
  }
  const batches: Batch[] = [];
  for (let run = 0; run < runs; run++) {
    const indices = Array.from({ length: batch ?? 1 }, (_, at) => (run * (batch ?? 1) + at) % samples.count);
    const parts: Batch[] = [];
    for (const index of indices) parts.push(await samples.read(index));
    batches.push(joinSamples(parts, axes, indices.map(samples.nameOf)));
  }
  return batches;
}

/** The shapes of each input over the batches, each once: `1x3x48x320`, `1x3x48x439`. */
async function shapesOf(batches: readonly Batch[]): Promise<Readonly<Record<string, readonly string[]>>> {
  const { formatShape } = await import("../tensor/tensor.js");
  const names = [...batches[0]!.keys()];
  return Object.fromEntries(
    names.map((name) => [name, [...new Set(batches.map((batch) => formatShape(batch.get(name)!.shape)))]]),
  );
}

/** The values of several --axis options. */
function axesOf(texts: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const axes = new Map<string, readonly number[]>();
  for (const text of texts) {
    const at = text.lastIndexOf("=");
    const values = text
      .slice(at + 1)
      .split(",")
      .map(Number);
    if (at <= 0 || !/^\d+(,\d+)*$/.test(text.slice(at + 1)) || values.some((value) => value < 1 || value > 2 ** 24)) {
      throw new UserError(`--axis ${text}: write it as <name>=<sizes>, for example seq=32,128,512`);
    }
    const name = text.slice(0, at);
    if (axes.has(name)) throw new UserError(`--axis ${text}: "${name}" is given twice`);
    axes.set(name, values);
  }
  return axes;
}

function sessionEntries(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at <= 0)
        throw new UserError(`--session ${text}: write it as <key>=<value>, e.g. session.disable_quant_qdq=1`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
