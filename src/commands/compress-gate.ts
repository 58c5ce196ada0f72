import type { Host } from "../cli.js";
import type { RunAt } from "../evaluate/agreement.js";
import { evaluateCandidate, type ReadableSamples, rememberOutputs } from "../evaluate/drop.js";
import { type Gate, searchFloats } from "../quantize/gate.js";
import { estimateNoise, rankSites, type Sensitivity } from "../quantize/sensitivity.js";
import { siteKey } from "../quantize/sites.js";
import { type Candidate, type Kept, makeCandidate, openCandidate, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { startProgress } from "./progress.js";

/** Samples on which each weight is measured alone. */
const rankingSamples = 4;

const weightReason = "left by the gate: its quantization costs too much";
const nodeReason = "computes with floats by decision of the gate: 8 bits cost too much here";

/** A node that computes with integers, as one of the things the gate may take back. */
const nodePrefix = "node ";

/** What is kept when the gate takes these back: nodes by `node <first output>`, weights by site key. */
export function keptByGate(keys: readonly string[]): Kept {
  const nodes = keys.filter((key) => key.startsWith(nodePrefix));
  const weights = keys.filter((key) => !key.startsWith(nodePrefix));
  return {
    nodes: new Map(nodes.map((key) => [key.slice(nodePrefix.length), nodeReason])),
    weights: new Map(weights.map((key) => [key, weightReason])),
  };
}

/**
 * Ranks the planned weights by what each alone does to the outputs on the calibration samples, then searches how many
 * of the worst must stay floats for the loss on the held-out samples to keep the limit.
 */
export async function searchGate(
  host: Host,
  workshop: Workshop,
  check: Check,
  first: Candidate,
  dropOfNone: number,
  maxDrop: number,
  seconds: number,
): Promise<Gate> {
  const ranking = await rank(host, workshop, check, first, seconds);
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

/**
 * Nodes that compute with integers come before all weights: taken back, they cost speed but no bytes. Each is measured
 * alone, against a model in which no other node does so; a weight against a model of floats.
 */
async function rank(
  host: Host,
  workshop: Workshop,
  check: Check,
  { plan, activations }: Candidate,
  seconds: number,
): Promise<readonly Sensitivity[]> {
  const { channelsOf = () => undefined } = workshop;
  const weights = await estimateNoise(workshop.base, plan, workshop.weights, channelsOf);
  const nodes = new Map(
    [...(activations?.nodes ?? [])].flatMap(([output, { runs }]) =>
      runs === "int8" ? [[`${nodePrefix}${output}`, weightNoise(output)] as const] : [],
    ),
  );
  const { count, read } = check.calibration;
  const samples = { count: Math.min(count, rankingSamples), read };
  const original = rememberOutputs(check.original.runAgain, 64e6);
  const progress = startProgress(host, "measuring each alone", "parts");
  const total = weights.size + nodes.size;
  const end = performance.now() + seconds * 1000;
  let done = 0;
  const measured = (parts: ReadonlyMap<string, number>, integers: boolean) =>
    rankSites(
      parts,
      async (key) => {
        const others = [...parts.keys()].filter((other) => other !== key);
        const shop = integers ? workshop : { ...workshop, activations: undefined };
        const noise = await noiseOf(shop, keptByGate(others), original, samples);
        progress.update(++done, total);
        return noise;
      },
      () => performance.now() < end,
    );
  try {
    return [...(await measured(nodes, true)), ...(await measured(weights, false))];
  } finally {
    progress.stop();
  }

  /** Without a better estimate, a node suffers like the weight it reads. */
  function weightNoise(output: string): number {
    const node = workshop.base.graph!.node.find((candidate) => candidate.output[0] === output);
    return Math.max(0, ...(node?.input ?? []).map((name) => weights.get(siteKey("main", name)) ?? 0));
  }
}

async function noiseOf(workshop: Workshop, kept: Kept, original: RunAt, samples: ReadableSamples): Promise<number> {
  const candidate = await makeCandidate(workshop, kept, "alone.onnx", null);
  const session = await openCandidate(candidate);
  try {
    const { agreement } = await evaluateCandidate(original, session.run, samples, undefined);
    return 10 ** (-agreement.total.sqnrDb / 10);
  } finally {
    await session.close();
    workshop.staging.remove(candidate.files);
  }
}
