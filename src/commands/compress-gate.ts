import type { Host } from "../cli.js";
import type { RunAt } from "../evaluate/agreement.js";
import { evaluateCandidate, type ReadableSamples, rememberOutputs } from "../evaluate/drop.js";
import { type Gate, searchFloats } from "../quantize/gate.js";
import type { MilderWay } from "../quantize/plan.js";
import { estimateNoise, rankSites, type Sensitivity } from "../quantize/sensitivity.js";
import { siteKey } from "../quantize/sites.js";
import { type Candidate, type Care, makeCandidate, openCandidate, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { startProgress } from "./progress.js";

/** Schemes in which products are computed with integers. */
const integerKernels: ReadonlySet<string> = new Set(["qdq", "nbits", "dynamic"]);

/** Samples on which each weight is measured alone. */
const rankingSamples = 4;

const why = "by decision of the gate: the usual way costs too much accuracy here";

/** What the gate may take back, from what costs no bytes on; weights that are to be float16 go by site key alone. */
const nodePrefix = "floats in ";
const kernelPrefix = "unpack ";

/** The care these asks for: nodes that compute with floats, weights that are unpacked, weights that are float16. */
export function careFor(keys: readonly string[]): Care {
  const nodes = new Map<string, string>();
  const weights = new Map<string, MilderWay>();
  for (const key of keys) {
    if (key.startsWith(nodePrefix)) nodes.set(key.slice(nodePrefix.length), why);
    else if (!key.startsWith(kernelPrefix)) weights.set(key, { scheme: "half", why });
    else if (!weights.has(key.slice(kernelPrefix.length))) {
      weights.set(key.slice(kernelPrefix.length), { scheme: "unpack", why });
    }
  }
  return { nodes, weights };
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
        const candidate = await makeCandidate(workshop, careFor(floats), "trial.onnx", null);
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
 * What computes with integers comes before all weights: taken back, it costs speed but no bytes. Each is measured alone:
 * a node where no other computes with integers, a weight where all others are float16.
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
  const kernels = new Map(
    plan.tensors.flatMap(({ scheme, graph, name }) => {
      const key = siteKey(graph, name);
      return scheme && integerKernels.has(scheme) ? [[`${kernelPrefix}${key}`, weights.get(key) ?? 0] as const] : [];
    }),
  );
  const nodes = new Map(
    [...(activations?.nodes ?? [])].flatMap(([output, { runs }]) =>
      runs === "int8" ? [[`${nodePrefix}${output}`, weightNoise(output)] as const] : [],
    ),
  );
  const { count, read } = check.calibration;
  const samples = { count: Math.min(count, rankingSamples), read };
  const original = rememberOutputs(check.original.runAgain, 64e6);
  const progress = startProgress(host, "measuring each alone", "parts");
  const total = nodes.size + kernels.size + weights.size;
  const end = performance.now() + seconds * 1000;
  let done = 0;
  const measured = (parts: ReadonlyMap<string, number>, shop: Workshop, always: readonly string[]) =>
    rankSites(
      parts,
      async (key) => {
        const others = [...parts.keys()].filter((other) => other !== key);
        const noise = await noiseOf(shop, careFor([...always, ...others]), original, samples);
        progress.update(++done, total);
        return noise;
      },
      () => performance.now() < end,
    );
  const floats = { ...workshop, activations: undefined };
  try {
    return [
      ...(await measured(nodes, workshop, [])),
      ...(await measured(kernels, floats, [])),
      ...(await measured(weights, floats, [...kernels.keys()])),
    ];
  } finally {
    progress.stop();
  }

  /** Without a better estimate, a node suffers like the weight it reads. */
  function weightNoise(output: string): number {
    const node = workshop.base.graph!.node.find((candidate) => candidate.output[0] === output);
    return Math.max(0, ...(node?.input ?? []).map((name) => weights.get(siteKey("main", name)) ?? 0));
  }
}

async function noiseOf(workshop: Workshop, care: Care, original: RunAt, samples: ReadableSamples): Promise<number> {
  const candidate = await makeCandidate(workshop, care, "alone.onnx", null);
  const session = await openCandidate(candidate);
  try {
    const { agreement } = await evaluateCandidate(original, session.run, samples, undefined);
    return 10 ** (-agreement.total.sqnrDb / 10);
  } finally {
    await session.close();
    workshop.staging.remove(candidate.files);
  }
}
