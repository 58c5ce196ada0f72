// The built program, as users run it.
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

/** Runs `deepseek compress` and says how many seconds that took; shows what it says where it fails. */
export function compress(args: readonly string[]): number {
  const started = performance.now();
  const argv = [resolve("bin", "deepseek.js"), "compress", ...args, "--force"];
  const done = spawnSync(process.execPath, argv, {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    stdio: ["ignore", "pipe", "pipe"],
  });
  // 1: written, but worse than asked for
  if (done.status !== 0 && done.status !== 1) {
    throw new Error(`deepseek compress ${args.join(" ")}: ${done.stderr.trim().split("\n").slice(-3).join("; ")}`);
  }
  return (performance.now() - started) / 1000;
}
