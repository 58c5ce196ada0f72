import type { Host } from "../cli.js";
import { planQuantization } from "../quantize/plan.js";
import type { RangeMethod } from "../quantize/ranges.js";
import { alternatives, tuned } from "../quantize/tune.js";
import type { Clip } from "../tensor/quantized.js";
import { makeCandidate, openCandidate, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { noiseMeter, samplesForChoice } from "./compress-noise.js";
import { compareSpeed } from "./compress-speed.js";
import { startProgress } from "./progress.js";

/** What was decided by measuring, and what the measures were. */
export interface Choice {
  readonly what: "clip" | "range" | "schemes" | "smoothing";
  readonly chosen: string;
  /** Noise power over signal power of the outputs (clip, range, smoothing), or CPU time over the original's (schemes). */
  readonly measured: readonly { readonly name: string; readonly value: number }[];
}

/** Takes the option whose model brings the least noise into the outputs on the calibration samples. */
export async function chooseByNoise<Name extends Clip | RangeMethod | "on" | "off">(
  host: Host,
  check: Check,
  what: "clip" | "range" | "smoothing",
  options: readonly { readonly name: Name; readonly workshop: Workshop }[],
): Promise<{ readonly workshop: Workshop; readonly choice: Choice }> {
  const noiseOf = noiseMeter(check, samplesForChoice(check));
  const progress = startProgress(host, `choosing the ${what}`, "ways");
  try {
    const measured: { name: Name; value: number; workshop: Workshop }[] = [];
    for (const { name, workshop } of options) {
      measured.push({ name, workshop, value: await noiseOf(workshop, new Map()) });
      progress.update(measured.length, options.length);
    }
    const best = measured.reduce((least, other) => (other.value < least.value ? other : least));
    return {
      workshop: best.workshop,
      choice: { what, chosen: best.name, measured: measured.map(({ name, value }) => ({ name, value })) },
    };
  } finally {
    progress.stop();
  }
}

/** Seconds for the comparison of one set of schemes. */
const tuneSeconds = 2;

/** Measures other schemes than the rules choose, one class of operators at a time, and takes the fastest. */
export async function tuneSchemes(
  host: Host,
  workshop: Workshop,
  check: Check,
): Promise<{ readonly workshop: Workshop; readonly choice: Choice }> {
  const { base, settings } = workshop;
  const others = alternatives(base, settings);
  const progress = startProgress(host, "measuring other schemes", "plans");
  const ratioOf = async (tried: Workshop): Promise<number> => {
    const candidate = await makeCandidate(tried, new Map(), "tried.onnx", null);
    const session = await openCandidate(candidate);
    try {
      const { ratio } = await compareSpeed(check.original.runAgain, session.run, check.first, tuneSeconds);
      return ratio ?? Number.POSITIVE_INFINITY;
    } finally {
      await session.close();
      workshop.staging.remove(candidate.files);
    }
  };
  try {
    const byRule = await ratioOf(workshop);
    const measured = [];
    for (const alternative of others) {
      measured.push({ alternative, ms: await ratioOf({ ...workshop, settings: alternative.settings }) });
      progress.update(measured.length, others.length);
    }
    const chosen = tuned(settings, byRule, measured);
    const names = Object.entries(chosen.classes ?? {}).map(([kind, scheme]) => `${kind}: ${scheme}`);
    return {
      workshop: { ...workshop, settings: chosen },
      choice: {
        what: "schemes",
        chosen: names.join(", ") || "by rule",
        measured: [
          { name: "by rule", value: byRule },
          ...measured.map(({ alternative: { kind, scheme }, ms }) => ({ name: `${kind}: ${scheme}`, value: ms })),
        ],
      },
    };
  } finally {
    progress.stop();
  }
}

/** Whether a plan has any weight for which ways of clipping differ. */
export function hasWeights({ base, settings }: Workshop): boolean {
  return planQuantization(base, settings).tensors.some(({ form }) => form !== null);
}
