// Real models with a share of their channels gone, or made faster by a share of the time.
import { statSync } from "node:fs";
import { join } from "node:path";
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

/** One row a ratio; undefined where the model or its samples cannot be had. */
export async function byChannels(
  model: RealModel,
  ratios: readonly number[],
  settings: ModelSettings,
): Promise<readonly ModelRow[] | undefined> {
  const [file, samples] = [model.file(), await model.samples()];
  if (!file || !samples) return undefined;
  const made = ratios.map((ratio) => {
    // the same share of every group, chosen by the weights; the samples are for the check
    const way = ["--scope", "uniform", "--criterion", "l2"];
    const args = ["--prune", `${ratio}`, "--by", "channels", ...way, ...settings.more];
    const pruned = compress(file, place(model, `channels-${ratio}`), [...args, "--data", samples], settings.asItIs);
    // once more without checks, to say what the rest costs
    const bare = compress(
      file,
      place(model, `bare-${ratio}`),
      [...args, "--no-verify", "--speed-seconds", "0"],
      settings.asItIs,
    );
    return { ratio, pruned, cost: bare.cost };
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
  return made.map(({ ratio, pruned, cost }) =>
    rowOf(model, file, ratio, { ...pruned, ...(cost && { cost }) }, times.get(ratio)),
  );
}

/** Made faster by a share of the time, and timed again; undefined where the model or its samples cannot be had. */
export async function byLatency(
  model: RealModel,
  share: number,
  settings: ModelSettings,
): Promise<ModelRow | undefined> {
  const [file, samples] = [model.file(), await model.samples()];
  if (!file || !samples) return undefined;
  const args = ["--prune", `${share}`, "--by", "latency", "--data", samples, ...settings.more];
  const made = compress(file, place(model, `latency-${share}`), args, settings.asItIs);
  const [found] = made.result ? compareTimes(file, [made.file], samples, { ...settings, slow: model.slow }) : [];
  return rowOf(model, file, share, made, found);
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
    ...(flops && { flops: [flops.before, flops.after] as const }),
    frozen,
    ...(verification?.exactness && { exactness: verification.exactness }),
    ...(time !== null && { time }),
    ...(interval && { timeInterval: [interval.lower, interval.upper] as const }),
  };
}
