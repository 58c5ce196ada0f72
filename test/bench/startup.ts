// What starting the programs costs over starting node: `npm run bench:startup`.
// Interleaved runs, wall time, median.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";

const runs = 21;
const commands: readonly (readonly [name: string, argv: readonly string[]])[] = [
  ["node -e 0", ["-e", "0"]],
  ["deepseek --help", ["bin/deepseek.js", "--help"]],
  ["deepseek compress --help", ["bin/deepseek.js", "compress", "--help"]],
  ["deepseek-compat --help", ["bin/deepseek-compat.js", "--help"]],
];

const samples = new Map<string, number[]>(commands.map(([name]) => [name, []]));
for (let run = -2; run < runs; run++) {
  for (const [name, argv] of commands) {
    const startedMs = performance.now();
    const { status } = spawnSync(process.execPath, argv, { stdio: "ignore" });
    const wallMs = performance.now() - startedMs;
    if (status !== 0) throw new Error(`${name}: exit code ${status}`);
    if (run >= 0) samples.get(name)!.push(wallMs);
  }
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const base = median(samples.get("node -e 0")!);
const rows = [...samples].map(([name, wallMs]) => ({
  name,
  medianMs: Number(median(wallMs).toFixed(1)),
  overNodeMs: Number((median(wallMs) - base).toFixed(1)),
}));
console.table(rows);
mkdirSync("tour", { recursive: true });
writeFileSync(
  "tour/startup.json",
  JSON.stringify(
    { node: process.version, cpu: cpus()[0]?.model, runs, unit: "ms of wall time, median", rows },
    undefined,
    2,
  ),
);
