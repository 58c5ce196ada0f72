import type { Program } from "./cli.js";
import { runProcess } from "./commands/host.js";

export const program: Program = {
  name: "deepseek",
  summary: "Make ONNX model files smaller and faster, with proof that they still work.",
  commands: [],
};

export function main(): Promise<void> {
  return runProcess(program);
}
