import { openSession, type Session } from "../engine/session.js";
import { evaluateCandidate, rememberOutputs } from "../evaluate/drop.js";
import type { Milder } from "../quantize/plan.js";
import { makeCandidate, openCandidate, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";

/** Calibration samples on which noise is measured, where it is measured for every weight. */
export const fewSamples = 4;

/** The same for a choice that is made once: so many where samples are small. */
const manySamples = 16;

/** Elements of all those samples' inputs together, so that large images do not take minutes. */
const manyElements = 4e6;

/** How many samples a choice between ways goes by: the same ones for each way, and the same on every machine. */
export function samplesForChoice(check: Pick<Check, "calibration" | "first">): number {
  let elements = 0;
  for (const { data } of check.first.values()) elements += data.length;
  const fitting = Math.floor(manyElements / Math.max(1, elements));
  return Math.min(check.calibration.count, Math.max(fewSamples, Math.min(manySamples, fitting)));
}

/** Outputs of the original that are remembered, in bytes. */
const maxRemembered = 64e6;

/** Noise power over signal power of the outputs of a model made so, on a few calibration samples. */
export function noiseMeter(check: Check, count = fewSamples): (workshop: Workshop, milder: Milder) => Promise<number> {
  const ofSession = sessionNoise(check, count);
  return async (workshop, milder) => {
    const candidate = await makeCandidate(workshop, milder, "alone.onnx", null);
    try {
      return await ofSession(await openCandidate(candidate));
    } finally {
      workshop.staging.remove(candidate.files);
    }
  };
}

/** The same of the model in a file. */
export function fileNoiseMeter(check: Check): (path: string) => Promise<number> {
  const ofSession = sessionNoise(check, fewSamples);
  return async (path) => ofSession(await openSession(path));
}

function sessionNoise(check: Check, most: number): (session: Session) => Promise<number> {
  const { calibration } = check;
  const samples = { count: Math.min(calibration.count, most), read: calibration.read };
  const original = rememberOutputs(check.original.runAgain, maxRemembered);
  return async (session) => {
    try {
      const { agreement } = await evaluateCandidate(original, session.run, samples, undefined);
      const noise = 10 ** (-agreement.total.sqnrDb / 10);
      return Number.isNaN(noise) ? Number.POSITIVE_INFINITY : noise;
    } finally {
      await session.close();
    }
  };
}
