import { createHash } from "node:crypto";
import { cpus } from "node:os";
import type { Host, Options } from "../cli.js";
import { runtimeVersion } from "../engine/session.js";
import { UserError } from "../errors.js";
import { encodeCalibration } from "../quantize/calibration.js";
import type { QuantizationPlan } from "../quantize/plan.js";
import { readCalibration } from "./compress-calibrate.js";
import { makeCandidate, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { fewSamples } from "./compress-noise.js";
import { openHasher } from "./file-hash.js";
import { writeWhole } from "./files.js";
import type { ModelFile } from "./model-files.js";
import { warn } from "./output.js";

/** What each weight alone does to the outputs, as measured by earlier runs; kept in the file of --calibration. */
export interface KnownNoises {
  readonly noises: ReadonlyMap<string, number>;
  /** Keeps these instead. Where the file cannot be written, a warning says so. */
  keep(noises: ReadonlyMap<string, number>): Promise<void>;
}

/** Rankings that are kept in one file: the latest ones. */
const mostKept = 8;

/** What is known of the weights of a plan, in a workshop; undefined without --calibration. */
export async function knownNoises(
  host: Host,
  options: Options,
  source: ModelFile,
  workshop: Workshop,
  check: Check,
  ranked: QuantizationPlan,
): Promise<KnownNoises | undefined> {
  const path = options["calibration"] as string | undefined;
  if (path === undefined) return undefined;
  const of = await fingerprint(host, source, workshop, check, ranked);
  const found = (await readCalibration(host, options, source))?.noises?.find((each) => each.of === of);
  return {
    noises: new Map(found?.alone),
    async keep(noises) {
      try {
        // as it is now: another run may have added to it
        const now = await readCalibration(host, options, source);
        if (!now) return;
        const others = (now.noises ?? []).filter((each) => each.of !== of).slice(1 - mostKept);
        // JSON has no infinity; it is measured again
        const alone = [...noises].filter(([, noise]) => Number.isFinite(noise));
        writeWhole(host, path, encodeCalibration({ ...now, noises: [...others, { of, alone }] }));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        await warn(host, `${error.message}; what each weight costs is measured again the next time`);
      }
    },
  };
}

/**
 * Hash of all that the noise of a weight depends on. The model in which nothing is taken back stands for whatever was
 * chosen and rounded on the way; kernels compute 8 bits in other ways on other processors.
 */
async function fingerprint(
  host: Host,
  source: ModelFile,
  workshop: Workshop,
  check: Check,
  { tensors }: QuantizationPlan,
): Promise<string> {
  const hash = createHash("sha256");
  const add = (part: unknown) => hash.update(`${JSON.stringify(part)}\n`);
  add([host.version, runtimeVersion(), process.arch, cpus()[0]?.model ?? "", await source.sha256(), workshop.settings]);
  add(tensors.map(({ graph, name, scheme }) => [graph, name, scheme]));
  const { files } = await makeCandidate(workshop, new Map(), "ranked.onnx", null);
  const hasher = openHasher();
  try {
    for (const file of files) add((await hasher.hashOf(workshop.staging.pathOf(file), file)).sha256);
  } finally {
    hasher.close();
    workshop.staging.remove(files);
  }
  for (let at = 0; at < Math.min(check.calibration.count, fewSamples); at++) {
    for (const [name, { dtype, shape, data }] of await check.calibration.read(at)) {
      add([name, dtype, shape]);
      if (ArrayBuffer.isView(data)) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      else add(data);
    }
  }
  return hash.digest("hex");
}
