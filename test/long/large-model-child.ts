import { basename, dirname } from "node:path";
import type { Host } from "../../src/cli.js";
import { compressCommand } from "../../src/commands/compress.js";
import { readModelFile } from "../../src/commands/model-files.js";
import { openScratch } from "../../src/commands/scratch.js";
import { writeModelFile } from "../../src/commands/write-model.js";
import { makeTensor, readTensor, setExternal, tensorInfo } from "../../src/formats/onnx.js";
import { cloneModel } from "../../src/graph/clone.js";
import { normalise } from "../../src/graph/normalise/index.js";
import { runCommand } from "../host.js";

/**
 * Run as a process of its own: reads a model, normalises it, turns every large weight into 8-bit integers (of no
 * meaning: only the way of the bytes matters) unless told to copy, writes the result and prints peak memory and time.
 * `compress` is the whole command without its check.
 */
const [source, target, work] = process.argv.slice(2) as [string, string, "copy" | "bytes" | "compress"];
const started = performance.now();
const finish = (outcome: object) => {
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ peak, seconds: (performance.now() - started) / 1000, ...outcome }));
};
if (work === "compress") {
  const { code, stderr, stdout } = await runCommand(
    compressCommand,
    ["--int8", source, "-o", target, "--no-verify", "--json"],
    dirname(source),
  );
  if (code !== 0) throw new Error(stderr);
  const { bytes } = JSON.parse(stdout).output;
  finish({ bytes, files: [] });
  process.exit(0);
}
const host = { cwd: dirname(source), onInterrupt: () => () => {} } as unknown as Host;
const file = readModelFile(host, basename(source));
const scratch = openScratch(host, basename(target), file.readExternal);
try {
  const { readExternal } = scratch;
  const { passes } = normalise(file.model, readExternal, { constantInputs: "keep", store: scratch.put });
  const model = cloneModel(file.model);
  if (work === "bytes") {
    const { graph } = model;
    graph!.initializer = graph!.initializer.map((tensor) => {
      const { bytes, shape } = tensorInfo(tensor);
      if (bytes < 1 << 20) return tensor;
      const floats = readTensor(tensor, readExternal).data as Float32Array;
      const quantized = makeTensor(tensor.name, { dtype: "int8", shape, data: Int8Array.from(floats) });
      const { location, offset } = scratch.put(quantized.rawData);
      setExternal(quantized, location, offset, bytes / 4);
      return quantized;
    });
  }
  const dataName = file.externalFiles.length > 0 ? `${basename(target)}.data` : null;
  const written = writeModelFile(target, model, dataName, readExternal);
  finish({ ...written, passes });
} finally {
  scratch.close();
}
