import type { Scan } from "../scan.js";

/** What the score is made of. All are counts of at least 0. */
export interface ReadinessInput {
  /** Findings of severity error where the host is certain, or where no host is concerned. */
  readonly blockers: number;
  /** Findings of severity error where the host is only likely, or not known. */
  readonly likelyBlockers: number;
  readonly warnings: number;
  /** Requests of which the host, the model or a part is not known. */
  readonly unresolved: number;
  /** Fixes that were written but not verified. */
  readonly unverifiedFixes: number;
  /** Files passed over: generated, minified, too large. */
  readonly skipped: number;
  /** Files that are no valid programs, of which only a part was understood. */
  readonly broken: number;
  /** Files that could not be read at all. */
  readonly unreadable: number;
  /** Files that were read. */
  readonly read: number;
}

interface ReadinessPart {
  readonly name: string;
  readonly count: number;
  /** Points one of them costs; for what could not be read, points for all of the repository. */
  readonly weight: number;
  /** Points taken off, after the limit of the part. */
  readonly points: number;
}

export interface Readiness {
  /** 0 to 100. */
  readonly score: number;
  readonly formula: string;
  readonly parts: readonly ReadinessPart[];
}

interface Weight {
  readonly name: string;
  readonly key: Exclude<keyof ReadinessInput, "unreadable" | "read">;
  readonly weight: number;
  /** Most points the part can cost: many small things do not outweigh what blocks. */
  readonly most: number;
}

const weights: readonly Weight[] = [
  { name: "blockers", key: "blockers", weight: 10, most: 80 },
  { name: "likely blockers", key: "likelyBlockers", weight: 5, most: 40 },
  { name: "warnings", key: "warnings", weight: 2, most: 20 },
  { name: "unresolved requests", key: "unresolved", weight: 5, most: 40 },
  { name: "unverified fixes", key: "unverifiedFixes", weight: 1, most: 10 },
  { name: "broken files", key: "broken", weight: 3, most: 20 },
  { name: "skipped files", key: "skipped", weight: 0.5, most: 10 },
];

/** The formula as reports print it. */
const readinessFormula = `100 - ${weights
  .map(({ name, weight, most }) => `min(${most}, ${weight} x ${name})`)
  .join(" - ")} - 100 x (unreadable files / all files), rounded down, at least 0`;

/**
 * How ready code is for its target. Monotone: one more of anything but files read never raises the score, because
 * each part only grows with its count. Nothing found in files that were all read gives 100; a repository of which
 * nothing could be read gives 0, and an empty one 100.
 */
export function readiness(input: ReadinessInput): Readiness {
  const all = input.unreadable + input.read;
  const parts: readonly ReadinessPart[] = [
    ...weights.map(({ name, key, weight, most }) => ({
      name,
      count: input[key],
      weight,
      points: Math.min(most, weight * input[key]),
    })),
    {
      name: "unreadable files",
      count: input.unreadable,
      weight: 100,
      points: all === 0 ? 0 : (100 * input.unreadable) / all,
    },
  ];
  const lost = parts.reduce((sum, { points }) => sum + points, 0);
  return { score: Math.max(0, Math.floor(100 - lost)), formula: readinessFormula, parts };
}

/** Beside a scan: files that were passed over or could not be read, and fixes nobody verified. */
export interface ReadinessContext {
  readonly skipped: number;
  readonly unreadable: number;
  readonly unverifiedFixes?: number;
}

/** The counts of a scan. */
export function readinessInput(scan: Scan, context: ReadinessContext): ReadinessInput {
  const errors = scan.findings.filter(({ severity }) => severity === "error");
  const certain = errors.filter(({ host }) => host === undefined || host.certainty === "certain");
  return {
    blockers: certain.length,
    likelyBlockers: errors.length - certain.length,
    warnings: scan.findings.filter(({ severity }) => severity === "warning").length,
    unresolved: scan.unresolved.length,
    unverifiedFixes: context.unverifiedFixes ?? 0,
    skipped: context.skipped,
    broken: scan.broken.length,
    unreadable: context.unreadable,
    read: Math.max(0, scan.files - context.unreadable),
  };
}
