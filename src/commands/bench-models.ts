import { basename } from "node:path";
import type { ModelPoint } from "../bench/models/points.js";
import { checkSignatures } from "../bench/models/signature.js";
import type { MeasuredModel } from "../bench/models/summarise.js";
import type { Host } from "../cli.js";
import type { DeclaredInput, SampleSet } from "../data/batch.js";
import { withSizes } from "../data/feeds.js";
import { openSession, type SessionSettings } from "../engine/session.js";
import { evaluateCandidate, rememberOutputs } from "../evaluate/drop.js";
import { topOneAccuracy } from "../evaluate/metric.js";
import { absolute } from "./files.js";
import { readMetric } from "./metric-file.js";
import { readModelFile } from "./model-files.js";
import { startProgress } from "./progress.js";
import { readLabels, readSamples, type SampleSettings } from "./samples.js";

/** A model that can be measured: read, loaded once, its outputs compared with the baseline's. */
export interface OpenedModel extends Omit<MeasuredModel, "rounds"> {
  readonly absolutePath: string;
}

/** Outputs of the baseline that are kept for the next candidate, in bytes. */
const maxRemembered = 256e6;

/** What the models are fed to compare them, and how they are judged. */
interface Data {
  readonly path: string | undefined;
  readonly settings: SampleSettings;
  /** A file of labels. */
  readonly labels: string | undefined;
  /** A module with a metric. */
  readonly score: string | undefined;
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
  point: ModelPoint,
  data: Data,
): Promise<{
  readonly models: readonly OpenedModel[];
  readonly samples: SampleSet;
  readonly inputs: readonly DeclaredInput[];
}> {
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
    const inputs = withSizes(baseline.inputs, new Map(Object.entries(point.sizes)));
    const samples = await readSamples(host, data.path, inputs, data.settings, baseline.outputs);
    const labels = data.labels === undefined ? undefined : await readLabels(host, data.labels, samples);
    const metric = (await readMetric(host, "--score", data.score)) ?? (labels && topOneAccuracy);
    const measure = metric && { metric, labels: Array.from({ length: samples.count }, (_, at) => labels?.[at]) };
    const reference = rememberOutputs(baseline.run, maxRemembered);
    const models = [files[0]!];
    for (const file of files.slice(1)) {
      const candidate = await openSession(file.absolutePath, settings);
      try {
        checkSignatures(
          { path: paths[0]!, inputs: baseline.inputs, outputs: baseline.outputs },
          { path: file.path, inputs: candidate.inputs, outputs: candidate.outputs },
        );
        const evaluation = await evaluateCandidate(reference, candidate.run, samples, measure, (done) =>
          progress.update(done, samples.count),
        );
        models.push({ ...file, ...evaluation });
      } finally {
        await candidate.close();
      }
    }
    return { models, samples, inputs: baseline.inputs };
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
