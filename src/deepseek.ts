import type { Program } from "./cli.js";
import { modelHeads } from "./commands/heads.js";
import { start } from "./commands/start.js";

export const program = {
  name: "deepseek",
  summary: "Make ONNX model files smaller and faster, with proof that they still work.",
  commands: [
    { ...modelHeads.inspect, load: async () => (await import("./commands/inspect.js")).inspectCommand },
    { ...modelHeads.compress, load: async () => (await import("./commands/compress.js")).compressCommand },
    { ...modelHeads.bench, load: async () => (await import("./commands/bench.js")).benchCommand },
  ],
} satisfies Program;

export function main(): Promise<void> {
  return start(program);
}
