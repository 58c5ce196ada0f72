import { hodgesLehmannShift } from "../compare/rank-sum.js";
import { judge, type RatioVerdict } from "../compare/verdict.js";
import type { BenchResult, Metric, ModelResult, StoredComparison } from "./result.js";

/** What differs between two runs, in words; both empty where they can be compared as they are. */
export interface Differences {
  readonly environment: readonly string[];
  readonly workload: readonly string[];
}

/** Machine and versions, samples and settings, as far as times depend on them. */
export function differencesOf(old: BenchResult, now: BenchResult): Differences {
  const say = (name: string, before: unknown, after: unknown): readonly string[] => {
    const [a, b] = [before, after].map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    return a === b ? [] : [`${name} ${a} then, ${b} now`];
  };
  const [then, here] = [old.environment, now.environment];
  return {
    environment: [
      ...say("CPU", then.cpu, here.cpu),
      ...say("cores", then.cores, here.cores),
      ...say("CPU features", then.cpuFlags, here.cpuFlags),
      ...say("onnxruntime", then.onnxruntime, here.onnxruntime),
      ...say("Node.js", then.node.split(".")[0], here.node.split(".")[0]),
    ],
    workload: [
      ...say("samples", old.samples.source, now.samples.source),
      ...say("shapes", old.samples.shapes, now.samples.shapes),
      ...say("session entries", old.settings.session, now.settings.session),
      ...say("points", labels(old), labels(now)),
      ...say("threads", old.settings.threads, now.settings.threads),
    ],
  };
}

const labels = ({ point, sweep }: BenchResult) => [point, ...sweep].map(({ label }) => label);

/**
 * Models of this run against those of a stored one: each against the one of its label, or against the stored baseline.
 * The rounds are not paired: a drift of the machine between the runs counts as a difference of the models.
 */
export function compareWithStored(old: BenchResult, now: BenchResult, source: string): readonly StoredComparison[] {
  const { metric, tolerance } = now.settings;
  const before = new Map(pointsOf(old).map((point) => [point.label, point.models]));
  return pointsOf(now).flatMap(({ label: point, models }) => {
    const stored = before.get(point);
    if (!stored) return [];
    return models
      .filter(({ role }) => role !== "control")
      .map((model): StoredComparison => {
        const own = stored.find(({ label, role }) => label === model.label && role !== "control") ?? stored[0]!;
        const compared = (which: Metric) => shift(own, model, which, tolerance);
        return {
          candidate: model.label,
          baseline: `${own.label} of ${source}`,
          point,
          sameFile: own.sha256 === model.sha256,
          time: compared(metric),
          other: compared(metric === "cpu" ? "wall" : "cpu"),
          sizeRatio: model.bytes / own.bytes,
        };
      });
  });
}

const pointsOf = (result: BenchResult) => [
  { label: result.point.label, models: result.models },
  ...result.sweep.map(({ label, models }) => ({ label, models })),
];

function shift(old: ModelResult, now: ModelResult, metric: Metric, tolerance: number): RatioVerdict {
  const [before, after] = [old, now].map(({ rounds }) => rounds.map((round) => Math.log(round[metric].median)));
  if (![...before!, ...after!].every(Number.isFinite) || before!.length === 0 || after!.length === 0) {
    return { ratio: null, interval: null, verdict: "missing" };
  }
  return judge(hodgesLehmannShift(before!, after!), Math.min(before!.length, after!.length), tolerance);
}
