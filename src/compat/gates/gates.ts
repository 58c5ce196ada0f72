import { type Severity, severities } from "../rule.js";

/** Limits of which each, when passed, makes a scan fail. */
export interface Limits {
  readonly failOn: Severity | "never";
  readonly maxWarnings?: number | undefined;
  readonly maxUnresolved?: number | undefined;
  readonly minScore?: number | undefined;
}

/** What is held against the limits. */
export interface Measured {
  /** Severities of the findings that count. */
  readonly severities: readonly Severity[];
  readonly unresolved: number;
  readonly score: number;
}

/** Is a severity at least as grave as another? */
export function isAtLeast(severity: Severity, limit: Severity): boolean {
  return severities.indexOf(severity) <= severities.indexOf(limit);
}

/** Why a scan fails, in words; empty where it passes. */
export function failuresOf(measured: Measured, limits: Limits): readonly string[] {
  const { failOn, maxWarnings, maxUnresolved, minScore } = limits;
  const grave = failOn === "never" ? 0 : measured.severities.filter((one) => isAtLeast(one, failOn)).length;
  const warnings = measured.severities.filter((one) => one === "warning").length;
  const findings = (count: number, kind: string) => `${count} ${kind}${count === 1 ? "" : "s"}`;
  return [
    ...(grave > 0
      ? [`${findings(grave, "finding")} of severity ${failOn}${failOn === "error" ? "" : " or graver"}`]
      : []),
    ...(maxWarnings !== undefined && warnings > maxWarnings
      ? [`${findings(warnings, "warning")}, at most ${maxWarnings} allowed`]
      : []),
    ...(maxUnresolved !== undefined && measured.unresolved > maxUnresolved
      ? [`${findings(measured.unresolved, "request")} could not be judged in full, at most ${maxUnresolved} allowed`]
      : []),
    ...(minScore !== undefined && measured.score < minScore
      ? [`the readiness score is ${measured.score}, at least ${minScore} wanted`]
      : []),
  ];
}
