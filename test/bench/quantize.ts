// Size, accuracy and speed of real models as `deepseek compress` and Python's onnxruntime.quantization leave them, and
// what quantizing costs: `npm run bench:quantize`. Needs a network for models and the peer, and GNU time.
// `--models rec,cls` and `--variants int8,py-static` for some of them, `--quick` for fewer rounds, `--no-speed`,
// `--cost 5` to make every file five times, in turn, and measure nothing but what that costs, `--fresh` to run the peer
// again (its files are kept), `--judged 1000` for more pages or lines than usual, `--seed 5` for others (those are
// shown and not kept: what is tuned must not be tuned to the published ones). Results add up in bench-work/quantize.json
// and quantize.md.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { median } from "../../src/bench/compare/statistics.js";
import { openSession, runtimeVersion } from "../../src/engine/session.js";
import { dropInterval } from "./quantize/bootstrap.js";
import { costOf } from "./quantize/cost.js";
import { python, work } from "./quantize/fetch.js";
import { type Counts, drop, type Harness, type Prepared, type Sampling, sumOf } from "./quantize/harness.js";
import { harnesses } from "./quantize/models.js";
import { type Cost, markdown, type Result, type Row } from "./quantize/result.js";
import { writeSamples } from "./quantize/samples.js";
import { compareTimes } from "./quantize/speed.js";
import { labelsOf, type Variant, variants } from "./quantize/variants.js";

const flag = (name: string) => process.argv.includes(name);
const listed = (name: string) => (flag(name) ? process.argv[process.argv.indexOf(name) + 1]!.split(",") : undefined);
const program = resolve("bin", "deepseek.js");
const peer = resolve("test", "bench", "quantize", "peer.py");
const resultFile = resolve("bench-work", "quantize.json");

/** `--cost n`: how often each file is made to say what that costs. */
const costTurns = Number(listed("--cost")?.[0] ?? 0);
/** How many samples judge, and which. */
const sampling: Sampling = {
  ...(flag("--judged") && { count: Number(listed("--judged")![0]) }),
  ...(flag("--seed") && { seed: Number(listed("--seed")![0]) }),
};
const isUsual = sampling.count === undefined && sampling.seed === undefined;
const suffix = sampling.seed === undefined ? "" : `-${sampling.seed}`;
/** From this size ratio on a file holds its weights as they were. */
const nothingDone = 0.97;

/** Makes the files so many times, in turn, and takes the medians of what it cost. */
function repeatedCosts(harness: Harness, chosen: readonly Variant[]): readonly Row[] {
  const model = harness.model();
  if (!model) return [];
  console.log(`\n${harness.title}`);
  const data = join(work, "data", harness.id, "calibration");
  const all = new Map<string, Cost[]>();
  for (let turn = 0; turn < costTurns; turn++) {
    for (const variant of chosen) {
      // ours waits until its file is on the disk, the peer does not, and whoever comes next would write its file for it
      spawnSync("sync");
      const cost = make(harness, model, variant, data, true)?.row.cost;
      if (cost) all.set(variant.id, [...(all.get(variant.id) ?? []), cost]);
    }
  }
  const middle = (costs: readonly Cost[], pick: (cost: Cost) => number) => median(costs.map(pick));
  return [...all].map(([variant, costs]) => {
    const cost: Cost = {
      wallSeconds: middle(costs, (one) => one.wallSeconds),
      cpuSeconds: middle(costs, (one) => one.cpuSeconds),
      peakBytes: Math.max(...costs.map((one) => one.peakBytes)),
    };
    const peak = `${(cost.peakBytes / 1e6).toFixed(0)} MB`;
    console.log(`  ${variant}: ${cost.wallSeconds.toFixed(2)} s, CPU ${cost.cpuSeconds.toFixed(2)} s, peak ${peak}`);
    return { model: harness.id, variant, cost };
  });
}

/** Makes the file of a variant, unless the peer has made it before. */
function make(
  harness: Harness,
  model: string,
  variant: Variant,
  data: string,
  again = flag("--fresh"),
): { file: string; row: Row } | undefined {
  const folder = join(work, "files", harness.id);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${variant.id}.onnx`);
  const kept = join(folder, `${variant.id}.json`);
  if (variant.by === "python" && !again && existsSync(kept)) {
    return { file, row: JSON.parse(readFileSync(kept, "utf8")) as Row };
  }
  rmSync(file, { force: true });
  const args = variant.args(data);
  const interpreter = variant.by === "python" ? python() : undefined;
  if (variant.by === "python" && !interpreter) return undefined;
  const { cost, error } = interpreter
    ? costOf([interpreter, peer, model, file, ...args], work, (code) => code === 0)
    : // exit code 1: written, but worse than asked for
      costOf(
        [process.execPath, program, "compress", model, "-o", file, ...args],
        work,
        (code) => code <= 1 && existsSync(file),
      );
  const made = existsSync(file) ? { bytes: statSync(file).size } : undefined;
  const row: Row = {
    model: harness.id,
    variant: variant.id,
    cost,
    ...(made && { ...made, sizeRatio: made.bytes / statSync(model).size }),
    ...(error && { error }),
  };
  if (variant.by === "python") writeFileSync(kept, JSON.stringify(row));
  return { file, row };
}

async function judge(prepared: Prepared, file: string): Promise<readonly Counts[]> {
  const session = await openSession(file);
  try {
    return await prepared.judge(session.run);
  } finally {
    await session.close();
  }
}

/** What is known of a model after one call of this script. */
interface Measured {
  readonly baseline: Result["baselines"][string];
  readonly rows: readonly Row[];
}

async function measure(harness: Harness, chosen: readonly Variant[]): Promise<Measured | undefined> {
  const model = harness.model();
  if (!model) return undefined;
  console.log(`\n${harness.title}`);
  const session = await openSession(model);
  const fewer = flag("--quick") && harness.quickCount ? { count: harness.quickCount } : {};
  const prepared = await harness.prepare(session.run, { ...fewer, ...sampling });
  if (!prepared) {
    await session.close();
    return undefined;
  }
  const [calibration, heldOut] = ["calibration", "held-out"].map((name) =>
    join(work, "data", `${harness.id}${suffix}`, name),
  );
  writeSamples(calibration!, prepared.calibration);
  writeSamples(heldOut!, prepared.heldOut);
  if (prepared.labels) writeFileSync(labelsOf(calibration!), JSON.stringify(prepared.labels));
  const counts = prepared.baseline ?? (await prepared.judge(session.run));
  const scores = harness.scoresOf(sumOf(counts));
  await session.close();
  const baseline = { bytes: statSync(model).size, scores, samples: counts.length };
  say("fp32", scores, harness);
  for (const [at, value] of (isUsual ? (harness.expected ?? []) : []).entries()) {
    const { name } = harness.measures[at]!;
    if (Math.abs(scores[at]! - value) > 0.1) console.log(`  ${name}: ${value} was expected of the fp32 model`);
  }
  const rows: Row[] = [];
  const measured: { file: string; at: number }[] = [];
  for (const variant of chosen) {
    if (variant.id.endsWith("-metric") && !prepared.labels) continue;
    const made = make(harness, model, variant, calibration!);
    if (!made) continue;
    let { row } = made;
    if (row.sizeRatio !== undefined && row.sizeRatio > nothingDone && variant.by === "python") {
      row = { ...row, error: "quantized nothing" };
    } else if (row.bytes !== undefined) {
      try {
        const found = await judge(prepared, made.file);
        const interval = dropInterval(harness, counts, found);
        row = { ...row, scores: harness.scoresOf(sumOf(found)), ...(interval && { dropInterval: interval }) };
        measured.push({ file: made.file, at: rows.length });
      } catch (error) {
        row = { ...row, error: (error as Error).message.replaceAll(work, "").slice(0, 300) };
      }
    }
    rows.push(row);
    if (row.scores) say(variant.id, row.scores, harness, scores, row);
    else console.log(`  ${variant.id}: ${row.error}`);
  }
  if (!flag("--no-speed") && measured.length > 0) {
    // big models one at a time: all that are compared are in memory at once
    const patience = { slow: harness.slow, quick: flag("--quick") };
    const groups = harness.slow ? measured.map((one) => [one]) : [measured];
    for (const group of groups) {
      const files = group.map(({ file }) => file);
      for (const [index, { time, agreement }] of compareTimes(model, files, heldOut!, patience).entries()) {
        const { at } = group[index]!;
        const { ratio, interval } = time;
        rows[at] = {
          ...rows[at]!,
          ...(ratio !== null && { timeRatio: ratio }),
          ...(interval && { timeInterval: [interval.lower, interval.upper] as const }),
          ...(agreement.total.sqnrDb !== null && { sqnrDb: agreement.total.sqnrDb }),
        };
        console.log(`  ${rows[at]!.variant}: time ${ratio?.toFixed(3)}, SQNR ${agreement.total.sqnrDb?.toFixed(1)} dB`);
      }
    }
  }
  return { baseline, rows };
}

function say(
  label: string,
  scores: readonly number[],
  { measures }: Harness,
  before?: readonly number[],
  { sizeRatio: size, dropInterval }: Partial<Row> = {},
): void {
  const range = dropInterval ? ` [${dropInterval.map((end) => end.toFixed(2)).join(", ")}]` : "";
  const lost = before ? ` drop ${drop(measures[0]!, before[0]!, scores[0]!).toFixed(2)}${range}` : "";
  const all = scores.map((value, at) => `${measures[at]!.name} ${value.toFixed(2)}`).join(", ");
  console.log(`  ${label}: ${size === undefined ? "" : `size ${size.toFixed(3)}`}${lost} (${all})`);
}

function earlier(): Result {
  if (existsSync(resultFile)) return JSON.parse(readFileSync(resultFile, "utf8")) as Result;
  return { schema: "deepseek/bench-quantize@1", machine: "", date: "", versions: {}, baselines: {}, rows: [] };
}

mkdirSync(work, { recursive: true });
const models = listed("--models");
const wanted = listed("--variants");
const chosen = variants.filter(({ id }) => !wanted || wanted.includes(id));
const unknown = [
  ...(models ?? []).filter((id) => !harnesses.some((one) => one.id === id)),
  ...(wanted ?? []).filter((id) => !variants.some((one) => one.id === id)),
];
if (unknown.length > 0) {
  const known = [...harnesses, ...variants].map(({ id }) => id).join(", ");
  throw new Error(`unknown: ${unknown.join(", ")}; there are ${known}`);
}
const interpreter = chosen.some(({ by }) => by === "python") ? python() : undefined;
const versionOf = (name: string) =>
  spawnSync(interpreter!, ["-c", `import ${name}; print(${name}.__version__)`], { encoding: "utf8" }).stdout.trim();
const versions = {
  "onnxruntime-node": runtimeVersion(),
  ...(interpreter && { "Python's onnxruntime": versionOf("onnxruntime") }),
};

/** Adds to the files what is new; another call of this script may have written there meanwhile. */
function save(rows: readonly Row[], baselines: Result["baselines"]): void {
  const before = earlier();
  const same = (row: Row) => (other: Row) => other.model === row.model && other.variant === row.variant;
  const result: Result = {
    ...before,
    machine: `${cpus()[0]!.model}, ${cpus().length} CPUs`,
    date: new Date().toISOString().slice(0, 10),
    versions: { ...before.versions, ...versions },
    baselines: { ...before.baselines, ...baselines },
    rows: [
      ...before.rows.filter((row) => !rows.some(same(row))),
      // costs alone leave the rest as it was
      ...rows.map((row) => (costTurns > 0 ? { ...before.rows.find(same(row)), ...row } : row)),
    ],
  };
  writeFileSync(resultFile, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(resultFile.replace(".json", ".md"), markdown(result, harnesses, variants));
}

for (const harness of harnesses) {
  if (models && !models.includes(harness.id)) continue;
  try {
    if (costTurns > 0) {
      save(repeatedCosts(harness, chosen), {});
    } else {
      const measured = await measure(harness, chosen);
      if (measured && sampling.seed === undefined) save(measured.rows, { [harness.id]: measured.baseline });
    }
  } catch (error) {
    console.log(`${harness.id}: ${(error as Error).message}`);
  }
}
