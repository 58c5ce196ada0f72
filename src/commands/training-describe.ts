import { basename, join } from "node:path";
import type { Host, Options } from "../cli.js";
import { runtimeVersion } from "../engine/session.js";
import { graphsOf, type ModelProto, tensorInfo } from "../formats/onnx.js";
import { globOf } from "../quantize/choose.js";
import type { SourceFile, TrainedWeights } from "../render/training-result.js";
import type { TrainableModel } from "../train/prepare.js";
import { describeFile } from "./compress-describe.js";
import type { ModelFile } from "./model-files.js";
import type { Job, Link } from "./training-job.js";

export function versionsOf(host: Host) {
  return { "deepseek-compat": host.version, onnxruntime: runtimeVersion(), node: process.versions.node };
}

/** What reports say of a file that a run started from. */
export async function fileOf(source: ModelFile): Promise<SourceFile> {
  return { path: source.path, bytes: source.bytes, sha256: await source.sha256() };
}

/** Elements of all stored floats, nested graphs included. */
export function floatElements(model: ModelProto): number {
  let sum = 0;
  for (const graph of graphsOf(model.graph!)) {
    for (const tensor of graph.initializer) {
      const { type, elements } = tensorInfo(tensor);
      if (type.startsWith("float") || type.startsWith("bfloat")) sum += elements;
    }
  }
  return sum;
}

/** The patterns of --freeze that no weight answers to: silence would pass for obedience. */
export function unmatchedFreezes(options: Options, { base }: Pick<TrainableModel, "base">): readonly string[] {
  const names = base
    .graph!.initializer.filter((tensor) => tensorInfo(tensor).type.startsWith("float"))
    .map(({ name }) => name);
  return ((options["freeze"] as readonly string[] | undefined) ?? [])
    .filter((pattern) => !names.some((name) => globOf(pattern).test(name)))
    .map((pattern) => `without effect: --freeze ${pattern}: there is no weight of such a name`);
}

/** Says warnings before training: it may take hours. */
export function tellEarly(link: Link, warnings: readonly string[]): readonly string[] {
  for (const words of warnings) link.say(`warning: ${words}`);
  return warnings;
}

/** Tensors that a report names. */
const shown = 50;

/** What trains of a model, and what does not. */
export function describeWeights({ copy, parameters }: TrainableModel): TrainedWeights {
  const trained = [...parameters.values()].filter(({ kind }) => kind !== "statistic");
  const elements = trained.reduce((sum, { data }) => sum + data.length, 0);
  const others = copy
    .graph!.initializer.filter(({ name }) => !parameters.has(name))
    .map(tensorInfo)
    .filter(({ type, elements: own }) => type.startsWith("float") && own > 1);
  return {
    tensors: trained.length,
    elements,
    frozenTensors: others.length,
    frozenElements: others.reduce((sum, { elements: own }) => sum + own, 0),
    largest: [...trained]
      .sort((a, b) => b.data.length - a.data.length)
      .slice(0, shown)
      .map(({ name, shape, kind }) => ({ name, shape, kind })),
  };
}

/** The files of a result as they lie in the staging folder. */
export async function outputOf({ staging }: Job, path: string, names: readonly string[]) {
  const files = await Promise.all(names.map((name) => describeFile(name, join(staging.folder, name), undefined)));
  return { path, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), files };
}

/** The name a result has in the staging folder. */
export function stagedName({ staging }: Job): string {
  return basename(staging.label);
}

/** The path of a file in the staging folder. */
export function stagedPath({ staging }: Job, name: string): string {
  return join(staging.folder, name);
}

/** Whether a model is so large that its weights go to a data file of their own. */
export function dataNameOf(job: Job, source: Pick<ModelFile, "externalFiles">): string | null {
  return source.externalFiles.length > 0 ? `${stagedName(job)}.data` : null;
}
