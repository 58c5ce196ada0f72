import type { Host } from "../cli.js";
import { openSession } from "../engine/session.js";
import { compareOutputs, type Run } from "../evaluate/agreement.js";
import { evaluateCandidate } from "../evaluate/drop.js";
import type { Verification } from "../render/compress-result.js";
import { type Candidate, openCandidate, useByRuntime } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { compareSpeed } from "./compress-speed.js";
import { readModelFile } from "./model-files.js";
import { startProgress } from "./progress.js";

/** Holds the finished file against the original, counts what the runtime made of it, and compares speeds. */
export async function verify(
  host: Host,
  optimizedPath: string,
  candidate: Candidate,
  check: Check,
  speedSeconds: number,
): Promise<Extract<Verification, { checked: true }>> {
  const progress = startProgress(host, "checking", "samples");
  const session = await openCandidate(candidate, optimizedPath);
  try {
    const { count } = check.heldOut;
    const { agreement, drop } = await evaluateCandidate(
      check.original.run,
      session.run,
      check.heldOut,
      check.measure,
      (done) => progress.update(done, count),
      check.states,
    );
    const unoptimized = await unoptimizedNoise(candidate, session.run, check);
    const use = await useByRuntime((path) => readModelFile(host, path), candidate, optimizedPath);
    const speed =
      speedSeconds > 0 ? await compareSpeed(check.original.runAgain, session.run, check.first, speedSeconds) : null;
    return {
      checked: true,
      source: check.heldOut.source,
      split: check.note,
      notes: check.heldOut.notes,
      synthetic: check.synthetic,
      agreement,
      drop,
      runtime: use?.weights ?? null,
      fused: use?.nodes ?? [],
      unoptimizedDb: unoptimized,
      speed,
    };
  } finally {
    progress.stop();
    await session.close();
  }
}

/** Schemes whose kernels come out of fusions, which could compute something else than the file says. */
const fusedSchemes: ReadonlySet<string> = new Set(["qdq", "nbits", "dynamic", "static"]);

/**
 * Signal over noise, in dB, between the file as the runtime optimizes it and as it stands, on a held-out sample; null
 * where no integer kernel comes out of fusions.
 */
async function unoptimizedNoise(candidate: Candidate, optimized: Run, check: Check): Promise<number | null> {
  if (!candidate.tensors.some(({ scheme }) => scheme && fusedSchemes.has(scheme))) return null;
  const plain = await openSession(candidate.path, { graphOptimization: "disabled" });
  try {
    const { total } = await compareOutputs(plain.run, optimized, { count: 1, read: check.heldOut.read });
    return total.sqnrDb;
  } finally {
    await plain.close();
  }
}
