import type { ScheduleSettings } from "./task.js";

/** The learning rate of step number `step`, from 0, of `steps` in all. */
export function rateAt({ kind, rate, warmUp, floor, at }: ScheduleSettings, step: number, steps: number): number {
  if (step < warmUp) return (rate * (step + 1)) / warmUp;
  // 0 at the first step of the full rate, 1 at the last step
  const share = Math.min(1, (step - warmUp) / Math.max(1, steps - 1 - warmUp));
  switch (kind) {
    case "constant":
      return rate;
    case "cosine":
      return rate * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * share))) / 2);
    case "linear":
      return rate * (1 - (1 - floor) * share);
    case "step":
      return rate * floor ** at.filter((place) => step >= place * steps).length;
  }
}
