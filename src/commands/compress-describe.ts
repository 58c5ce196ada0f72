import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { Host } from "../cli.js";
import { runtimeVersion } from "../engine/session.js";
import type { Calibration } from "../quantize/calibration.js";
import { edge, type Histogram } from "../quantize/histogram.js";
import type { StaticPlan } from "../quantize/static/plan.js";
import { reach } from "../quantize/static/scale.js";
import { decisionsOf, decisionWords, float32Bytes } from "../render/compress-decisions.js";
import type { ActivationRange, CompressResult, OutputFile, UnwarnedResult } from "../render/compress-result.js";
import type { Candidate } from "./compress-candidates.js";
import type { Hasher } from "./file-hash.js";
import type { Staging } from "./files.js";

/** What a run of `deepseek compress` came to, before it is described. */
export interface Run
  extends Pick<
    CompressResult,
    | "model"
    | "opset"
    | "normalised"
    | "settings"
    | "seed"
    | "correctedOn"
    | "verification"
    | "choices"
    | "accuracy"
    | "noiseLimit"
    | "gate"
  > {
  /** Path of the output, as the user gave it. */
  readonly output: string;
  /** In the staging folder still. */
  readonly candidate: Candidate;
  readonly calibration: Calibration | undefined;
  /** How ranges of activations follow from the calibration; null where none are quantized beforehand. */
  readonly ranges: string | null;
}

/** The result as it is reported. */
export async function describeRun(
  host: Host,
  staging: Staging,
  hasher: Hasher | undefined,
  run: Run,
): Promise<UnwarnedResult> {
  const { model, opset, normalised, settings, seed, verification, choices, accuracy, noiseLimit, gate } = run;
  const { candidate, calibration, ranges } = run;
  const { bytes, tensors, activations } = candidate;
  const full = float32Bytes(model.bytes, tensors);
  return {
    schema: "deepseek/compress@2",
    versions: { "deepseek-compat": host.version, onnxruntime: await runtimeVersion(), node: process.versions.node },
    model,
    opset,
    normalised,
    output: {
      path: run.output,
      bytes,
      ratio: bytes / model.bytes,
      float32Bytes: full,
      float32Ratio: bytes / full,
      files: await Promise.all(candidate.files.map((name) => describeFile(name, staging.pathOf(name), hasher))),
    },
    settings,
    seed,
    decisions: decisionsOf(tensors).map(decisionWords),
    tensors,
    correctedBiases: candidate.corrected.length,
    correctedOn: run.correctedOn,
    namesShortened: candidate.namesShortened,
    verification,
    calibration: calibration && {
      source: calibration.source,
      samples: calibration.samples,
      values: calibration.values.size,
      ranges,
      widest: widestOf(calibration, activations),
    },
    nodes: [...(activations?.nodes.values() ?? [])].map(({ name, opType, output, runs, reason }) => ({
      name,
      opType,
      output,
      runs,
      reason,
    })),
    accuracy,
    choices,
    noiseLimit,
    gate,
  };
}

/** How much of a file is in memory at once. */
const chunkBytes = 1 << 22;

/** Size and hash of a file; by a hasher that has seen it in its last state, where there is one. */
export async function describeFile(name: string, path: string, hasher: Hasher | undefined): Promise<OutputFile> {
  if (hasher) {
    const { state, sha256 } = await hasher.hashOf(path, name);
    const { ino, size, mtimeMs } = statSync(path);
    if (state === `${ino} ${size} ${mtimeMs}`) return { name, bytes: size, sha256 };
  }
  const hash = createHash("sha256");
  const chunk = new Uint8Array(chunkBytes);
  const file = openSync(path, "r");
  let bytes = 0;
  try {
    for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) {
      hash.update(chunk.subarray(0, read));
      bytes += read;
    }
  } finally {
    closeSync(file);
  }
  return { name, bytes, sha256: hash.digest("hex") };
}

/** Activations that a report shows, and bins of each. */
const widestShown = 24;
const binsShown = 64;

function widestOf({ values }: Calibration, plan: StaticPlan | undefined): readonly ActivationRange[] {
  return [...values]
    .filter(([, { min, max }]) => max > min)
    .sort(([, a], [, b]) => b.max - b.min - (a.max - a.min))
    .slice(0, widestShown)
    .map(([name, statistics]) => {
      const { min, max, zeros, histogram } = statistics;
      const scale = plan?.values.get(name);
      return {
        name,
        min,
        max,
        zeros,
        histogram: coarse(histogram),
        range: scale ? reach(scale) : null,
      };
    });
}

/** A histogram of few bins, each of which merges as many whole ones. */
function coarse(histogram: Histogram): ActivationRange["histogram"] {
  const { counts } = histogram;
  const merged = Math.max(1, Math.ceil(counts.length / binsShown));
  const bins = Math.ceil(counts.length / merged);
  const sums = Array.from({ length: bins }, () => 0);
  for (let at = 0; at < counts.length; at++) sums[Math.floor(at / merged)]! += counts[at]!;
  return { low: edge(histogram, 0), high: edge(histogram, bins * merged), counts: sums };
}
