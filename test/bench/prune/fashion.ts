// Fashion-MNIST: half of the FLOPs of the teacher gone, and what recovery brings back; Torch-Pruning with the same
// criterion, as many FLOPs gone and the same recovery: steps, samples in the same order, optimizer, rates and targets.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compareTimes } from "../quantize/speed.js";
import { readFashion } from "../train/fashion.js";
import { fashionAccuracy } from "../train/judge.js";
import type { Goal, Row } from "../train/result.js";
import { fashionTeacherFile } from "../train/tasks/fashion.js";
import { weightsOf } from "../train/weights.js";
import { compress } from "./command.js";
import { type FashionFiles, folder, writeFashion, writeOrder } from "./fashion-files.js";
import { pruningPython, work } from "./fetch.js";
import { type Course, type PeerJob, type PeerResult, runPeer, writeModel } from "./peer.js";
import type { RecoverySettings, TaskFound } from "./tasks.js";

const removed = 0.5;
/** Less than this is no comparison: rounding may keep the peer from what was asked. */
const leastRemoved = 0.48;
const measure = "top-1";

/** Half of the FLOPs gone and recovered, ours and theirs; undefined where Fashion-MNIST cannot be had. */
export async function fashion(settings: RecoverySettings): Promise<TaskFound | undefined> {
  const data = readFashion();
  if (!data) return undefined;
  // the teacher of the training benchmark, whatever is tried here
  const teacher = await fashionTeacherFile(data.train, { ...settings, quick: false, fresh: false });
  const files = writeFashion(teacher.file, data);
  const course = courseOf(settings);
  const judge = fashionAccuracy(data.test);
  const rows: Row[] = [];
  const all: { readonly what: string; readonly file: string }[] = [];
  const add = async (what: string, file: string, more: Partial<Row> = {}) => {
    const value = await judge(file);
    const bytes = readFileSync(file).length;
    rows.push({ task: "fashion", what, measure, value, weights: weightsOf(file), bytes, ...more });
    console.log(`  ${what}: ${value.toFixed(2)} %`);
    all.push({ what, file });
    return value;
  };
  const original = await add("original", teacher.file);
  const reached = settings.peerOnly ? {} : await ours(files, course, settings, add);
  const peers = await theirs(files, course, settings, add, rows);
  if (settings.times) showTimes(files, all);
  return { result: { rows, goals: goalsOf(original, reached, peers.reached) }, versions: peers.versions };
}

/** Top-1 of every seed, by the way, of those that took away what was asked. */
interface Peers {
  readonly reached: ReadonlyMap<string, readonly number[]>;
  readonly versions: Readonly<Record<string, string>>;
}

function courseOf({ steps, rate, quick, threads }: RecoverySettings): Course {
  // three epochs
  const all = quick ? 20 : (steps ?? 2766);
  const warmUp = Math.round(all / 20);
  const fixed = { batch: 64, weightDecay: 0.01, clipNorm: 1, temperature: 2, threads };
  return { steps: all, rate: rate ?? 1e-3, warmUp, ...fixed };
}

type Add = (what: string, file: string, more?: Partial<Row>) => Promise<number>;

/** How channels are chosen: by the peer's criterion, each group losing the same share or all in one ranking; as usual. */
const ourWays = [
  { id: "l2, uniform", args: ["--criterion", "l2", "--spread", "uniform"], data: false },
  { id: "l2, global", args: ["--criterion", "l2", "--spread", "global"], data: false },
  { id: "by data", args: [], data: true },
] as const;

/** Share of the FLOPs that went, and top-1 of every seed. */
interface Reached {
  readonly gone: number;
  readonly values: readonly number[];
}

/** What this package makes of it, by the way. */
async function ours(
  { teacher, images, heldOut }: FashionFiles,
  course: Course,
  { seeds, more, threads, asItIs }: RecoverySettings,
  add: Add,
): Promise<Readonly<Record<string, Reached>>> {
  const data = ["--data", images, "--rows"];
  const distil = [
    ...["--distill", ...data, "--held-out-data", heldOut, "--loss", "soft=1", "--temperature", `${course.temperature}`],
    ...["--steps", `${course.steps}`, "--batch", `${course.batch}`, "--rate", `${course.rate}`],
    ...["--warm-up", `${course.warmUp}`, "--weight-decay", `${course.weightDecay}`],
    ...["--clip-norm", `${course.clipNorm}`, "--threads", `${threads}`],
    // measured once: what is written is the last step, as the peer does it
    ...["--evaluate-every", `${course.steps}`],
  ];
  const make = (name: string, args: readonly string[]) => {
    const made = compress(teacher, join(folder, "ours", `${name}.onnx`), args, asItIs);
    if (made.error !== undefined) throw new Error(`deepseek compress: ${made.error}`);
    return made;
  };
  const found: Record<string, Reached> = {};
  for (const way of ourWays) {
    const prune = ["--prune", `${removed}`, "--by", "flops", ...way.args, ...more];
    const pruned = make(way.id, way.data ? [...prune, ...data] : prune);
    const { before, after } = pruned.result!.flops;
    const gone = 1 - after / before;
    await add(`ours, ${way.id}, pruned (${(100 * gone).toFixed(1)} % of FLOPs)`, pruned.file);
    const values: number[] = [];
    for (const seed of seeds) {
      // the file that the peer would have made, or all by one command
      const what = way.data ? prune : ["--student", pruned.file];
      const { file, cost } = make(`${way.id}-${seed}`, [...what, ...distil, "--seed", `${seed}`]);
      const value = await add(`ours, ${way.id}, recovered`, file, {
        steps: course.steps,
        ...(cost ? { seconds: cost.wallSeconds } : {}),
        seed,
      });
      values.push(value);
    }
    found[way.id] = { gone, values };
  }
  return found;
}

/** How Torch-Pruning ranks channels, and to which widths it keeps them. */
const ways = [
  { id: "global, in steps of 8", scope: "global", round: 8 },
  { id: "global, any width", scope: "global", round: 0 },
  { id: "local, any width", scope: "local", round: 0 },
  { id: "local, in steps of 8", scope: "local", round: 8 },
] as const;

/** What Torch-Pruning makes of it; what was found with the same settings before is not done again. */
async function theirs(
  files: FashionFiles,
  course: Course,
  settings: RecoverySettings,
  add: Add,
  rows: Row[],
): Promise<Peers> {
  const python = pruningPython();
  if (!python) return { reached: new Map(), versions: {} };
  const reached = new Map<string, number[]>();
  let versions = {};
  for (const seed of settings.seeds) {
    for (const { id, scope, round } of ways) {
      const to = join(folder, "peer", `${scope}-${round}-${course.steps}-${course.rate}-${seed}.npz`);
      const { teacher: _, labels: __, heldOutLabels: ___, ...given } = files;
      const order = writeOrder(join(folder, `order-${seed}.npy`), course, seed);
      const job = { ...course, ...given, removed, scope, round, order, to };
      const result = kept(to.replace(/npz$/, "json"), job, settings.fresh, () => runPeer(python, job));
      versions = result.versions;
      const what = `Torch-Pruning, ${id}`;
      if (seed === settings.seeds[0]) {
        const gone = `${(100 * result.removed).toFixed(1)} % of FLOPs`;
        rows.push({ task: "fashion", what: `${what}, pruned (${gone})`, measure, value: result.pruned });
        console.log(`  ${what}, pruned (${gone}): ${result.pruned.toFixed(2)} %`);
      }
      const file = to.replace(/npz$/, "onnx");
      writeModel(to, result, file);
      const { seconds } = result;
      const value = await add(`${what}, recovered`, file, { steps: course.steps, seconds, seed });
      if (Math.abs(value - result.recovered) > 0.03) console.log(`  ${what}: ${result.recovered} % in PyTorch`);
      if (result.removed >= leastRemoved) reached.set(id, [...(reached.get(id) ?? []), value]);
    }
  }
  return { reached, versions };
}

/** The result of a job, from its record where that is of the same job. */
function kept(record: string, job: PeerJob, fresh: boolean, run: () => PeerResult): PeerResult {
  // wherever the work folder is
  const of = JSON.stringify(job).replaceAll(work, "");
  if (!fresh && existsSync(record)) {
    const found = JSON.parse(readFileSync(record, "utf8")) as { readonly job: string; readonly result: PeerResult };
    if (found.job === of) return found.result;
  }
  const result = run();
  writeFileSync(record, JSON.stringify({ job: of, result }));
  return result;
}

/** Times of the files against the original, one picture a run. */
function showTimes(files: FashionFiles, all: readonly { readonly what: string; readonly file: string }[]): void {
  const others = all.slice(1);
  const found = compareTimes(
    files.teacher,
    others.map(({ file }) => file),
    files.samples,
    {},
  );
  for (const [at, { time }] of found.entries()) {
    console.log(
      `  ${others[at]!.what}: ${time.ratio === null ? "no time" : `${(1 / time.ratio).toFixed(2)}x as fast`}`,
    );
  }
}

function goalsOf(
  original: number,
  reached: Readonly<Record<string, Reached>>,
  peers: ReadonlyMap<string, readonly number[]>,
): readonly Goal[] {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const best = Math.max(...[...peers.values()].map(mean));
  return Object.entries(reached).flatMap(([how, { gone, values }]) => {
    const value = mean(values);
    const goal = (text: string, measured: string, met: boolean): Goal => ({
      task: `fashion, ${how}`,
      goal: text,
      measured,
      met,
    });
    return [
      goal(`${100 * removed} % of FLOPs gone`, `${(100 * gone).toFixed(1)} %`, gone >= leastRemoved),
      goal("within 0.5 points of the original", (original - value).toFixed(2), original - value <= 0.5),
      ...(peers.size > 0
        ? [
            goal(
              "better than the best of Torch-Pruning",
              `${value.toFixed(2)} % and ${best.toFixed(2)} %`,
              value > best,
            ),
          ]
        : []),
    ];
  });
}
