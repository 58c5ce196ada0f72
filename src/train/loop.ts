import type { Batch, DeclaredInput } from "../data/batch.js";
import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import { createBatches } from "./batches.js";
import type { Parameter, TrainingGraph } from "./graph.js";
import { createOptimizer } from "./optimizer.js";
import { rateAt } from "./schedule.js";
import { createSteps } from "./steps.js";
import type { Score, TrainingOutcome, TrainingTask } from "./task.js";

/** How a model becomes graphs: what it is fed, and the graph for the shapes of a batch. */
export interface Binding {
  readonly inputs: readonly DeclaredInput[];
  bind(feeds: Batch): Promise<TrainingGraph>;
  readonly statistics?: readonly RunningStatistics[];
}

/** Running statistics that batches move: running = momentum * running + (1 - momentum) * batch. */
interface RunningStatistics {
  /** Parameters of kind "statistic". */
  readonly mean: string;
  readonly variance: string;
  /** Values of a bound graph. */
  readonly batchMean: string;
  readonly batchVariance: string;
  readonly momentum: number;
}

/** Trains a model as `train` does, with graphs made by `binding`. */
export async function trainWith(binding: Binding, task: TrainingTask): Promise<TrainingOutcome> {
  const { settings, hooks, objective } = task;
  const trained: readonly Parameter[] = [...task.model.parameters.values()];
  const all = [...trained, ...objective.parameters];
  const byName = new Map(all.map((one) => [one.name, one]));
  const names = new Set(binding.inputs.map(({ name }) => name));
  const batches = await createBatches(task.data, binding.inputs, settings);
  const steps = createSteps(
    (batch) => binding.bind(new Map([...batch].filter(([name]) => names.has(name)))),
    objective,
    trained,
    {
      threads: settings.threads,
      statistics: (binding.statistics ?? []).flatMap((one) => [one.batchMean, one.batchVariance]),
    },
  );
  // a model that takes one row at a time gets the gradient of a batch from as many runs
  const perStep = settings.accumulate * Math.ceil(Math.min(settings.batchSize, task.data.count) / batches.rows);
  const optimizer = createOptimizer(all, { ...settings, accumulate: perStep });
  let finalLoss = Number.NaN;
  let best: { readonly step: number; readonly score: Score } | undefined;
  let ended: TrainingOutcome["ended"] = "done";
  try {
    while (optimizer.steps < settings.steps) {
      if (hooks.stopRequested()) {
        ended = "stopped";
        break;
      }
      const step = optimizer.steps;
      task.beforeStep?.(step);
      let loss = 0;
      let weight = 0;
      const terms: Record<string, number> = {};
      for (let at = 0; at < perStep; at++) {
        const batch = await batches.next();
        const result = await (await steps.stepFor(batch)).run(batch);
        if (!Number.isFinite(result.loss)) throw new UserError(`step ${step + 1}: the loss is ${result.loss}`);
        optimizer.add(result.gradients, result.weight);
        loss += result.loss * result.weight;
        weight += result.weight;
        for (const [name, value] of result.terms) terms[name] = (terms[name] ?? 0) + value * result.weight;
        for (const one of binding.statistics ?? []) {
          moveTowards(byName.get(one.mean)!, result.statistics.get(one.batchMean)!, one.momentum);
          moveTowards(byName.get(one.variance)!, result.statistics.get(one.batchVariance)!, one.momentum);
        }
      }
      const rate = rateAt(settings.schedule, step, settings.steps);
      const gradientNorm = optimizer.update(rate);
      if (!Number.isFinite(gradientNorm)) throw new UserError(`step ${step + 1}: the gradient is ${gradientNorm}`);
      finalLoss = loss / weight;
      for (const name of Object.keys(terms)) terms[name] = terms[name]! / weight;
      hooks.log({ kind: "step", step: step + 1, loss: finalLoss, terms, rate, gradientNorm });
      hooks.progress(step + 1, settings.steps, finalLoss);
    }
  } finally {
    await steps.close();
  }
  return { steps: optimizer.steps, ended, best, finalLoss };
}

/** Trains the parameters of a model, in place. */
export async function train(task: TrainingTask): Promise<TrainingOutcome> {
  const { bindShapes } = await import("./prepare.js");
  const inputs = declaredInputs(task.model.copy);
  return trainWith({ inputs, bind: (feeds) => bindShapes(task.model, feeds) }, task);
}

function moveTowards({ data }: Parameter, batch: Float32Array, momentum: number): void {
  for (let at = 0; at < data.length; at++) data[at] = momentum * data[at]! + (1 - momentum) * batch[at]!;
}

/** What a model is fed. */
function declaredInputs({ graph }: ModelProto): readonly DeclaredInput[] {
  const stored = new Set(graph!.initializer.map(({ name }) => name));
  return graph!.input.flatMap(({ name, type }) => {
    if (stored.has(name) || type?.value.case !== "tensorType") return [];
    const { elemType, shape } = type.value.value;
    const axes = (shape?.dim ?? []).map(({ value }) => {
      if (value.case === "dimValue") return Number(value.value);
      return value.case === "dimParam" && value.value !== "" ? value.value : null;
    });
    return { name, dtype: onnxType(elemType)?.dtype ?? "float32", shape: axes };
  });
}
