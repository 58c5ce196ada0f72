import type { Host } from "../cli.js";
import { evaluateCandidate } from "../evaluate/drop.js";
import { type Gate, searchFloats } from "../quantize/gate.js";
import type { KeptFloat, QuantizationPlan } from "../quantize/plan.js";
import { estimateNoise, rankSites, type Sensitivity } from "../quantize/sensitivity.js";
import { siteKey } from "../quantize/sites.js";
import { type Candidate, makeCandidate, openCandidate, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { startProgress } from "./progress.js";

/** Samples on which each weight is measured alone. */
const rankingSamples = 4;

const keptReason = "left by the gate: its quantization costs too much";

/** Names weights that stay floats by decision of the gate. */
export function keptByGate(keys: readonly string[]): KeptFloat {
  return new Map(keys.map((key) => [key, keptReason]));
}

/**
 * Ranks the planned weights by what each alone does to the outputs on the calibration samples, then searches how many
 * of the worst must stay floats for the loss on the held-out samples to keep the limit.
 */
export async function searchGate(
  host: Host,
  workshop: Workshop,
  check: Check,
  plan: QuantizationPlan,
  dropOfNone: number,
  maxDrop: number,
  seconds: number,
): Promise<Gate> {
  const ranking = await rank(host, workshop, check, plan, seconds);
  const progress = startProgress(host, "searching weights that must stay floats", "trials");
  try {
    const keys = ranking.map(({ key }) => key);
    const most = 1 + Math.ceil(Math.log2(keys.length + 1));
    let trials = 0;
    const outcome = await searchFloats(
      keys,
      maxDrop,
      async (floats) => {
        const candidate = await makeCandidate(workshop, keptByGate(floats), "trial.onnx", null);
        const drop = await dropOf(candidate, check);
        workshop.staging.remove(candidate.files);
        progress.update(++trials, most);
        return drop;
      },
      dropOfNone,
    );
    return { ...outcome, maxDrop, ranking, rankedWhole: ranking.every(({ how }) => how === "measured") };
  } finally {
    progress.stop();
  }
}

async function dropOf(candidate: Candidate, check: Check): Promise<number> {
  const session = await openCandidate(candidate);
  try {
    const { drop } = await evaluateCandidate(check.original.run, session.run, check.heldOut, check.measure);
    return drop.value;
  } finally {
    await session.close();
  }
}

async function rank(
  host: Host,
  workshop: Workshop,
  check: Check,
  plan: QuantizationPlan,
  seconds: number,
): Promise<readonly Sensitivity[]> {
  const estimates = await estimateNoise(
    workshop.base,
    plan,
    workshop.weights,
    workshop.channelsOf ?? (() => undefined),
  );
  const all = plan.tensors.flatMap(({ action, graph, name }) => (action === "quantize" ? [siteKey(graph, name)] : []));
  const { count, read } = check.calibration;
  const samples = { count: Math.min(count, rankingSamples), read };
  const { rememberOutputs } = await import("../evaluate/drop.js");
  const original = rememberOutputs(check.original.runAgain, 64e6);
  const progress = startProgress(host, "measuring each weight alone", "weights");
  const end = performance.now() + seconds * 1000;
  try {
    return await rankSites(
      estimates,
      async (key) => {
        const others = keptByGate(all.filter((other) => other !== key));
        const candidate = await makeCandidate(workshop, others, "alone.onnx", null);
        const session = await openCandidate(candidate);
        try {
          const { agreement } = await evaluateCandidate(original, session.run, samples, undefined);
          return 10 ** (-agreement.total.sqnrDb / 10);
        } finally {
          await session.close();
          workshop.staging.remove(candidate.files);
        }
      },
      () => performance.now() < end,
      (done, total) => progress.update(done, total),
    );
  } finally {
    progress.stop();
  }
}
