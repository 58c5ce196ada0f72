import type { Batch, DeclaredInput } from "../data/batch.js";
import { joiningAxes } from "../data/feeds.js";
import { RunError, UserError } from "../errors.js";
import { declaredInputs } from "../graph/declared-inputs.js";
import type { Tensor } from "../tensor/tensor.js";
import { createBatches } from "./batches.js";
import { encodeBest, encodeCheckpoint, fingerprintOf, restoreCheckpoint } from "./checkpoint.js";
import type { Parameter, TrainingGraph } from "./graph.js";
import { createOptimizer, type Optimizer } from "./optimizer.js";
import { bindShapes, type RunningStatistics, type TrainableModel } from "./prepare.js";
import { rateAt } from "./schedule.js";
import { compileStep } from "./step.js";
import { createSteps } from "./steps.js";
import type { Score, TrainingOutcome, TrainingTask } from "./task.js";

/** How a model becomes graphs: what it is fed, the graph for the shapes of a batch, and statistics that batches move. */
export interface Binding {
  /** What the model is called in errors. */
  readonly name: string;
  readonly inputs: readonly DeclaredInput[];
  readonly statistics: readonly RunningStatistics[];
  bind(feeds: Batch): Promise<TrainingGraph>;
}

function bindingOf(model: TrainableModel): Binding {
  const { name, statistics } = model;
  return { name, inputs: declaredInputs(model.copy), statistics, bind: (feeds) => bindShapes(model, feeds) };
}

/**
 * Trains the parameters of a model, in place; at the end they are the best ones (where there is held-out data), else the
 * last, or their moving average. The same task gives the same bits, also where a checkpoint comes between. Throws a
 * UserError that names the step where loss, gradient or weights stop being finite: then the parameters are the best ones
 * so far (else those before that step), and the last checkpoint kept is from before.
 */
export async function train(task: TrainingTask): Promise<TrainingOutcome> {
  return trainWith(bindingOf(task.model), task);
}

/** Trains as `train` does, with graphs made by `binding`. */
export async function trainWith(binding: Binding, task: TrainingTask): Promise<TrainingOutcome> {
  const { settings, hooks, objective, resume } = task;
  const { steps, patience, evaluateEvery, checkpointEvery } = settings;
  const trained = [...task.model.parameters.values()];
  const all = [...trained, ...objective.parameters];
  const inputs = new Set(binding.inputs.map(({ name }) => name));
  // a model that takes one row at a time makes up for it by as many runs
  const single = joiningAxes(binding.inputs).size === 0;
  const perStep = settings.accumulate * (single ? Math.min(settings.batchSize, task.data.count) : 1);
  const optimizer = createOptimizer(all, { ...settings, accumulate: perStep });
  const fingerprint = fingerprintOf(task, all);
  let { position, best, waited, loss } = resume
    ? restoreCheckpoint(resume, fingerprint, all, optimizer)
    : { position: undefined, best: undefined, waited: 0, loss: Number.NaN };
  const batches = await createBatches(task.data, binding.inputs, settings, position);
  const { threads } = settings;
  const stepsOf = ({ bind, statistics }: Binding) => {
    const moved = statistics.flatMap((one) => [one.batchMean, one.batchVariance]);
    return createSteps(
      (batch) => bind(new Map([...batch].filter(([name]) => inputs.has(name)))),
      (graph, batch) => compileStep(graph, objective, trained, batch, { threads, statistics: moved }),
    );
  };
  const late = { binding, steps: stepsOf(binding) };
  const first = task.early && bindingOf(task.early.model);
  const early = first && { binding: first, steps: stepsOf(first) };
  const present = () => (early && optimizer.steps < task.early!.steps ? early : late);
  const stepFor = async (batch: Batch) => {
    const { steps: compiled } = present();
    try {
      if (compiled !== early?.steps) await early?.steps.close();
      return await compiled.stepFor(batch);
    } catch (error) {
      // nodes are named, but there may be two models
      if (!(error instanceof UserError) || error instanceof RunError) throw error;
      throw new UserError(`${binding.name}: ${error.message}`);
    }
  };
  const byName = new Map(all.map((one) => [one.name, one]));

  const refuse = (what: string, step = optimizer.steps + 1): never => {
    throw new UserError(
      `step ${step}: ${what}, so training stops; a lower learning rate, a longer warm-up or a clipping norm may help`,
    );
  };
  let idle = 0;
  const runStep = async () => {
    const before = optimizer.steps;
    let rows = 0;
    const rate = rateAt(settings.schedule, optimizer.steps, steps);
    let [sum, weight] = [0, 0];
    const terms: Record<string, number> = {};
    const moves: (() => void)[] = [];
    for (let at = 0; at < perStep; at++) {
      const batch = await batches.next();
      rows += batch.values().next().value?.shape[0] ?? 1;
      const result = await (await stepFor(batch)).run(batch);
      if (!Number.isFinite(result.loss)) {
        await refuseNotFinite(task.data, inputs, batch, optimizer.steps + 1);
        refuse(`the loss is ${result.loss}`);
      }
      optimizer.add(result.gradients, result.weight);
      sum += result.loss * result.weight;
      weight += result.weight;
      for (const [name, value] of result.terms) terms[name] = (terms[name] ?? 0) + value * result.weight;
      for (const one of present().binding.statistics) {
        const move = (name: string, value: string) =>
          moves.push(() => moveTowards(byName.get(name)!, result.statistics.get(value)!, one.momentum));
        move(one.mean, one.batchMean);
        move(one.variance, one.batchVariance);
      }
    }
    const gradientNorm = optimizer.update(rate);
    if (!Number.isFinite(gradientNorm)) refuse(`the gradient is ${gradientNorm}`);
    for (const move of moves) move();
    // a step in which nothing counted has no loss of its own
    if (weight > 0) loss = sum / weight;
    for (const name of Object.keys(terms)) terms[name] = weight > 0 ? terms[name]! / weight : 0;
    hooks.log({ kind: "step", step: optimizer.steps, loss, terms, rate, gradientNorm });
    hooks.progress(optimizer.steps, steps, loss);
    const moved = optimizer.steps > before;
    idle = moved ? 0 : idle + rows;
    // such steps are not counted: without this they would go on for ever
    if (idle >= 2 * task.data.count) {
      throw new UserError(
        `nothing counts in the last ${idle} samples of ${task.data.source}: no label is a class, or masks leave all out`,
      );
    }
    return moved;
  };
  const evaluate = async (evaluation: () => Promise<Score>) => {
    await withAverages(all, optimizer, async () => {
      const score = await evaluation();
      const isBest = !Number.isNaN(score.value) && (!best || isBetter(score, best.score));
      if (isBest) best = { step: optimizer.steps, score, weights: copyOf(all) };
      waited = isBest ? 0 : waited + 1;
      hooks.log({ kind: "evaluation", step: optimizer.steps, score, best: isBest });
    });
    if (waited === 0) hooks.keep("best", encodeBest(all, best!));
  };
  const checkpoint = () => {
    position = batches.position();
    hooks.keep("last", encodeCheckpoint(fingerprint, all, optimizer, { position, best, waited, loss }));
  };

  const isOver = (): TrainingOutcome["ended"] | undefined => {
    if (optimizer.steps >= steps) return "done";
    if (patience > 0 && waited >= patience) return "early";
    return hooks.stopRequested() ? "stopped" : undefined;
  };
  let ended = isOver();
  try {
    while (!ended) {
      task.beforeStep?.(optimizer.steps);
      const moved = await runStep();
      const done = optimizer.steps;
      const evaluates = moved && task.evaluate && (done % evaluateEvery === 0 || done === steps);
      const keeps = moved && ((checkpointEvery > 0 && done % checkpointEvery === 0) || done === steps);
      if ((evaluates || keeps) && !all.every(allFinite)) refuse("weights are not finite any more", done);
      if (task.evaluate && evaluates) await evaluate(() => task.evaluate!());
      ended = isOver();
      if (keeps || ended) checkpoint();
    }
  } catch (error) {
    if (best) restore(all, best.weights);
    throw error;
  } finally {
    await early?.steps.close();
    await late.steps.close();
  }
  if (best) restore(all, best.weights);
  else if (optimizer.averages) restore(all, optimizer.averages);
  const [missed = [], missedToo] = [early, late].flatMap((form) => {
    const names = form?.steps.unreached();
    return names ? [names] : [];
  });
  const unreached = missed.filter((name) => missedToo?.includes(name) ?? true);
  const notes = unreached.length === 0 ? [] : [`the loss does not depend on: ${unreached.join(", ")}`];
  return {
    steps: optimizer.steps,
    ended: ended!,
    best: best && { step: best.step, score: best.score },
    finalLoss: loss,
    notes,
  };
}

/** Refuses a batch whose inputs are no numbers, and names the first sample that is like it: no rate can help there. */
async function refuseNotFinite(
  data: TrainingTask["data"],
  inputs: ReadonlySet<string>,
  batch: Batch,
  step: number,
): Promise<void> {
  const wrongIn = (sample: Batch) => [...sample].find(([name, { data }]) => inputs.has(name) && !allFinite({ data }));
  if (!wrongIn(batch)) return;
  for (let at = 0; at < data.count; at++) {
    const wrong = wrongIn(await data.read(at));
    if (!wrong) continue;
    throw new UserError(
      `${data.nameOf(at)}: input "${wrong[0]}" holds NaN or infinity, and the loss of step ${step} is no number; leave the sample out`,
    );
  }
}

function isBetter(score: Score, than: Score): boolean {
  // shares of few samples are often equal
  if (score.value === than.value) return (score.tie ?? 0) > (than.tie ?? 0);
  return score.higherIsBetter ? score.value > than.value : score.value < than.value;
}

function moveTowards({ data }: Parameter, batch: Float32Array, momentum: number): void {
  for (let at = 0; at < data.length; at++) data[at] = momentum * data[at]! + (1 - momentum) * batch[at]!;
}

function allFinite({ data }: Pick<Tensor, "data">): boolean {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return true;
  // a sum of finite floats in float64 is finite
  let sum = 0;
  for (let at = 0; at < data.length; at++) sum += data[at]!;
  return Number.isFinite(sum);
}

function copyOf(parameters: readonly Parameter[]): ReadonlyMap<string, Float32Array> {
  return new Map(parameters.map(({ name, data }) => [name, data.slice()]));
}

function restore(parameters: readonly Parameter[], weights: ReadonlyMap<string, Float32Array>): void {
  for (const { name, data } of parameters) data.set(weights.get(name)!);
}

/** Does something while the parameters are their moving averages, where there are any. */
async function withAverages(
  parameters: readonly Parameter[],
  { averages }: Optimizer,
  what: () => Promise<void>,
): Promise<void> {
  if (!averages) return what();
  const present = copyOf(parameters);
  restore(parameters, averages);
  try {
    await what();
  } finally {
    restore(parameters, present);
  }
}
