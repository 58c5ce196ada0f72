import { existsSync, readFileSync } from "node:fs";
import type { Host, Options } from "../cli.js";
import { openSession } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { exposeValues } from "../graph/expose.js";
import { neededChannels } from "../quantize/bias-correction.js";
import { calibrate, type OpenProbe } from "../quantize/calibrate.js";
import { type Calibration, decodeCalibration, encodeCalibration } from "../quantize/calibration.js";
import type { Check } from "./compress-check.js";
import { absolute, reason, type Staging, writeWhole } from "./files.js";
import type { ModelFile } from "./model-files.js";
import { startProgress } from "./progress.js";
import { writeModelFile } from "./write-model.js";

/** A calibration and whether it was read from a file. */
export interface Calibrated {
  readonly calibration: Calibration;
  readonly reused: boolean;
}

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
  return decodeCalibration(text, path, source.sha256);
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
    );
    const session = await openSession(staging.pathOf("probe.onnx"), { graphOptimization: "basic" });
    staging.remove(files);
    return session;
  };
}

/**
 * Gathers statistics of values of the normalised model: those that bias correction needs, those
 * whose channels (by axis) are `scalable`, and these `activations`. Writes them to --calibration where that is given.
 */
export async function gatherCalibration(
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
  const { input, node, initializer } = base.graph!;
  // what samples need not give has no range: an input with a default
  const defaults = new Set(initializer.map(({ name }) => name));
  const fed = input.map(({ name }) => name).filter((name) => !defaults.has(name));
  const computed = new Set([...fed, ...node.flatMap(({ output }) => output)]);
  const names = [...new Set([...axes.keys(), ...activations])].filter((name) => computed.has(name));
  const open = openProbeOf(source, base, readExternal, staging);
  const progress = startProgress(host, "calibrating", "runs");
  try {
    const { values: statistics } = await calibrate(open, check.calibration, names, {
      channelAxis: (name) => axes.get(name),
      onRun: (done, total) => progress.update(done, total),
    });
    const calibration: Calibration = {
      schema: "deepseek/calibration@1",
      model: { sha256: source.sha256 },
      source: check.calibration.source,
      samples: check.calibration.count,
      values: statistics,
    };
    if (path !== undefined) writeWhole(host, path, encodeCalibration(calibration));
    return calibration;
  } finally {
    progress.stop();
  }
}
