// Accuracy over steps of recovery on Fashion-MNIST, ours and Torch-Pruning's: each point a recovery of its own, whose rate falls
// to 0 at its last step, with the same samples in the same order on both sides. Points are kept as they are found, one file a
// series, so that several runs (--ways, --ratios, --recoveries, --seeds) can share the work.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readFashion } from "../train/fashion.js";
import { fashionRight, shareOf } from "../train/judge.js";
import { fashionTeacherFile } from "../train/tasks/fashion.js";
import { compress } from "./command.js";
import { type CurveSeries, curveResult, type Recovery, type Way } from "./curve-result.js";
import { type FashionFiles, writeFashion, writeOrder } from "./fashion-files.js";
import { pruningPython, work } from "./fetch.js";
import { type Course, runPeer, writeModel } from "./peer.js";
import type { RecoverySettings, TaskFound } from "./tasks.js";

/** What of the curve is wanted; all where nothing is said. */
export interface CurveSettings {
  readonly ways?: readonly string[] | undefined;
  readonly ratios?: readonly number[] | undefined;
  readonly recoveries?: readonly string[] | undefined;
  /** Steps of the points beside 0. */
  readonly budgets?: readonly number[] | undefined;
}

const usualBudgets = [50, 150, 500, 1500, 2766];
const usualRatios = [0.5, 0.75];

/** Ours: how channels are chosen; theirs: how they are ranked, and to which widths they are kept. */
const ways: readonly Way[] = [
  { id: "ours-global", words: "ours, l2, global", args: ["--criterion", "l2", "--spread", "global"] },
  { id: "ours-uniform", words: "ours, l2, uniform", args: ["--criterion", "l2", "--spread", "uniform"] },
  {
    id: "ours-any",
    words: "ours, l2, global, any width",
    args: ["--criterion", "l2", "--spread", "global", "--round", "1"],
  },
  { id: "ours-data", words: "ours, by data", args: [], data: true },
  { id: "peer-any", words: "Torch-Pruning, global, any width", scope: "global", round: 0 },
  { id: "peer-8", words: "Torch-Pruning, global, steps of 8", scope: "global", round: 8 },
  { id: "peer-local", words: "Torch-Pruning, local, any width", scope: "local", round: 0 },
];

/** `teacher` and `labels`: the same loss, optimizer and rates on both sides. `own`: what users of each get. */
const recoveries: readonly Recovery[] = ["teacher", "labels", "own"];

/** What of it there is, or is found; undefined where Fashion-MNIST cannot be had. */
export async function curve(settings: RecoverySettings, wanted: CurveSettings): Promise<TaskFound | undefined> {
  const data = readFashion();
  if (!data) return undefined;
  const teacher = await fashionTeacherFile(data.train, { ...settings, quick: false, fresh: false });
  const files = writeFashion(teacher.file, data);
  const judge = fashionRight(data.test);
  const budgets = settings.quick ? [2, 4] : (wanted.budgets ?? usualBudgets);
  const found: CurveSeries[] = [];
  for (const removed of wanted.ratios ?? usualRatios) {
    for (const recovery of recoveries.filter((one) => wanted.recoveries?.includes(one) ?? true)) {
      for (const seed of settings.seeds) {
        for (const way of ways.filter(({ id }) => wanted.ways?.includes(id) ?? true)) {
          // chosen by data, pruning and recovery are one
          if ("data" in way && recovery !== "own") continue;
          const job: Job = { files, way, removed, recovery, seed, budgets, threads: settings.threads, judge };
          const one = await series(job, settings);
          if (one) found.push(one);
        }
      }
    }
  }
  return curveResult(ways, found, shareOf(await judge(teacher.file)));
}

interface Job {
  readonly files: FashionFiles;
  readonly way: Way;
  readonly removed: number;
  readonly recovery: Recovery;
  readonly seed: number;
  readonly budgets: readonly number[];
  readonly threads: number;
  judge(file: string): Promise<Uint8Array>;
}

/** What was found before, with what is still lacking; undefined where the peer is not there. */
async function series(
  job: Job,
  { fresh, asItIs }: Pick<RecoverySettings, "fresh" | "asItIs">,
): Promise<CurveSeries | undefined> {
  const { way, removed, recovery, seed } = job;
  const name = `${way.id}-${removed}-${recovery}-${seed}`;
  const record = join(work, "curve", `${name}.json`);
  const before = !fresh && existsSync(record) ? (JSON.parse(readFileSync(record, "utf8")) as CurveSeries) : undefined;
  const lacking = job.budgets.filter((steps) => !before?.points.some((point) => point.steps === steps));
  if (asItIs || (before && lacking.length === 0)) return before;
  console.log(`  ${way.words}, ${100 * removed} % of FLOPs, recovery: ${recovery}, seed ${seed}`);
  const to = join(work, "curve", "models", name);
  mkdirSync(to, { recursive: true });
  const missing = { ...job, budgets: lacking };
  const made = "scope" in way ? theirs(missing, way, to) : ours(missing, way, to);
  if (!made) return undefined;
  const points: CurveSeries["points"][number][] = [];
  for (const { steps, file, seconds } of made.files) {
    const right = await job.judge(file);
    console.log(`    ${steps} steps: ${shareOf(right).toFixed(2)} %`);
    points.push({ steps, seconds, right: packed(right) });
  }
  const all = [
    ...(before?.points.filter(({ steps }) => points.every((point) => point.steps !== steps)) ?? []),
    ...points,
  ];
  const { gone, versions } = made;
  const result: CurveSeries = {
    ...{ way: way.id, removed, recovery, seed, gone, ...(versions && { versions }) },
    points: all.sort((a, b) => a.steps - b.steps),
  };
  writeFileSync(record, JSON.stringify(result));
  return result;
}

interface Files {
  /** Of the FLOPs. */
  readonly gone: number;
  readonly versions?: Readonly<Record<string, string>>;
  readonly files: readonly { readonly steps: number; readonly file: string; readonly seconds: number }[];
}

const batch = 64;
/** Of the optimizer that both sides have where they have the same. */
const rate = 1e-3;
const warmUpOf = (steps: number) => Math.round(steps / 20);

function ours(
  { files, removed, recovery, seed, budgets, threads }: Job,
  way: Way & { readonly args: readonly string[] },
  to: string,
): Files {
  const { teacher, images, labels, heldOut, heldOutLabels } = files;
  const make = (name: string, args: readonly string[]) => {
    const made = compress(teacher, join(to, `${name}.onnx`), args);
    if (made.error !== undefined) throw new Error(`deepseek compress: ${made.error}`);
    return made;
  };
  const data = ["--data", images, "--rows"];
  const prune = ["--prune", `${removed}`, "--by", "flops", ...way.args];
  // as users have it: one command for both, which makes up for what is gone by the data
  const isOwn = recovery === "own";
  const pruned = make("pruned", isOwn ? [...prune, ...data, "--held-out-data", heldOut] : prune);
  const { before, after } = pruned.result!.flops;
  const common = (steps: number) => [
    ...["--distill", ...data, "--held-out-data", heldOut, "--steps", `${steps}`, "--batch", `${batch}`],
    ...["--seed", `${seed}`, "--threads", `${threads}`],
  ];
  const same = (steps: number) => [
    ...["--student", pruned.file, "--rate", `${rate}`, "--warm-up", `${warmUpOf(steps)}`, "--weight-decay", "0.01"],
    // measured once: what is written is the last step, as the peer does it
    ...["--clip-norm", "1", "--evaluate-every", `${steps}`],
    ...(recovery === "labels"
      ? ["--loss", "hard=1", "--labels", labels, "--held-out-labels", heldOutLabels]
      : ["--loss", "soft=1", "--temperature", "2"]),
  ];
  const recovered = budgets.map((steps) => {
    const { file, cost } = make(`${steps}`, [...common(steps), ...(isOwn ? prune : same(steps))]);
    return { steps, file, seconds: cost?.wallSeconds ?? 0 };
  });
  return { gone: 1 - after / before, files: [{ steps: 0, file: pruned.file, seconds: 0 }, ...recovered] };
}

function theirs(
  { files, removed, recovery, seed, budgets, threads }: Job,
  { scope, round }: Way & { readonly scope: "global" | "local"; readonly round: number },
  to: string,
): Files | undefined {
  const python = pruningPython();
  if (!python) return undefined;
  const fixed = { batch, rate, weightDecay: 0.01, clipNorm: 1, temperature: 2, threads };
  const longest: Course = { ...fixed, steps: Math.max(...budgets), warmUp: 0 };
  const at = (name: number | string) => join(to, `${name}.npz`);
  const { weights, images, logits, labels, test } = files;
  const result = runPeer(python, {
    ...{ ...longest, weights, images, logits, test, removed, scope, round, recovery, classes: labels },
    ...{ order: writeOrder(join(to, "order.npy"), longest, seed), to: at("recovered") },
    courses: budgets.map((steps) => ({ steps, warmUp: warmUpOf(steps), to: at(steps) })),
  });
  const onnx = (name: number | string) => {
    const file = join(to, `${name}.onnx`);
    writeModel(at(name), result, file);
    return file;
  };
  return {
    gone: result.removed,
    versions: result.versions,
    files: [
      { steps: 0, file: onnx("recovered-pruned"), seconds: 0 },
      ...result.courses.map(({ steps, seconds }) => ({ steps, file: onnx(steps), seconds })),
    ],
  };
}

/** Ones and zeros as bits, in base 64. */
function packed(right: Uint8Array): string {
  const bytes = new Uint8Array(Math.ceil(right.length / 8));
  right.forEach((one, at) => {
    if (one) bytes[at >> 3]! |= 1 << (at & 7);
  });
  return Buffer.from(bytes).toString("base64");
}
