// Fashion-MNIST: half of the FLOPs of the teacher gone, and what recovery brings back; Torch-Pruning with the same
// criterion, as many FLOPs gone and the same recovery: steps, samples in the same order, optimizer, rates and targets.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeNpy } from "../../../src/formats/npy.js";
import { encodeNpz } from "../../../src/formats/npz.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { shuffled } from "../../../src/train/batches.js";
import { writeSamples } from "../quantize/samples.js";
import { compareTimes } from "../quantize/speed.js";
import { type Pictures, readFashion, side, someOf } from "../train/fashion.js";
import { fashionAccuracy } from "../train/judge.js";
import type { Goal, Row } from "../train/result.js";
import { fashionTeacherFile } from "../train/tasks/fashion.js";
import { weightsOf } from "../train/weights.js";
import { compress, type Made } from "./command.js";
import { pruningPython, work } from "./fetch.js";
import { type Course, type PeerResult, runPeer, writeModel, writeWeights } from "./peer.js";
import type { RecoverySettings, TaskFound } from "./tasks.js";

const removed = 0.5;
/** Pictures to recover on; those behind them are the held-out samples, which the command wants. */
const seen = 59_000;
const measure = "top-1";
const folder = join(work, "fashion");

interface Files {
  readonly teacher: string;
  readonly seen: string;
  readonly heldOut: string;
  readonly test: string;
  readonly weights: string;
  readonly samples: string;
}

/** Half of the FLOPs gone and recovered, ours and theirs; undefined where Fashion-MNIST cannot be had. */
export async function fashion(settings: RecoverySettings): Promise<TaskFound | undefined> {
  const data = readFashion();
  if (!data) return undefined;
  // the teacher of the training benchmark, whatever is tried here
  const teacher = await fashionTeacherFile(data.train, { ...settings, quick: false, fresh: false });
  const files = write(teacher.file, data);
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
  const reached = { ...(await ours(files, course, settings, add)) };
  const python = pruningPython();
  const peer = python ? theirs(python, files, course, settings) : undefined;
  const peers = new Map<string, readonly number[]>();
  for (const variant of peer?.variants ?? []) {
    const what = `Torch-Pruning, ${variant.id}`;
    const gone = 100 * (1 - variant.multiplications / peer!.multiplications);
    rows.push({
      task: "fashion",
      what: `${what}, pruned (${gone.toFixed(1)} % of FLOPs)`,
      measure,
      value: variant.pruned,
    });
    const found: number[] = [];
    for (const { id, seconds } of variant.recoveries) {
      const file = join(folder, "peer", `${variant.id}-${id}.onnx`);
      writeModel(file.replace(/\.onnx$/, ".npz"), variant, file);
      found.push(await add(`${what}, recovered`, file, { steps: course.steps, seconds, seed: Number(id) }));
    }
    peers.set(variant.id, found);
  }
  if (settings.times) showTimes(files, all);
  return {
    result: { rows, goals: goalsOf(original, reached, peers) },
    ...(peer && { versions: peer.versions }),
  };
}

function write(teacher: string, { train, test }: { readonly train: Pictures; readonly test: Pictures }): Files {
  mkdirSync(join(folder, "peer"), { recursive: true });
  const at = (name: string) => join(folder, name);
  const imagesOf = ({ count, images }: Pictures): Tensor => ({
    dtype: "float32",
    shape: [count, 1, side, side],
    data: images.slice(),
  });
  const once = (file: string, bytes: () => Uint8Array) => {
    if (!existsSync(file)) writeFileSync(file, bytes());
    return file;
  };
  writeWeights(teacher, at("weights.npz"));
  const labels: Tensor = { dtype: "int64", shape: [test.count], data: BigInt64Array.from(test.labels, BigInt) };
  const some = Array.from({ length: 4 }, (_, index) => new Map([["x", imagesOf(someOf(test, index, 1))]]));
  writeSamples(at("samples"), some);
  return {
    teacher,
    seen: once(at("seen.npy"), () => encodeNpy(imagesOf(someOf(train, 0, seen)))),
    heldOut: once(at("held-out.npy"), () => encodeNpy(imagesOf(someOf(train, seen, train.count - seen)))),
    test: once(at("test.npz"), () =>
      encodeNpz(
        new Map([
          ["images", imagesOf(test)],
          ["labels", labels],
        ]),
      ),
    ),
    weights: at("weights.npz"),
    samples: at("samples"),
  };
}

function courseOf({ steps, rate, quick, threads }: RecoverySettings): Course {
  // three epochs
  const all = quick ? 20 : (steps ?? 2766);
  const warmUp = Math.round(all / 20);
  const fixed = { batch: 64, weightDecay: 0.01, clipNorm: 1, temperature: 2, threads };
  return { steps: all, rate: rate ?? 1e-3, warmUp, ...fixed };
}

type Add = (what: string, file: string, more?: Partial<Row>) => Promise<number>;

/** Top-1 of every seed: pruned by the same criterion as the peer, then recovered; and both by one command that sees data. */
async function ours(
  { teacher, seen, heldOut }: Files,
  course: Course,
  { seeds, more, threads }: RecoverySettings,
  add: Add,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const prune = ["--prune", `${removed}`, "--by", "flops", ...more];
  const distil = [
    ...["--distill", "--data", seen, "--rows", "--held-out-data", heldOut, "--loss", "soft=1"],
    ...["--steps", `${course.steps}`, "--batch", `${course.batch}`, "--rate", `${course.rate}`],
    ...[
      "--warm-up",
      `${course.warmUp}`,
      "--weight-decay",
      `${course.weightDecay}`,
      "--clip-norm",
      `${course.clipNorm}`,
    ],
    // measured once: what is written is the last step, as the peer does it
    ...["--temperature", `${course.temperature}`, "--evaluate-every", `${course.steps}`, "--threads", `${threads}`],
  ];
  const at = (name: string) => join(folder, "ours", `${name}.onnx`);
  const checked = (made: Made) => {
    if (made.error !== undefined) throw new Error(`deepseek compress: ${made.error}`);
    return made;
  };
  const pruned = checked(compress(teacher, at("l2"), [...prune, "--criterion", "l2"]));
  const { flops } = pruned.result!;
  const gone = flops ? ` (${(100 * (1 - flops.after / flops.before)).toFixed(1)} % of FLOPs)` : "";
  await add(`ours, l2, pruned${gone}`, pruned.file);
  const found: Record<"l2" | "with data", number[]> = { l2: [], "with data": [] };
  for (const seed of seeds) {
    const run = (what: "l2" | "with data", name: string, args: readonly string[]) => {
      const made = checked(compress(teacher, at(`${name}-${seed}`), [...args, ...distil, "--seed", `${seed}`]));
      const seconds = made.cost!.wallSeconds;
      return add(`ours, ${what}, recovered`, made.file, { steps: course.steps, seconds, seed });
    };
    found.l2.push(await run("l2", "l2-recovered", ["--student", pruned.file]));
    found["with data"].push(await run("with data", "one-command", prune));
  }
  return found;
}

/** What Torch-Pruning makes of it, kept for the next call with the same settings. */
function theirs(python: string, files: Files, course: Course, settings: RecoverySettings): PeerResult {
  const recoveries = (variant: string) =>
    settings.seeds.map((seed) => ({
      id: `${seed}`,
      order: orderFile(course, seed),
      to: join(folder, "peer", `${variant}-${seed}.npz`),
    }));
  const variant = (scope: "global" | "local", round: number) => {
    const id = `${scope}, ${round ? `in steps of ${round}` : "any width"}`;
    return { id, scope, round, recoveries: recoveries(id) };
  };
  const job = {
    ...course,
    weights: files.weights,
    images: files.seen,
    test: files.test,
    removed,
    variants: [variant("global", 0), variant("global", 8), variant("local", 0), variant("local", 8)],
  };
  const record = join(folder, "peer.json");
  const kept = existsSync(record)
    ? (JSON.parse(readFileSync(record, "utf8")) as { job: unknown; result: PeerResult })
    : undefined;
  if (kept && !settings.fresh && JSON.stringify(kept.job) === JSON.stringify(job)) return kept.result;
  const result = runPeer(python, job);
  writeFileSync(record, JSON.stringify({ job, result }));
  return result;
}

/** The samples in the order in which the product takes them. */
function orderFile({ steps, batch }: Course, seed: number): string {
  const order = new Int32Array(steps * batch);
  for (let start = 0; start < order.length; start += seen) {
    const epoch = shuffled(seen, seed, start / seen);
    order.set(epoch.subarray(0, Math.min(seen, order.length - start)), start);
  }
  const file = join(folder, `order-${seed}.npy`);
  writeFileSync(file, encodeNpy({ dtype: "int32", shape: [order.length], data: order }));
  return file;
}

/** Times of the files against the original, one picture a run. */
function showTimes(files: Files, all: readonly { readonly what: string; readonly file: string }[]): void {
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
  reached: Readonly<Record<string, readonly number[]>>,
  peers: ReadonlyMap<string, readonly number[]>,
): readonly Goal[] {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const best = Math.max(...[...peers.values()].map(mean));
  return Object.entries(reached).flatMap(([how, values]) => {
    const value = mean(values);
    const goal = (text: string, measured: string, met: boolean): Goal => ({
      task: `fashion, ${how}`,
      goal: text,
      measured,
      met,
    });
    return [
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
