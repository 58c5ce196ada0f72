import { createHash } from "node:crypto";
import { UserError } from "../errors.js";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Position } from "./batches.js";
import type { Parameter } from "./graph.js";
import type { Optimizer } from "./optimizer.js";
import type { Score, TrainingTask } from "./task.js";

/** The best result so far, and the weights that gave it. */
export interface Best {
  readonly step: number;
  readonly score: Score;
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Where training is, apart from parameters and the optimizer. */
export interface Progress {
  readonly position: Position;
  readonly best: Best | undefined;
  /** Evaluations since the best one. */
  readonly waited: number;
  readonly loss: number;
}

/** What a run is: a checkpoint of another one is not taken. By what each is called in words. */
export type Fingerprint = Readonly<Record<string, string>>;

/** What of a task decides its steps, before any is done: settings, data, and the parameters as they start. */
export function fingerprintOf({ settings, data, early }: TrainingTask, parameters: readonly Parameter[]): Fingerprint {
  const hash = createHash("sha256");
  for (const { name, kind, shape, data } of parameters) {
    hash.update(`${name}:${kind}:${shape.join("x")};`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const { steps, batchSize, accumulate, optimizer, schedule, weightDecay, clipNorm, ema, seed } = settings;
  return {
    model: hash.digest("hex"),
    "number of samples": String(data.count),
    steps: String(steps),
    "batch size": String(batchSize),
    "batches of a step": String(accumulate),
    optimizer: Object.values(optimizer).join(" "),
    "learning rate": String(schedule.rate),
    schedule: `${schedule.kind} (falls to ${schedule.floor}${schedule.kind === "step" ? ` at ${schedule.at.join(" and ")}` : ""})`,
    "warm-up": String(schedule.warmUp),
    "weight decay": String(weightDecay),
    "clipping norm": String(clipNorm),
    "moving average": String(ema),
    seed: String(seed),
    ...(early ? { "number of early steps": String(early.steps) } : {}),
  };
}

const format = "deepseek training checkpoint 1";

const floats = (data: Float32Array, shape: readonly number[] = [data.length]): Tensor => ({
  dtype: "float32",
  shape,
  data,
});

/** All that a run needs to go on with, in one .safetensors file. */
export function encodeCheckpoint(
  fingerprint: Fingerprint,
  parameters: readonly Parameter[],
  optimizer: Optimizer,
  { position, best, waited, loss }: Progress,
): Uint8Array {
  const tensors = new Map<string, Tensor>();
  for (const { name, shape, data } of parameters) tensors.set(`parameter/${name}`, floats(data, shape));
  for (const [name, data] of optimizer.moments) tensors.set(`moment/${name}`, floats(data));
  for (const [name, data] of optimizer.averages ?? []) tensors.set(`average/${name}`, floats(data));
  for (const [name, data] of best?.weights ?? []) tensors.set(`best/${name}`, floats(data));
  tensors.set("waiting", { dtype: "int32", shape: [position.waiting.length], data: Int32Array.from(position.waiting) });
  const state = {
    step: optimizer.steps,
    taken: position.taken,
    waited,
    // JSON has no NaN
    loss: String(loss),
    best: best && { step: best.step, score: best.score },
  };
  const metadata = { format, fingerprint: JSON.stringify(fingerprint), state: JSON.stringify(state) };
  return encodeSafetensors({ tensors, metadata: new Map(Object.entries(metadata)) });
}

/**
 * Puts parameters and optimizer where they were when the checkpoint was written, and gives the rest. Throws a UserError
 * for what is no checkpoint and for one of another run, before anything is changed.
 */
export function restoreCheckpoint(
  bytes: Uint8Array,
  fingerprint: Fingerprint,
  parameters: readonly Parameter[],
  optimizer: Optimizer,
): Progress {
  const { tensors, metadata } = decodeSafetensors(bytes, "the checkpoint");
  if (metadata.get("format") !== format) {
    throw new UserError(
      "the checkpoint: this is no state of a training run (best weights alone cannot be gone on from)",
    );
  }
  const written = parsed<Fingerprint>(metadata.get("fingerprint"));
  for (const [what, value] of Object.entries(fingerprint)) {
    if (written[what] === value) continue;
    const found = written[what] ?? "unknown";
    const why =
      what === "model"
        ? "other weights train here, or they start from other numbers"
        : `its ${what} is ${found}, here it is ${value}`;
    throw new UserError(`the checkpoint is of another run: ${why}; start anew without it`);
  }
  const state = parsed<{
    readonly step: number;
    readonly taken: number;
    readonly waited: number;
    readonly loss: string;
    readonly best?: { readonly step: number; readonly score: Score };
  }>(metadata.get("state"));
  // everything is looked up before anything is written
  const writes: (readonly [Float32Array, Float32Array])[] = [];
  const wanted = (name: string, length: number): Float32Array => {
    const found = tensors.get(name);
    if (found?.dtype === "float32" && found.data.length === length) return found.data as Float32Array;
    throw new UserError(`the checkpoint is damaged: "${name}" is missing or has another size`);
  };
  for (const { name, data } of parameters) writes.push([data, wanted(`parameter/${name}`, data.length)]);
  for (const [name, data] of optimizer.moments) writes.push([data, wanted(`moment/${name}`, data.length)]);
  for (const [name, data] of optimizer.averages ?? []) writes.push([data, wanted(`average/${name}`, data.length)]);
  const best = state.best && {
    ...state.best,
    weights: new Map(parameters.map(({ name, data }) => [name, wanted(`best/${name}`, data.length).slice()])),
  };
  const waiting = [...((tensors.get("waiting")?.data ?? []) as Int32Array)];
  for (const [target, source] of writes) target.set(source);
  optimizer.steps = state.step;
  return { position: { taken: state.taken, waiting }, best, waited: state.waited, loss: Number(state.loss) };
}

function parsed<T>(text: string | undefined): T {
  try {
    return JSON.parse(text ?? "") as T;
  } catch {
    throw new UserError("the checkpoint is damaged: its state cannot be read");
  }
}

/** The best weights alone. */
export function encodeBest(parameters: readonly Parameter[], { step, score, weights }: Best): Uint8Array {
  const tensors = parameters.map(({ name, shape }): [string, Tensor] => [name, floats(weights.get(name)!, shape)]);
  const metadata = new Map([
    ["step", String(step)],
    ["score", String(score.value)],
  ]);
  return encodeSafetensors({ tensors: new Map(tensors), metadata });
}
