import type { Host, Options } from "../cli.js";
import type { AccuracyReport } from "../quantize/accuracy.js";
import type { Calibration } from "../quantize/calibration.js";
import type { RangeMethod, RangeSettings } from "../quantize/ranges.js";
import { observedValues } from "../quantize/static/observed.js";
import type { Weights } from "../quantize/weights.js";
import type { Clip } from "../tensor/quantized.js";
import { roundForOutputs, scaleChannels } from "./compress-accuracy.js";
import { openProbeOf } from "./compress-calibrate.js";
import type { Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { type Choice, chooseByNoise, hasWeights, tuneSchemes } from "./compress-choices.js";
import type { ModelFile } from "./model-files.js";

/** A workshop with all that is decided on samples before the model is made, and what was decided. */
interface Prepared {
  readonly workshop: Workshop;
  readonly calibration: Calibration | undefined;
  readonly choices: readonly Choice[];
  readonly accuracy: AccuracyReport;
}

/** Scales channels, tries schemes, clips and ranges, and rounds weights for their outputs, as far as the options say. */
export async function prepareWorkshop(
  host: Host,
  options: Options,
  source: ModelFile,
  given: Workshop,
  calibrated: Calibration | undefined,
  ranges: RangeSettings,
  check: Check | string,
  weightsOf: (clip: Clip) => Weights,
): Promise<Prepared> {
  const { clip, range } = options as { readonly clip: Clip | "auto"; readonly range: RangeMethod | "auto" };
  const scaled = await scaleChannels(host, options, given, calibrated, ranges, check, weightsOf);
  let { workshop } = scaled;
  const { calibration } = scaled;
  const choices: Choice[] = [...scaled.choices];
  if (typeof check !== "string") {
    if (options["tune"]) {
      const tuned = await tuneSchemes(host, workshop, check);
      workshop = tuned.workshop;
      choices.push(tuned.choice);
    }
    if (!check.synthetic && clip === "auto" && hasWeights(workshop)) {
      const ways = (["mse", "max"] as const).map((way) => ({
        name: way,
        workshop: {
          ...workshop,
          settings: { ...workshop.settings, clip: way },
          weights: weightsOf(way),
          activations: undefined,
        },
      }));
      const found = await chooseByNoise(host, check, "clip", ways);
      workshop = { ...found.workshop, activations: workshop.activations };
      choices.push(found.choice);
    }
    if (workshop.activations && calibration && range === "auto") {
      const { activations } = workshop;
      const { values } = calibration;
      const ways = (["mse", "minmax", "percentile"] as const).map((method) => ({
        name: method,
        workshop: {
          ...workshop,
          activations: { ...activations, observed: observedValues(values, { ...ranges, method }) },
        },
      }));
      const found = await chooseByNoise(host, check, "range", ways);
      workshop = found.workshop;
      choices.push(found.choice);
    }
  }
  const open = openProbeOf(source, workshop.base, workshop.readExternal, workshop.staging);
  const rounded = await roundForOutputs(host, options, workshop, open, check);
  return { workshop, calibration, choices, accuracy: { ...scaled.report, rounded } };
}
