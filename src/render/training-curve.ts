import type { TrainingRecord } from "../train/task.js";
import type { CurvePoint } from "./training-result.js";

/** Points of a curve at most. */
const mostPoints = 400;

type Step = Extract<TrainingRecord, { readonly kind: "step" }>;

/** The steps of a log in parts of equal length, with the means of each. */
export function curveOf(records: readonly TrainingRecord[]): readonly CurvePoint[] {
  const steps = records.filter((record): record is Step => record.kind === "step");
  const size = Math.ceil(steps.length / mostPoints);
  const points: CurvePoint[] = [];
  for (let at = 0; at < steps.length; at += size) {
    const part = steps.slice(at, at + size);
    const mean = (of: (step: Step) => number) => part.reduce((sum, step) => sum + of(step), 0) / part.length;
    const names = [...new Set(part.flatMap(({ terms }) => Object.keys(terms)))];
    points.push({
      step: part.at(-1)!.step,
      loss: mean(({ loss }) => loss),
      terms: Object.fromEntries(names.map((name) => [name, mean(({ terms }) => terms[name] ?? 0)])),
      rate: mean(({ rate }) => rate),
      gradientNorm: mean(({ gradientNorm }) => gradientNorm),
    });
  }
  return points;
}
