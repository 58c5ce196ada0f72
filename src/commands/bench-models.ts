import { basename } from "node:path";
import { checkSignatures } from "../bench/models/signature.js";
import type { MeasuredModel } from "../bench/models/summarise.js";
import type { Host } from "../cli.js";
import type { SampleSet } from "../data/batch.js";
import { openSession, type SessionSettings } from "../engine/session.js";
import { compareOutputs } from "../evaluate/agreement.js";
import { absolute } from "./files.js";
import { readModelFile } from "./model-files.js";
import { startProgress } from "./progress.js";
import { readSamples, type SampleSettings } from "./samples.js";

/** A model that can be measured: read, loaded once, its outputs compared with the baseline's. */
export interface OpenedModel extends Omit<MeasuredModel, "rounds"> {
  readonly absolutePath: string;
}

/**
 * Reads the models (the first is the baseline) and the samples, and compares what they compute, before anything is
 * timed. With `control` the baseline is there a second time.
 */
export async function openModels(
  host: Host,
  paths: readonly string[],
  control: boolean,
  settings: SessionSettings,
  data: { readonly path: string | undefined; readonly settings: SampleSettings },
): Promise<{ readonly models: readonly OpenedModel[]; readonly samples: SampleSet }> {
  const all = control ? [...paths, paths[0]!] : paths;
  const found: { readonly bytes: number; readonly sha256: string }[] = [];
  for (const path of all) {
    const { bytes, sha256 } = readModelFile(host, path);
    found.push({ bytes, sha256: await sha256() });
  }
  const files = all.map((path, at): OpenedModel => {
    const { bytes, sha256 } = found[at]!;
    const role = at === 0 ? "baseline" : control && at === all.length - 1 ? "control" : "candidate";
    const label = labelOf(all, at);
    return { label, path, role, bytes, sha256, absolutePath: absolute(host, path), agreement: undefined };
  });
  const baseline = await openSession(files[0]!.absolutePath, settings);
  const progress = startProgress(host, "comparing outputs", "samples");
  try {
    const samples = await readSamples(host, data.path, baseline.inputs, data.settings);
    const models = [files[0]!];
    for (const file of files.slice(1)) {
      const candidate = await openSession(file.absolutePath, settings);
      try {
        checkSignatures(
          { path: paths[0]!, inputs: baseline.inputs, outputs: baseline.outputs },
          { path: file.path, inputs: candidate.inputs, outputs: candidate.outputs },
        );
        const agreement = await compareOutputs(baseline.run, candidate.run, samples, (done) =>
          progress.update(done, samples.count),
        );
        models.push({ ...file, agreement });
      } finally {
        await candidate.close();
      }
    }
    return { models, samples };
  } finally {
    progress.stop();
    await baseline.close();
  }
}

/** The file's name, or the path where two files share their name; with a number from the second time it is there. */
function labelOf(paths: readonly string[], at: number): string {
  const path = paths[at]!;
  const shared = paths.some((other) => other !== path && basename(other) === basename(path));
  const label = shared ? path : basename(path);
  const earlier = paths.slice(0, at).filter((other) => other === path).length;
  return earlier === 0 ? label : `${label} #${earlier + 1}`;
}
