import type { Batch } from "../data/batch.js";
import type { Label } from "../data/labels.js";
import { UserError } from "../errors.js";
import { numbersOf } from "../tensor/numbers.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";

/** One sample with what the model made of it. */
interface Scored {
  /** Its number, from 0. */
  readonly at: number;
  readonly feeds: Batch;
  readonly outputs: ReadonlyMap<string, Tensor>;
  readonly label: Label | undefined;
}

/** A measure of how well a model does on labelled samples: the weighted mean of the samples' scores. */
export interface Metric {
  /** In words, for reports: "top-1 accuracy". */
  readonly name: string;
  /** False for error rates. */
  readonly higherIsBetter: boolean;
  /** The score of one sample and its weight in the mean (what a ratio divides by, e.g. characters). */
  score(sample: Scored): { readonly value: number; readonly weight: number };
}

/**
 * Share of rows whose largest score stands at the label's class. The scores are the last axis of the first output
 * that has one of at least 2; the rows before it must be as many as the label gives classes.
 */
export const topOneAccuracy: Metric = {
  name: "top-1 accuracy",
  higherIsBetter: true,
  score: ({ at, outputs, label }) => {
    const output = [...outputs.values()].find(({ dtype, shape }) => dtype !== "string" && (shape.at(-1) ?? 0) >= 2);
    return scoreOf(at, label, output, (output?.shape.length ?? 0) - 1);
  },
};

/** The same for the output of that name, whose classes lie along an axis; named in reports as one of `several`. */
export function topOneAccuracyOf(name: string, axis: number, several: boolean): Metric {
  return {
    name: several ? `${topOneAccuracy.name} of "${name}"` : topOneAccuracy.name,
    higherIsBetter: true,
    score: ({ at, outputs, label }) => scoreOf(at, label, outputs.get(name), axis),
  };
}

/** Rows are the positions of an output without its axis of classes, in their order. */
function scoreOf(at: number, label: Label | undefined, output: Tensor | undefined, axis: number) {
  const classes = typeof label === "number" ? [label] : label;
  if (classes === undefined || typeof classes === "string") {
    throw new UserError(
      `--labels: sample ${at + 1} has ${label === undefined ? "no label" : `the text ${JSON.stringify(label)}`}; top-1 accuracy wants class numbers (a --metric file can score texts)`,
    );
  }
  if (!output) throw new UserError("--labels: no output of the model has class scores; give a --metric file");
  const width = output.shape[axis]!;
  const scores = numbersOf(output);
  const rows = scores.length / width;
  if (rows !== classes.length) {
    throw new UserError(
      `--labels: sample ${at + 1} has ${classes.length} labels, the model gives scores for ${rows} rows of ${width} classes`,
    );
  }
  const step = elementCount(output.shape.slice(axis + 1));
  let right = 0;
  classes.forEach((wanted, row) => {
    if (!Number.isInteger(wanted) || wanted < 0 || wanted >= width) {
      throw new UserError(`--labels: sample ${at + 1} has class ${wanted}; the model has classes 0 to ${width - 1}`);
    }
    const start = Math.floor(row / step) * step * width + (row % step);
    let best = 0;
    for (let column = 1; column < width; column++) {
      if (scores[start + column * step]! > scores[start + best * step]!) best = column;
    }
    if (best === wanted) right++;
  });
  return { value: right / rows, weight: rows };
}

/** The metric of a user's module: its export `metric`, checked. `name` is the file as the user knows it. */
export function metricOfModule(module: Readonly<Record<string, unknown>>, name: string, option = "--metric"): Metric {
  const given = (module["metric"] ?? module["default"]) as Partial<Metric> | undefined;
  if (typeof given?.score !== "function") {
    throw new UserError(
      `${option} ${name}: must export \`metric\`, an object with a function score({ outputs, label, feeds, at })`,
    );
  }
  return {
    name: typeof given.name === "string" ? given.name : name,
    higherIsBetter: given.higherIsBetter !== false,
    score(sample) {
      let result: unknown;
      try {
        result = given.score!(sample);
      } catch (error) {
        throw new UserError(`${option} ${name}: score() failed for sample ${sample.at + 1}: ${failure(error)}`);
      }
      const { value, weight } = (typeof result === "number" ? { value: result, weight: 1 } : (result ?? {})) as {
        readonly value?: unknown;
        readonly weight?: unknown;
      };
      if (typeof value === "number" && Number.isFinite(value) && typeof weight === "number" && weight >= 0) {
        return { value, weight };
      }
      throw new UserError(
        `${option} ${name}: score() gave ${typeof result === "number" ? result : JSON.stringify(result)} for sample ${sample.at + 1}; it must give a number, or { value, weight }`,
      );
    },
  };
}

/** A failure with the first place that its stack names. */
function failure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = /\n\s+at .*?([^/\\(]+:\d+:\d+)\)?/.exec(error.stack ?? "")?.[1];
  return `${error.message}${place ? ` (${place})` : ""}`;
}
