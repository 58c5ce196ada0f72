// Training steps a second of this package, PyTorch (eager, CPU) and TensorFlow.js (wasm): same models, batches, initial
// weights and optimizer, in one run: `npm run bench:train`. `-- --only mlp,cnn` for some models, `--rounds 5`, `--quick`.
// Engines take turns, each in a process of its own; the best round of each counts (TensorFlow.js, far slower, has one).
// No round starts that would end after `minutes`. The first losses are shown side by side: they are the same numbers where
// the training is the same. Progress goes to stderr, results to bench-work/train.json.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";
import { encodeNpz } from "../../src/formats/npz.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { timedBatches, timedSteps } from "./train/batches.js";
import { tfjsFolder, torchPython, work } from "./train/fetch.js";
import { keepResult, listed } from "./train/keep.js";
import { cnn, mlp, transformer } from "./train/models/speed.js";
import { type Goal, goalsMarkdown, type SpeedRow, table } from "./train/result.js";

const models = { mlp, transformer, cnn };
type Model = keyof typeof models;

const quick = process.argv.includes("--quick");
const rounds = Number(listed("--rounds")?.[0] ?? (quick ? 1 : 3));
const seconds = quick ? 1 : 2;
const minutes = 5;
const only = listed("--only") ?? Object.keys(models);
const here = (name: string) => resolve("test", "bench", "train", name);
const typescript = ["--import", "tsx"];

const folder = join(work, "speed");
mkdirSync(folder, { recursive: true });
/** One file without what translates TypeScript as it loads, which would count as memory of the training. */
const bundled = join(folder, "ours.mjs");
buildSync({
  entryPoints: [here("ours.ts")],
  outfile: bundled,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
});

const torch = torchPython();
const tfjs = tfjsFolder();
/** What trains, and how it is called. */
const engines: Readonly<Record<string, readonly string[] | undefined>> = {
  ours: [process.execPath, bundled],
  PyTorch: torch === undefined ? undefined : [torch, here("peer.py")],
  "TensorFlow.js": tfjs === undefined ? undefined : [process.execPath, ...typescript, here("peer-tfjs.ts")],
};
const threadCounts = availableParallelism() > 1 ? [1, 2] : [1];

/** What an engine prints. */
interface Printed {
  readonly version?: string;
  readonly losses: readonly number[];
  readonly parameters?: number;
  readonly stepsPerSecond: number;
  readonly cpuMs: number;
  readonly peakBytes: number;
  readonly activationBytes?: number;
}

function run(argv: readonly string[], job: object): Printed | string {
  const done = spawnSync(argv[0]!, [...argv.slice(1), JSON.stringify(job)], { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (done.status === 0) return JSON.parse(done.stdout.trim().split("\n").at(-1)!) as Printed;
  const lines = done.stderr.split("\n");
  return (lines.find((line) => /^(\w*Error|error)\b/.test(line)) ?? lines.at(-2) ?? "failed").slice(0, 200);
}

const rows: SpeedRow[] = [];
const goals: Goal[] = [];
const versions: Record<string, string> = {};
const chosen = (Object.keys(models) as Model[]).filter((one) => only.includes(one));
const best = new Map<Model, Map<string, Printed>>();

/** Writes what the engines read. */
function prepare(model: Model): object {
  const { model: written, weights } = models[model](1);
  const at = (name: string) => join(folder, `${model}-${name}`);
  writeFileSync(at("start.onnx"), encodeModel(written));
  writeFileSync(at("weights.npz"), encodeNpz(weights));
  writeFileSync(at("data.npz"), encodeNpz(new Map(Object.entries(timedBatches(model)))));
  best.set(model, new Map());
  return {
    model,
    file: at("start.onnx"),
    weights: at("weights.npz"),
    data: at("data.npz"),
    folder: tfjs,
    classAxis: model === "transformer" ? 2 : 1,
    seconds,
    rate: 1e-3,
  };
}

/** What the engine took that has one round. */
let onceMs = 0;

function runRound(round: number, model: Model, job: object): void {
  for (const threads of threadCounts) {
    for (const [engine, argv] of Object.entries(engines)) {
      if (!argv || rows.some((row) => row.model === model && row.engine === engine && row.error)) continue;
      if (engine === "TensorFlow.js" && round > 0) continue;
      const begun = performance.now();
      const printed = run(argv, { ...job, threads });
      if (engine === "TensorFlow.js") onceMs += performance.now() - begun;
      if (typeof printed === "string") {
        rows.push({ model, engine, threads, stepsPerSecond: 0, cpuMs: 0, peakBytes: 0, losses: [], error: printed });
        console.error(`round ${round + 1}: ${model}, ${engine}: ${printed}`);
        continue;
      }
      console.error(
        `round ${round + 1}: ${model}, ${engine}, ${threads} threads: ${printed.stepsPerSecond.toFixed(1)} steps/s`,
      );
      if (printed.version) versions[engine] = printed.version;
      const key = `${engine} ${threads}`;
      const before = best.get(model)!.get(key);
      best.get(model)!.set(key, {
        ...printed,
        stepsPerSecond: Math.max(printed.stepsPerSecond, before?.stepsPerSecond ?? 0),
        cpuMs: Math.min(printed.cpuMs, before?.cpuMs ?? Number.POSITIVE_INFINITY),
        peakBytes: Math.max(printed.peakBytes, before?.peakBytes ?? 0),
      });
    }
  }
}

const jobs = chosen.map((model) => [model, prepare(model)] as const);
const started = performance.now();
for (let round = 0; round < rounds; round++) {
  const passed = (performance.now() - started) / 60_000;
  const once = onceMs / 60_000;
  if (round > 0 && once + ((passed - once) * (round + 1)) / round > minutes) {
    console.error(`${round} of ${rounds} rounds: more would take over ${minutes} minutes`);
    break;
  }
  for (const [model, job] of jobs) runRound(round, model, job);
}
for (const model of chosen) {
  for (const [key, { stepsPerSecond, cpuMs, peakBytes, losses }] of best.get(model)!) {
    const [engine, threads] = [key.slice(0, key.lastIndexOf(" ")), Number(key.slice(key.lastIndexOf(" ")))];
    rows.push({ model, engine, threads, stepsPerSecond, cpuMs, peakBytes, losses });
  }
  judge(model, best.get(model)!);
}

/** Against the goals, each engine with as many threads as serve it best. */
function judge(model: Model, best: ReadonlyMap<string, Printed>): void {
  const of = (engine: string) => {
    const found = threadCounts.flatMap((threads) => best.get(`${engine} ${threads}`) ?? []);
    return found.length === 0 ? undefined : Math.max(...found.map(({ stepsPerSecond }) => stepsPerSecond));
  };
  const ours = of("ours")!;
  const [eager, wasm] = [of("PyTorch"), of("TensorFlow.js")];
  const goal = (text: string, value: number, atLeast: number) =>
    goals.push({ task: model, goal: text, measured: `${value.toFixed(2)}x`, met: value >= atLeast });
  if (eager) goal("at least 0.8x the steps per second of PyTorch", ours / eager, 0.8);
  if (wasm) goal("at least 10x those of TensorFlow.js wasm", ours / wasm, 10);
  const { peakBytes, parameters, activationBytes } = best.get("ours 1")!;
  const allowed = 4 * 4 * parameters! + activationBytes! + 200e6;
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  goals.push({
    task: model,
    goal: `memory: 4 copies of the parameters (${megabytes(16 * parameters!)}) + activations (${megabytes(activationBytes!)}) + 200 MB`,
    measured: `${megabytes(peakBytes)} of ${megabytes(allowed)}`,
    met: peakBytes <= allowed,
  });
}

const shown = rows.map((row) => [
  row.model,
  row.engine,
  `${row.threads}`,
  ...(row.error
    ? [row.error, "", ""]
    : [row.stepsPerSecond.toFixed(1), row.cpuMs.toFixed(2), `${(row.peakBytes / 1e6).toFixed(0)} MB`]),
]);
console.log(table(["model", "engine", "threads", "steps/s", "CPU-ms/step", "peak memory"], shown));
console.log(`\n${goalsMarkdown(goals)}`);
for (const model of only) {
  const curves = rows.filter((row) => row.model === model && row.threads === 1 && !row.error);
  if (curves.length === 0) continue;
  console.log(`\nLosses of the first ${timedSteps} steps, ${model}`);
  const steps = Array.from({ length: timedSteps }, (_, at) => [
    `${at + 1}`,
    ...curves.map((row) => row.losses[at]!.toFixed(6)),
  ]);
  console.log(table(["step", ...curves.map(({ engine }) => engine)], steps));
}
if (!quick) keepResult({ speed: { rows, goals } }, versions);
