import type { Host } from "../cli.js";
import { evaluateCandidate } from "../evaluate/drop.js";
import { type Gate, searchFloats } from "../quantize/gate.js";
import type { Milder, MilderWay } from "../quantize/plan.js";
import { estimateNoise, rankSites, type Sensitivity } from "../quantize/sensitivity.js";
import { siteKey } from "../quantize/sites.js";
import { type Candidate, makeCandidate, openCandidate, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { noiseMeter } from "./compress-noise.js";
import type { KnownNoises } from "./compress-noises.js";
import { startProgress } from "./progress.js";

/** Schemes in which products are computed with integers. */
const integerKernels: ReadonlySet<string> = new Set(["qdq", "nbits", "dynamic"]);

const why = "by decision of the gate: the usual way costs too much accuracy here";

/** What the gate takes back: by site key a weight that becomes float16, behind this one that is unpacked to floats. */
const kernelPrefix = "unpack ";

/** The ways of what was taken back. */
export function milderFor(keys: readonly string[], mildest: MilderWay["scheme"] = "half"): Milder {
  const ways = new Map<string, MilderWay>();
  for (const key of keys) {
    if (!key.startsWith(kernelPrefix)) ways.set(key, { scheme: mildest, why });
    else if (!ways.has(key.slice(kernelPrefix.length))) {
      ways.set(key.slice(kernelPrefix.length), { scheme: "unpack", why });
    }
  }
  return ways;
}

/**
 * Ranks the planned weights by what each alone does to the outputs on the calibration samples, for the bytes it takes to
 * treat it more mildly, then searches how many
 * of the worst must be taken back for the loss on the held-out samples to keep the limit. Weights become float16; where
 * even that costs too much, a second search leaves them float32, and what is no weight as well.
 */
export async function searchGate(
  host: Host,
  workshop: Workshop,
  check: Check,
  first: Candidate,
  dropOfNone: number,
  maxDrop: number,
  seconds: number,
  known?: KnownNoises,
): Promise<Gate> {
  const ranking = await rank(host, workshop, check, first, seconds, known);
  const progress = startProgress(host, "searching weights to treat more mildly", "trials");
  try {
    const keys = ranking.map(({ key }) => key);
    const most = 1 + Math.ceil(Math.log2(keys.length + 1));
    let trials = 0;
    const search = (shop: Workshop, mildest: "half" | "float", known?: number) =>
      searchFloats(
        keys,
        maxDrop,
        async (floats) => {
          const drop = await dropOf(shop, milderFor(floats, mildest), check);
          progress.update(++trials, most);
          return drop;
        },
        known,
      );
    const rankedWhole = ranking.every(({ how }) => how === "measured");
    const halves = await search(workshop, "half", dropOfNone);
    if (halves.reached) return { ...halves, maxDrop, ranking, rankedWhole, mildest: "half" };
    const floats = await search(withoutHalves(workshop), "float");
    const found = floats.drop < halves.drop ? floats : halves;
    return {
      ...found,
      trials: [...halves.trials, ...floats.trials],
      maxDrop,
      ranking,
      rankedWhole,
      mildest: found === floats ? "float" : "half",
    };
  } finally {
    progress.stop();
  }
}

/** Nothing is stored as float16. */
export function withoutHalves(workshop: Workshop): Workshop {
  return { ...workshop, settings: { ...workshop.settings, halves: false } };
}

/** The loss of a model made so, on the held-out samples. */
export async function dropOf(workshop: Workshop, milder: Milder, check: Check): Promise<number> {
  const candidate = await makeCandidate(workshop, milder, "trial.onnx", null);
  const session = await openCandidate(candidate);
  try {
    const { heldOut, measure, states } = check;
    const { drop } = await evaluateCandidate(check.original.run, session.run, heldOut, measure, undefined, states);
    return drop.value;
  } finally {
    await session.close();
    workshop.staging.remove(candidate.files);
  }
}

/**
 * Weights that products are computed with as integers come before all others: unpacked, they cost speed but no bytes.
 * Each is measured alone, where all others are treated more mildly,
 * unless it is known already.
 */
async function rank(
  host: Host,
  workshop: Workshop,
  check: Check,
  { plan }: Candidate,
  seconds: number,
  known: KnownNoises | undefined,
): Promise<readonly Sensitivity[]> {
  const { channelsOf = () => undefined } = workshop;
  const weights = await estimateNoise(workshop.base, plan, workshop.weights, channelsOf);
  const kernels = new Map(
    plan.tensors.flatMap(({ scheme, graph, name }) => {
      const key = siteKey(graph, name);
      return scheme && integerKernels.has(scheme) ? [[`${kernelPrefix}${key}`, weights.get(key) ?? 0] as const] : [];
    }),
  );
  // float16 instead of 8 bits: a byte more for each element
  const bytesOf = new Map(plan.tensors.map(({ graph, name, elements }) => [siteKey(graph, name), elements]));
  const noiseOf = noiseMeter(check);
  const progress = startProgress(host, "measuring each weight alone", "weights");
  const total = kernels.size + weights.size;
  const end = performance.now() + seconds * 1000;
  let done = 0;
  const found = new Map(known?.noises);
  const measured = (parts: ReadonlyMap<string, number>, always: readonly string[]) =>
    rankSites(
      parts,
      async (key) => {
        const others = [...parts.keys()].filter((other) => other !== key);
        const noise = known?.noises.get(key) ?? (await noiseOf(workshop, milderFor([...always, ...others])));
        found.set(key, noise);
        progress.update(++done, total);
        return noise;
      },
      () => performance.now() < end,
      (key) => bytesOf.get(key) ?? 1,
    );
  try {
    const ranking = [...(await measured(kernels, [])), ...(await measured(weights, [...kernels.keys()]))];
    if (found.size > (known?.noises.size ?? 0)) await known?.keep(found);
    return ranking;
  } finally {
    progress.stop();
  }
}
