// Real models with a share of their channels gone, or made faster by a share of the time.
import { rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";
import { costOf } from "../quantize/cost.js";
import type { Cost } from "../quantize/result.js";
import { type Comparison, compareTimes } from "../quantize/speed.js";
import { compress, type Made } from "./command.js";
import { work } from "./fetch.js";
import type { RealModel } from "./models.js";
import type { ModelRow } from "./result.js";

export interface ModelSettings {
  readonly quick: boolean;
  /** Takes the files there are, to time them. */
  readonly asItIs: boolean;
  readonly times: boolean;
  /** Options of the command beside those given here. */
  readonly more: readonly string[];
}

/** The same share of every group, chosen by the weights; samples are for checks and times. */
const plain = ["--spread", "uniform", "--criterion", "l2", "--no-compensate"];

/** One row a ratio; undefined where the model or its samples cannot be had. */
export async function byChannels(
  model: RealModel,
  ratios: readonly number[],
  settings: ModelSettings,
): Promise<readonly ModelRow[] | undefined> {
  const [file, samples] = [model.file(), await model.samples()];
  if (!file || !samples) return undefined;
  const made = ratios.map((ratio) => {
    const args = ["--prune", `${ratio}`, "--by", "channels", "--data", samples, ...plain, ...settings.more];
    const pruned = compress(file, place(model, `channels-${ratio}`), args, settings.asItIs);
    return { ratio, pruned, cost: costOfPlan(file, ratio, samples, place(model, "plan-and-slice")) };
  });
  // big models one at a time: all that are compared are in memory at once
  const whole = made.filter(({ pruned }) => pruned.result);
  const groups = model.slow ? whole.map((one) => [one]) : [whole];
  const times = new Map<number, Comparison>();
  for (const group of settings.times ? groups.filter(({ length }) => length > 0) : []) {
    const files = group.map(({ pruned }) => pruned.file);
    for (const [at, found] of compareTimes(file, files, samples, { ...settings, slow: model.slow }).entries()) {
      times.set(group[at]!.ratio, found);
    }
  }
  return made.map(({ ratio, pruned, cost }) => rowOf(model, file, ratio, { ...pruned, cost }, times.get(ratio)));
}

/** Made faster by a share of the time, and timed again; undefined where the model or its samples cannot be had. */
export async function byLatency(
  model: RealModel,
  share: number,
  settings: ModelSettings,
): Promise<ModelRow | undefined> {
  const [file, samples] = [model.file(), await model.samples()];
  if (!file || !samples) return undefined;
  const args = ["--prune", `${share}`, "--by", "latency", "--data", samples, ...plain, ...settings.more];
  const made = compress(file, place(model, `latency-${share}`), args, settings.asItIs);
  const [found] = made.result ? compareTimes(file, [made.file], samples, { ...settings, slow: model.slow }) : [];
  return rowOf(model, file, share, made, found);
}

/** Of reading, planning, slicing and writing alone. */
function costOfPlan(model: string, ratio: number, samples: string, output: string): Cost {
  const bundled = join(work, "plan-and-slice.mjs");
  const entry = resolve("test", "bench", "prune", "plan-and-slice.ts");
  // without what translates TypeScript as it loads, which would count as memory of the pruning
  buildSync({
    entryPoints: [entry],
    outfile: bundled,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
  });
  rmSync(output, { force: true });
  const sample = join(samples, "000.npz");
  const { cost, stdout, error } = costOf(
    [process.execPath, bundled, model, `${ratio}`, sample, output],
    work,
    (code) => code === 0,
  );
  if (error) throw new Error(`plan-and-slice: ${error}`);
  console.log(`  plan and slice, ms: ${stdout.trim()}`);
  return cost;
}

function place({ id }: RealModel, name: string): string {
  return join(work, "files", id, `${name}.onnx`);
}

function rowOf(
  { id, isConvolutional }: RealModel,
  file: string,
  ratio: number,
  { file: pruned, result, cost, error }: Made,
  found: Comparison | undefined,
): ModelRow {
  const row = { model: id, isConvolutional, ratio, ...(cost && { cost }) };
  if (!result) return { ...row, error: error ?? "nothing was written" };
  const { parameters, flops, frozen, verification } = result;
  const { ratio: time, interval } = found?.time ?? { ratio: null, interval: null };
  return {
    ...row,
    bytes: [statSync(file).size, statSync(pruned).size],
    prunable: parameters.prunable / parameters.before,
    parameters: [parameters.before, parameters.after],
    flops: [flops.before, flops.after],
    frozen,
    ...(verification?.exactness && { exactness: verification.exactness }),
    ...(time !== null && { time }),
    ...(interval && { timeInterval: [interval.lower, interval.upper] as const }),
  };
}
