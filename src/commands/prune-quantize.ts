import type { Host, Options } from "../cli.js";
import type { QuantizationSummary } from "../render/prune-result.js";
import { quantizeModel } from "./compress-model.js";
import { openHasher } from "./file-hash.js";
import type { Staging } from "./files.js";
import { readModelFile } from "./model-files.js";

/** The last stage: what was pruned, and perhaps recovered, in fewer bits. */
export interface QuantizedStage {
  readonly files: readonly string[];
  readonly bytes: number;
  readonly summary: QuantizationSummary;
  readonly warnings: readonly string[];
  /** Whether the loss by quantizing alone stayed above --max-drop. */
  readonly missed: boolean;
}

/** Quantizes the staged model `from`; the result is staged under the name of `output`. */
export async function quantizePruned(
  host: Host,
  options: Options,
  staging: Staging,
  from: string,
  output: string,
  dataName: string | null,
): Promise<QuantizedStage> {
  const hasher = openHasher();
  try {
    const source = readModelFile(host, staging.pathOf(from));
    const asked = { ...options, dryRun: false, speedSeconds: 0 };
    const done = await quantizeModel(host, source, asked, { output, dataName, staging, hasher });
    if ("estimatedBytes" in done) throw new Error("a plan was made of what is to be quantized");
    const { result, files, missed } = done;
    const schemes = new Map<string, number>();
    for (const { scheme } of result.tensors) {
      const name = scheme ?? "left";
      schemes.set(name, (schemes.get(name) ?? 0) + 1);
    }
    return {
      files,
      bytes: result.output.bytes,
      missed,
      warnings: result.warnings,
      summary: {
        decisions: result.decisions,
        schemes: [...schemes].map(([scheme, tensors]) => ({ scheme, tensors })),
        takenBack: result.gate?.floats.length ?? 0,
      },
    };
  } finally {
    hasher.close();
  }
}
