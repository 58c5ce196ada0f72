import { disagreement } from "../../evaluate/agreement.js";
import { percent } from "../percent.js";
import type { BenchResult, ModelResult, Warning } from "./result.js";

/** A first run shorter than this delays nobody. */
const noticeableSeconds = 0.1;

/** What limits a result, each with its remedy. */
export function warningsOf(result: Omit<BenchResult, "warnings">): readonly Warning[] {
  const { settings, environment, samples, comparisons, models, noiseFloor } = result;
  const warnings: Warning[] = [];
  const add = (code: Warning["code"], message: string) => warnings.push({ code, message });

  for (const { candidate, role, agreement } of comparisons) {
    const problem = role === "candidate" ? disagreement(agreement) : undefined;
    if (!problem) continue;
    const remedy = samples.synthetic
      ? "random input says little, so repeat with real samples (--data)"
      : "check its accuracy before you trust its speed";
    add("outputs-disagree", `${candidate}: ${problem}; ${remedy}`);
  }
  if (settings.rounds < 6) {
    const rounds = settings.rounds === 1 ? "1 round is" : `${settings.rounds} rounds are`;
    add("few-rounds", `${rounds} too few for a 95 % interval, so there is no verdict; use --rounds 6 or more`);
  }
  const { loadAverage, cores } = environment;
  if (loadAverage !== null && loadAverage > cores * 0.75) {
    add(
      "high-load",
      `load average ${loadAverage.toFixed(1)} on ${cores} cores at the start; close other programs and repeat`,
    );
  }
  const waiting = models.filter(({ wall, cpu }) => settings.threads === 1 && wall.value > 1.25 * cpu.value);
  if (waiting.length > 0) {
    add(
      "contention",
      `${labels(waiting)}: runs wait for a core (wall time exceeds CPU time by over 25 %); trust CPU time, or free the machine`,
    );
  }
  if (noiseFloor !== undefined && (noiseFloor === null || noiseFloor > settings.tolerance)) {
    add(
      "noise-floor",
      noiseFloor === null
        ? "the noise floor could not be measured; use --rounds 6 or more"
        : `the baseline differs from itself by up to ${percent(noiseFloor)}, which replaces the tolerance of ` +
            `${percent(settings.tolerance)}; add rounds or free the machine`,
    );
  }
  for (const model of models) {
    const total = model.rounds.reduce((sum, round) => sum + round.samples, 0);
    const outliers = model.rounds.reduce((sum, round) => sum + round[settings.metric].outliers, 0);
    if (outliers / total > 0.05) {
      add(
        "outliers",
        `${model.label}: ${percent(outliers / total)} of the samples lie far from the median; free the machine and repeat`,
      );
    }
  }
  const slow = models.filter(({ role, firstRun: { value }, wall }) => {
    return role !== "control" && value > 5 * wall.value && value > noticeableSeconds;
  });
  if (slow.length > 0) {
    add(
      "slow-first-run",
      `${labels(slow)}: the first run takes over 5 times the usual; run once before you serve requests`,
    );
  }
  if (samples.notes.length > 0) add("converted-samples", samples.notes.join("; "));
  return warnings;
}

function labels(models: readonly ModelResult[]): string {
  return models.map(({ label }) => label).join(", ");
}
