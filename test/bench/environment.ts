import type { Environment } from "../../src/bench/environment.js";

/** A machine to put into results. */
export const someEnvironment: Environment = {
  node: "v20.0.0",
  onnxruntime: "1.30.0",
  platform: "linux 6 x64",
  cpu: "Some CPU",
  cores: 2,
  cpuFlags: ["avx2"],
  memoryBytes: 8e9,
  loadAverage: 0.1,
};
