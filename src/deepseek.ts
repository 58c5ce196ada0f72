import type { Program } from "./cli.js";
import { benchCommand } from "./commands/bench.js";
import { compressCommand } from "./commands/compress.js";
import { runProcess } from "./commands/host.js";
import { inspectCommand } from "./commands/inspect.js";

export const program: Program = {
  name: "deepseek",
  summary: "Make ONNX model files smaller and faster, with proof that they still work.",
  commands: [inspectCommand, compressCommand, benchCommand],
};

export function main(): Promise<void> {
  return runProcess(program);
}
