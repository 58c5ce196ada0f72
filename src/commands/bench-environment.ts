import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import type { Environment } from "../bench/environment.js";
import { runtimeVersion } from "../engine/session.js";

/** Those of the CPU's features that decide how fast integer kernels are. */
const telling = /^(avx2|avx_vnni|avx512f|avx512_vnni|avx512vnni|amx_int8|asimddp|i8mm)$/;

/** What bears on speed, as it is now. */
export async function environmentOf(): Promise<Environment> {
  return {
    node: process.version,
    onnxruntime: runtimeVersion(),
    platform: `${platform()} ${release()} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    cpuFlags: cpuFlags(),
    memoryBytes: totalmem(),
    loadAverage: platform() === "win32" ? null : loadavg()[0]!,
  };
}

function cpuFlags(): readonly string[] | null {
  try {
    // "flags" on x86, "Features" on ARM
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
    return line?.split(" ").filter((flag) => telling.test(flag)) ?? null;
  } catch {
    return null;
  }
}
