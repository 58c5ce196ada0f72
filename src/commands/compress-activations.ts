import type { Host } from "../cli.js";
import type { NoiseLimit } from "../quantize/gate.js";
import { measureNoise } from "../quantize/static/noise.js";
import { planStatic } from "../quantize/static/plan.js";
import type { Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { dropOf } from "./compress-gate.js";
import { fileNoiseMeter } from "./compress-noise.js";
import { startProgress } from "./progress.js";
import { writeModelFile } from "./write-model.js";

/** Limits that are tried, in dB of signal over noise from 8-bit activations: the looser, the faster. */
const ladderDb = [10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40];

/**
 * Searches the loosest limit of noise from 8-bit activations with which the loss on the held-out samples is at most
 * `maxDrop`, and returns the workshop that goes by it; without activations where even the strictest does not do.
 */
export async function searchNoiseLimit(
  host: Host,
  workshop: Workshop,
  check: Check,
  maxDrop: number,
  seconds: number,
): Promise<{ readonly workshop: Workshop; readonly found: NoiseLimit }> {
  const activations = workshop.activations!;
  const { base, readExternal, staging } = workshop;
  const everywhere = planStatic(
    base,
    activations.observed,
    { ...activations.settings, placement: "everywhere" },
    readExternal,
  );
  const progress = startProgress(host, "measuring each activation alone", "values");
  const noiseOf = fileNoiseMeter(check);
  const end = performance.now() + seconds * 1000;
  try {
    const noise = await measureNoise(
      base,
      everywhere,
      async (changed) => {
        const { files } = writeModelFile(staging.pathOf("rounded.onnx"), changed, null, readExternal, {
          label: staging.label,
        });
        try {
          return await noiseOf(staging.pathOf("rounded.onnx"));
        } finally {
          staging.remove(files);
        }
      },
      () => performance.now() < end,
      (done, total) => progress.update(done, total),
    );
    const within = (db: number): Workshop => ({
      ...workshop,
      activations: { ...activations, limit: { most: 10 ** (-db / 10), noise } },
    });
    const trials: { db: number; drop: number }[] = [];
    let [fails, keeps] = [-1, ladderDb.length];
    while (keeps - fails > 1) {
      const middle = Math.floor((fails + keeps) / 2);
      const db = ladderDb[middle]!;
      const drop = await dropOf(within(db), new Map(), check);
      trials.push({ db, drop });
      if (drop <= maxDrop) keeps = middle;
      else fails = middle;
    }
    const db = ladderDb[keeps] ?? null;
    return {
      workshop: db === null ? { ...workshop, activations: undefined } : within(db),
      found: { db, trials, measured: noise.size },
    };
  } finally {
    progress.stop();
  }
}
