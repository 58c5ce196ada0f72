import type { AccuracyReport } from "../quantize/accuracy.js";
import { formatNumberOf } from "./quantities.js";

/** What was done for accuracy, a line for each tool that did something. */
export function accuracyNote({ smoothings, equalised, rounded }: AccuracyReport): string[] {
  const lines: string[] = [];
  const [best] = [...smoothings].sort((a, b) => b.gainDb - a.gainDb);
  if (best) {
    const what = formatNumberOf(smoothings.length, "activation");
    lines.push(
      `${what} smoothed against the weights that read them, without new nodes; most for ${best.value} (alpha ${best.alpha}, ${best.gainDb.toFixed(1)} dB less noise behind it, as estimated)`,
    );
  }
  if (equalised.length > 0) {
    const most = equalised.reduce((largest, { factor }) => Math.max(largest, factor), 1);
    lines.push(
      `${formatNumberOf(equalised.length, "pair")} of weights equalised, channels scaled by up to ${most.toPrecision(2)}`,
    );
  }
  if (rounded.length > 0) {
    const decibels = rounded.map(({ before, after }) => (after > 0 ? 10 * Math.log10(before / after) : 0));
    const mean = decibels.reduce((sum, value) => sum + value, 0) / decibels.length;
    const late = rounded.filter(({ finished }) => !finished).length;
    lines.push(
      `${formatNumberOf(rounded.length, "weight")} rounded for the outputs' sake (AdaRound by coordinate descent): ${mean.toFixed(1)} dB less noise in each one's output on the calibration samples${late > 0 ? `; time ran out for ${late}` : ""}`,
    );
  }
  return lines;
}
