import { optimizerMemory } from "../tensor/kernels/optimizer.js";
import type { Parameter } from "./graph.js";
import type { TrainingSettings } from "./task.js";

/** What of the settings says how parameters are updated. */
export type UpdateSettings = Pick<TrainingSettings, "optimizer" | "weightDecay" | "clipNorm" | "ema" | "accumulate">;

/** Updates parameters in place. The same calls give the same bits. */
export interface Optimizer {
  /**
   * Takes the gradients of one batch, by parameter, each the mean over the batch's `weight`. A parameter that has none
   * stays as it is. The arrays must stay as they are until `update`.
   */
  add(gradients: ReadonlyMap<string, Float32Array>, weight: number): void;
  /**
   * One step with the mean of what was added, and its global norm before clipping. Where that is not finite, nothing is
   * updated.
   */
  update(rate: number): number;
  /** Steps done; set when training goes on from a checkpoint. */
  steps: number;
  /** Moments by `<moment>/<parameter>`, live; written into when training goes on from a checkpoint. */
  readonly moments: ReadonlyMap<string, Float32Array>;
  /** The moving average of every parameter, live; undefined without one. */
  readonly averages: ReadonlyMap<string, Float32Array> | undefined;
}

/** Elements that are copied to where the kernels are, worked on and copied back at a time; they fit a core's cache. */
const stretch = 8192;

/** Where a parameter's own arrays start in the kernels' memory. */
interface Places {
  readonly parameter: Parameter;
  readonly first: number;
  readonly second: number;
  readonly sum: number;
  readonly average: number;
}

/**
 * SGD or AdamW, with decay decoupled from the gradient for both. `rateScale`, `mask` and `lowerBound` of a parameter are
 * read at every update, so they may change between two.
 */
export function createOptimizer(
  parameters: readonly Parameter[],
  settings: UpdateSettings,
  how: "simd" | "plain" = "simd",
): Optimizer {
  const { optimizer, weightDecay, clipNorm, ema, accumulate } = settings;
  const adam = optimizer.kind === "adamw";
  const withFirst = adam || optimizer.momentum > 0;
  let end = 0;
  const take = (count: number) => {
    const start = end;
    end += (count + 3) & ~3;
    return start;
  };
  // where parameters, gradients and what nobody keeps are worked on
  const [stageP, stageG, stageM] = [take(stretch), take(stretch), take(stretch)];
  const places = parameters.map((parameter): Places => {
    const trains = parameter.kind !== "statistic";
    const room = (wanted: boolean) => (wanted ? take(parameter.data.length) : -1);
    return {
      parameter,
      first: room(trains && withFirst),
      second: room(trains && adam),
      sum: room(trains && accumulate > 1),
      average: room(ema > 0),
    };
  });
  const { floats, kernels } = optimizerMemory(end, how);
  const viewAt = (start: number, { data }: Parameter) => floats.subarray(start, start + data.length);
  const moments = new Map<string, Float32Array>();
  const averages = new Map<string, Float32Array>();
  for (const { parameter, first, second, average } of places) {
    if (first >= 0) moments.set(`first/${parameter.name}`, viewAt(first, parameter));
    if (second >= 0) moments.set(`second/${parameter.name}`, viewAt(second, parameter));
    if (average >= 0) averages.set(parameter.name, viewAt(average, parameter));
  }
  for (const { parameter } of places) averages.get(parameter.name)?.set(parameter.data);

  /** Copies part of an array to the stage, 0 where a mask holds the element and up to the next group of 4. */
  const bring = (source: Float32Array, from: number, count: number, place: number, mask?: Uint8Array) => {
    floats.set(count === source.length ? source : source.subarray(from, from + count), place);
    if (count & 3) floats.fill(0, place + count, place + ((count + 3) & ~3));
    if (mask) for (let at = 0; at < count; at++) if (!mask[from + at]) floats[place + at] = 0;
  };
  const stretches = function* (length: number): Generator<readonly [from: number, count: number]> {
    for (let from = 0; from < length; from += stretch) yield [from, Math.min(stretch, length - from)];
  };
  const up4 = (count: number) => (count + 3) & ~3;

  let pending: readonly { readonly gradients: ReadonlyMap<string, Float32Array>; readonly weight: number }[] = [];
  const addUp = (gradients: ReadonlyMap<string, Float32Array>, weight: number) => {
    for (const { parameter, sum } of places) {
      const gradient = gradients.get(parameter.name);
      if (!gradient || sum < 0) continue;
      for (const [from, count] of stretches(gradient.length)) {
        bring(gradient, from, count, stageG);
        kernels.addScaled(sum + from, stageG, up4(count), weight);
      }
    }
  };

  const updateOne = (one: Places, gradient: Float32Array, scale: number, rate: number, steps: number) => {
    const { data, kind, mask } = one.parameter;
    const keep = kind === "weight" ? 1 - rate * weightDecay : 1;
    const beta1 = adam ? optimizer.beta1 : 0;
    const numbers = adam && {
      scale,
      share1: 1 - beta1,
      beta2: optimizer.beta2,
      share2: 1 - optimizer.beta2,
      correction: 1 / Math.sqrt(1 - optimizer.beta2 ** steps),
      epsilon: optimizer.epsilon,
      rate: rate / (1 - beta1 ** steps),
      keep,
    };
    for (const [from, count] of stretches(data.length)) {
      bring(gradient, from, count, stageG, mask);
      bring(data, from, count, stageP);
      const first = one.first < 0 ? stageM : one.first + from;
      if (numbers) kernels.adamw(stageP, first, one.second + from, stageG, up4(count), numbers);
      else if (!adam) kernels.sgd(stageP, first, stageG, up4(count), { ...optimizer, scale, rate, keep });
      if (mask) {
        for (let at = 0; at < count; at++) if (mask[from + at]) data[from + at] = floats[stageP + at]!;
      } else {
        data.set(floats.subarray(stageP, stageP + count), from);
      }
    }
    const { lowerBound } = one.parameter;
    if (lowerBound !== undefined) for (let at = 0; at < data.length; at++) data[at] = Math.max(data[at]!, lowerBound);
  };

  const self: Optimizer = {
    steps: 0,
    moments,
    averages: ema > 0 ? averages : undefined,
    add(gradients, weight) {
      if (pending.length >= accumulate) throw new Error(`more than ${accumulate} batches in one step`);
      if (accumulate > 1) addUp(gradients, weight);
      pending = [...pending, { gradients, weight }];
    },
    update(rate) {
      const total = pending.reduce((sum, { weight }) => sum + weight, 0);
      const reached = new Set(pending.flatMap(({ gradients }) => [...gradients.keys()]));
      const [only] = pending;
      const mean = accumulate > 1 ? 1 / total : 1;
      const found = places.flatMap((one) => {
        if (one.parameter.kind === "statistic" || one.parameter.rateScale === 0) return [];
        if (!reached.has(one.parameter.name)) return [];
        return {
          one,
          gradient: accumulate > 1 ? viewAt(one.sum, one.parameter) : only!.gradients.get(one.parameter.name)!,
        };
      });
      let squares = 0;
      for (const { one, gradient } of found) {
        for (const [from, count] of stretches(gradient.length)) {
          bring(gradient, from, count, stageG, one.parameter.mask);
          squares += kernels.sumOfSquares(stageG, up4(count));
        }
      }
      const norm = total > 0 ? Math.sqrt(squares) * mean : 0;
      if (Number.isFinite(norm) && total > 0) {
        self.steps += 1;
        // as torch.nn.utils.clip_grad_norm_
        const scale = clipNorm > 0 ? mean * Math.min(1, clipNorm / (norm + 1e-6)) : mean;
        for (const { one, gradient } of found) {
          updateOne(one, gradient, scale, rate * (one.parameter.rateScale ?? 1), self.steps);
        }
        // early weights count for less than the decay alone would let them (tf.train.ExponentialMovingAverage)
        const share = 1 - Math.min(ema, (1 + self.steps) / (10 + self.steps));
        for (const { parameter, average } of places) {
          if (average < 0) continue;
          for (const [from, count] of stretches(parameter.data.length)) {
            bring(parameter.data, from, count, stageP);
            kernels.average(average + from, stageP, up4(count), share);
          }
        }
      }
      pending = [];
      for (const { parameter, sum } of places) if (sum >= 0) viewAt(sum, parameter).fill(0);
      return norm;
    },
  };
  return self;
}
