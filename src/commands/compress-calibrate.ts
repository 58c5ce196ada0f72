import { existsSync, readFileSync } from "node:fs";
import type { Host, Options } from "../cli.js";
import { openSession } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { exposeValues } from "../graph/expose.js";
import { scalableChannels } from "../quantize/accuracy.js";
import { neededChannels } from "../quantize/bias-correction.js";
import { calibrate, type OpenProbe } from "../quantize/calibrate.js";
import { type Calibration, decodeCalibration, encodeCalibration } from "../quantize/calibration.js";
import { valuesToObserve } from "../quantize/static/observed.js";
import type { StaticSettings } from "../quantize/static/settings.js";
import type { Check } from "./compress-check.js";
import { absolute, reason, type Staging, writeWhole } from "./files.js";
import type { ModelFile } from "./model-files.js";
import { startProgress } from "./progress.js";
import { writeModelFile } from "./write-model.js";

/** The calibration of --calibration where that file exists; undefined where there is none yet. */
export async function readCalibration(
  host: Host,
  options: Options,
  source: ModelFile,
): Promise<Calibration | undefined> {
  const path = options["calibration"] as string | undefined;
  if (path === undefined || !existsSync(absolute(host, path))) return undefined;
  let text: string;
  try {
    text = readFileSync(absolute(host, path), "utf8");
  } catch (error) {
    throw new UserError(`--calibration ${path}: cannot be read: ${reason(error)}`);
  }
  return decodeCalibration(text, path, await source.sha256());
}

/** Refuses a calibration that was made for less: without it, activations would silently stay in floats. */
function refuseGaps(
  options: Options,
  { values, skipped = [] }: Calibration,
  base: ModelProto,
  activations: readonly string[],
): void {
  const missing = computedOf(base, activations).filter((name) => !values.has(name) && !skipped.includes(name));
  if (missing.length === 0) return;
  throw new UserError(
    `--calibration ${options["calibration"]}: lacks ${missing.length} of the values that static quantization needs, ${missing[0]} first; it was made with other options: give it another name, or remove it, to calibrate again`,
  );
}

/** Those of the names that the main graph computes or is fed, each once. */
export function computedOf({ graph }: ModelProto, names: readonly string[]): readonly string[] {
  const { input, node, initializer } = graph!;
  // what samples need not give has no range: an input with a default
  const defaults = new Set(initializer.map(({ name }) => name));
  const fed = input.map(({ name }) => name).filter((name) => !defaults.has(name));
  const computed = new Set([...fed, ...node.flatMap(({ output }) => output)]);
  return [...new Set(names)].filter((name) => computed.has(name));
}

/** Opens a model with values from inside it as outputs. */
export function openProbeOf(
  source: ModelFile,
  base: ModelProto,
  readExternal: ReadExternal,
  staging: Staging,
): OpenProbe {
  return async (exposed, inputShapes) => {
    const { files } = writeModelFile(
      staging.pathOf("probe.onnx"),
      exposeValues(base, exposed, inputShapes),
      source.externalFiles.length > 0 ? "probe.onnx.data" : null,
      readExternal,
      { label: staging.label },
    );
    try {
      return await openSession(staging.pathOf("probe.onnx"), { graphOptimization: "basic" });
    } finally {
      staging.remove(files);
    }
  };
}

/**
 * Gathers statistics of values of the normalised model: those that bias correction needs, those
 * whose channels (by axis) are `scalable`, and these `activations`. Writes them to --calibration where that is given.
 */
async function gatherCalibration(
  host: Host,
  options: Options,
  source: ModelFile,
  base: ModelProto,
  readExternal: ReadExternal,
  check: Check,
  staging: Staging,
  activations: readonly string[],
  scalable: ReadonlyMap<string, number>,
): Promise<Calibration> {
  const path = options["calibration"] as string | undefined;
  const axes = new Map([...scalable, ...neededChannels(base)]);
  const names = computedOf(base, [...axes.keys(), ...activations]);
  const open = openProbeOf(source, base, readExternal, staging);
  const progress = startProgress(host, "calibrating", "runs");
  try {
    const { values: statistics, skipped } = await calibrate(open, check.calibration, names, {
      channelAxis: (name) => axes.get(name),
      onRun: (done, total) => progress.update(done, total),
    });
    const calibration: Calibration = {
      schema: "deepseek/calibration@1",
      model: { sha256: await source.sha256() },
      source: check.calibration.source,
      samples: check.calibration.count,
      ...(skipped.length > 0 ? { skipped: skipped.map(({ name }) => name) } : {}),
      values: statistics,
    };
    if (path === undefined) return calibration;
    const text = encodeCalibration(calibration);
    writeWhole(host, path, text);
    // with the means as rounded there, so that runs that read the file make the very same model
    return decodeCalibration(text, path, calibration.model.sha256);
  } finally {
    progress.stop();
  }
}

/** The calibration, read or gathered; undefined where there is nothing to calibrate on or for. */
export async function calibrationOf(
  host: Host,
  options: Options,
  source: ModelFile,
  readExternal: ReadExternal,
  check: Check | string,
  staging: Staging,
  activations: StaticSettings | undefined,
): Promise<Calibration | undefined> {
  if (typeof check === "string" || (check.synthetic && !activations)) return undefined;
  const values = activations && valuesToObserve(source.model, activations, readExternal);
  const read = await readCalibration(host, options, source);
  if (read) {
    refuseGaps(options, read, source.model, values ?? []);
    return read;
  }
  const scales = options["equalise"] === true || options["smooth"] !== "off";
  const scalable = scales ? scalableChannels(source.model) : new Map<string, number>();
  return gatherCalibration(host, options, source, source.model, readExternal, check, staging, values ?? [], scalable);
}
