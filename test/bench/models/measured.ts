import type { Round } from "../../../src/bench/models/measure.js";
import type { BenchResult } from "../../../src/bench/models/result.js";
import type { MeasuredModel } from "../../../src/bench/models/summarise.js";
import type { Agreement, OutputAgreement } from "../../../src/evaluate/agreement.js";
import { someEnvironment } from "../environment.js";

/** Times of six rounds, in seconds a run. */
export const times: readonly number[] = [0.01, 0.0102, 0.0099, 0.0105, 0.0101, 0.0101];

/** A round in which every run took that many seconds. */
export function round(seconds: number): Round {
  const distribution = { median: seconds, min: seconds, max: seconds, p90: seconds, outliers: 0 };
  return {
    loadSeconds: 0.1,
    firstRunSeconds: seconds * 2,
    warmUpRuns: 10,
    samples: 200,
    runsPerSample: 1,
    wall: distribution,
    cpu: distribution,
    baseBytes: 40e6,
    loadedBytes: 60e6,
    peakBytes: 80e6,
    raw: null,
  };
}

export const identical: OutputAgreement = {
  name: "y",
  elements: 100,
  identical: true,
  sqnrDb: Number.POSITIVE_INFINITY,
  cosine: 1,
  maxAbsError: 0,
  nonFinite: { reference: 0, candidate: 0 },
};

export function agreement(output: OutputAgreement): Agreement {
  return { samples: 4, outputs: [output], total: output };
}

export function measured(
  label: string,
  role: MeasuredModel["role"],
  change: Partial<MeasuredModel> = {},
): MeasuredModel {
  return {
    label,
    path: label,
    role,
    bytes: 1000,
    sha256: "00",
    rounds: times.map(round),
    agreement: role === "baseline" ? undefined : agreement(identical),
    ...change,
  };
}

export function context(
  settings: Partial<BenchResult["settings"]> = {},
  environment: Partial<BenchResult["environment"]> = {},
): Pick<BenchResult, "environment" | "settings" | "samples"> {
  return {
    environment: { ...someEnvironment, ...environment },
    settings: {
      rounds: 6,
      seconds: 1,
      warmUpSeconds: 0.25,
      threads: 1,
      tolerance: 0.05,
      metric: "cpu",
      seed: 1,
      session: {},
      control: false,
      gates: [],
      ...settings,
    },
    samples: { count: 4, timed: 1, source: "synthetic, seed 1", synthetic: true, shapes: { x: ["1x3"] }, notes: [] },
  };
}
