import type { Agreement } from "./agreement.js";
import type { Drop } from "./drop.js";
import { type Metric, topOneAccuracy } from "./metric.js";

/**
 * Why a loss on real samples says less than it seems to, each with the remedy; empty where it can be relied on.
 * `metric` is what scored the samples, undefined where outputs were compared with the original's.
 */
export function doubtsOf(
  { kind, reference }: Drop,
  { total, samples }: Agreement,
  maxDrop: number,
  metric: Metric | undefined,
): readonly string[] {
  if (metric?.higherIsBetter && reference === 0) {
    return [
      `the original itself scores 0 by ${metric.name}, so the loss says nothing: labels, their order, or how samples are prepared do not fit`,
    ];
  }
  // a metric of the user's may have steps of any size
  const answers = kind === "disagreement" || metric === topOneAccuracy ? (total.topOne?.total ?? 0) : 0;
  // every loss is above a limit of 0
  if (answers === 0 || maxDrop <= 0 || 1 / answers <= maxDrop) return [];
  // half of the samples are held out
  const enough = 2 * Math.ceil((samples / answers) * (1 / maxDrop));
  return [
    `only ${answers} answer${answers === 1 ? " was" : "s were"} compared: one that changes is ${percent(1 / answers)}, so a loss of ${percent(maxDrop)} cannot show; give ${enough} samples or more`,
  ];
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;
