import type { Host, Options } from "../cli.js";
import { cloneModel } from "../graph/clone.js";
import type { AccuracyReport } from "../quantize/accuracy.js";
import type { OpenProbe } from "../quantize/calibrate.js";
import type { Calibration } from "../quantize/calibration.js";
import { equalise } from "../quantize/equalise.js";
import { planQuantization } from "../quantize/plan.js";
import type { RangeSettings } from "../quantize/ranges.js";
import { type RoundedSite, roundWorst } from "../quantize/round-worst.js";
import { estimateNoise } from "../quantize/sensitivity.js";
import { smooth } from "../quantize/smooth.js";
import { observedValues } from "../quantize/static/observed.js";
import type { Weights } from "../quantize/weights.js";
import type { Clip } from "../tensor/quantized.js";
import type { Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { type Choice, chooseByNoise } from "./compress-choices.js";
import { planActivations } from "./compress-static.js";
import { startProgress } from "./progress.js";

/** A workshop whose model's channels were scaled, and its calibration. */
interface Scaled {
  readonly workshop: Workshop;
  readonly calibration: Calibration | undefined;
  readonly report: Pick<AccuracyReport, "smoothings" | "equalised">;
  readonly choices: readonly Choice[];
}

/**
 * Equalises and smooths the model's floats as the options say; what it computes stays the same. Whether smoothing by
 * itself is kept decides the noise it leaves on the calibration samples.
 */
export async function scaleChannels(
  host: Host,
  options: Options,
  given: Workshop,
  calibrated: Calibration | undefined,
  ranges: RangeSettings,
  check: Check | string,
  weightsOf: (clip: Clip) => Weights,
): Promise<Scaled> {
  let [workshop, calibration] = [given, calibrated];
  const choices: Choice[] = [];
  const adopt = (base: Workshop["base"], values: Calibration["values"]) => {
    calibration = calibration && { ...calibration, values };
    workshop = {
      ...workshop,
      base,
      // those of the floats before may be remembered
      weights: weightsOf(workshop.settings.clip),
      channelsOf: workshop.channelsOf && ((value) => values.get(value)?.channels ?? undefined),
      activations: workshop.activations && { ...workshop.activations, observed: observedValues(values, ranges) },
    };
  };
  let equalised: AccuracyReport["equalised"] = [];
  if (options["equalise"]) {
    const base = cloneModel(workshop.base);
    const done = equalise(base, calibration?.values ?? new Map(), workshop.readExternal);
    equalised = done.pairs;
    adopt(base, done.statistics);
  }
  let smoothings: AccuracyReport["smoothings"] = [];
  // made-up samples tell nothing of outliers
  const real = typeof check !== "string" && !check.synthetic;
  if (calibration && (options["smooth"] === "on" || (options["smooth"] === "auto" && real))) {
    const [before, earlier] = [workshop, calibration];
    const base = cloneModel(workshop.base);
    const { tensors } = planOf(workshop);
    const done = smooth(base, tensors, calibration.values, workshop.readExternal);
    if (done.smoothings.length > 0) {
      adopt(base, done.statistics);
      smoothings = done.smoothings;
      if (options["smooth"] === "auto" && typeof check !== "string") {
        const ways = [
          { name: "off", workshop: before },
          { name: "on", workshop },
        ] as const;
        const { choice } = await chooseByNoise(host, check, "smoothing", ways);
        choices.push(choice);
        if (choice.chosen === "off") [workshop, calibration, smoothings] = [before, earlier, []];
      }
    }
  }
  return { workshop, calibration, report: { smoothings, equalised }, choices };
}

/** Rounds the --adaround worst weights for their outputs' sake, in the workshop's `weights`. */
export async function roundForOutputs(
  host: Host,
  options: Options,
  workshop: Workshop,
  open: OpenProbe,
  check: Check | string,
): Promise<readonly RoundedSite[]> {
  const count = options["adaround"] as number;
  if (count === 0 || typeof check === "string") return [];
  const { base, weights, channelsOf = () => undefined } = workshop;
  const plan = planOf(workshop);
  const end = performance.now() + (options["searchSeconds"] as number) * 1000;
  const progress = startProgress(host, "rounding for the outputs", "weights");
  try {
    const noise = await estimateNoise(base, plan, weights, channelsOf);
    return await roundWorst(base, plan, weights, noise, open, check.calibration, {
      count,
      hasTime: () => performance.now() < end,
      onStep: (done, total) => progress.update(done, total),
    });
  } finally {
    progress.stop();
  }
}

/** The plan by rule alone, static quantization included. */
function planOf({ base, settings, activations, readExternal }: Workshop) {
  const staticPlan = activations && planActivations(base, activations, readExternal);
  return planQuantization(base, settings, new Map(), staticPlan?.weights);
}
