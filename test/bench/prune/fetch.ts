// Where everything of `npm run bench:prune` lies (the variable BENCH_PRUNE names another folder), and its peer.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { missing } from "../quantize/fetch.js";
import { torchPython } from "../train/fetch.js";

export const work = resolve(process.env["BENCH_PRUNE"] ?? join("bench-work", "prune"));

/** The Python of the training benchmark with Torch-Pruning beside PyTorch. */
export function pruningPython(): string | undefined {
  const program = torchPython();
  if (!program) return undefined;
  const loads = () => spawnSync(program, ["-c", "import torch_pruning"]).status === 0;
  if (loads()) return program;
  console.log("fetching Torch-Pruning");
  const argv = ["-m", "pip", "install", "--quiet", "--no-deps", "torch-pruning==1.6.1"];
  const got = spawnSync(program, argv, { stdio: "inherit" });
  if (got.status !== 0) return missing("Torch-Pruning: pip could not install it");
  return loads() ? program : missing("Torch-Pruning: installed, but does not load");
}
