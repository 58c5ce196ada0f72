// What pruning comes to, and how it is shown.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { runtimeVersion } from "../../../src/engine/session.js";
import type { Cost } from "../quantize/result.js";
import { type Goal, goalsMarkdown, type TaskResult, table, tasksMarkdown } from "../train/result.js";
import type { Exactness, Frozen } from "./command.js";
import { work } from "./fetch.js";

/** What became of a model. */
export interface ModelRow {
  readonly model: string;
  /** Most of its work is in convolutions. */
  readonly isConvolutional: boolean;
  /** Share of channels, or of time, that was to go. */
  readonly ratio: number;
  readonly bytes?: readonly [before: number, after: number];
  /** Those of weights that could go, of all. */
  readonly prunable?: number;
  readonly parameters?: readonly [before: number, after: number];
  readonly flops?: readonly [before: number, after: number];
  readonly frozen?: readonly Frozen[];
  readonly exactness?: Exactness;
  /** Time of a run over that of the original, and its 95 % interval. */
  readonly time?: number;
  readonly timeInterval?: readonly [number, number];
  /** Of reading, planning, slicing and writing, without checks and times. */
  readonly cost?: Cost;
  readonly error?: string;
}

/** The file `bench-work/prune.json`; calls add up in it. */
interface PruneResult {
  readonly schema: "deepseek/bench-prune@1";
  readonly machine: string;
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  /** With a share of the channels gone, by model and ratio. */
  readonly channels: readonly ModelRow[];
  /** Made faster by a share of the time. */
  readonly latency: readonly ModelRow[];
  /** With recovery. */
  readonly tasks: Readonly<Record<string, TaskResult>>;
}

/** What one call found. */
export interface Found {
  readonly channels?: readonly ModelRow[];
  readonly latency?: readonly ModelRow[];
  readonly tasks?: PruneResult["tasks"];
  readonly versions?: Readonly<Record<string, string>>;
}

/** Puts rows beside those there are, in place of those of the same model and ratio; the whole as Markdown. */
export function keep(found: Found): string {
  const file = join(work, "..", "prune.json");
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as PruneResult) : undefined;
  const joined = (old: readonly ModelRow[] = [], fresh: readonly ModelRow[] = []) => {
    const isSame = (a: ModelRow) => (b: ModelRow) => a.model === b.model && a.ratio === b.ratio;
    return [...old.filter((row) => !fresh.some(isSame(row))), ...fresh];
  };
  const result: PruneResult = {
    schema: "deepseek/bench-prune@1",
    machine: `${cpus().length} x ${cpus()[0]!.model}, Node ${process.version}`,
    date: new Date().toISOString().slice(0, 10),
    versions: { ...before?.versions, onnxruntime: runtimeVersion(), ...found.versions },
    channels: joined(before?.channels, found.channels),
    latency: joined(before?.latency, found.latency),
    tasks: { ...before?.tasks, ...found.tasks },
  };
  mkdirSync(work, { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  const text = markdown(result);
  writeFileSync(file.replace(".json", ".md"), `${text}\n`);
  return text;
}

/** The tables of what there is. */
export function markdown({ channels = [], latency = [], tasks = {} }: Found): string {
  const parts: string[] = [];
  if (channels.length > 0) {
    parts.push("## A share of the channels gone", modelsTable(channels), frozenTable(channels), costTable(channels));
  }
  if (latency.length > 0) parts.push("## By measured latency", latencyTable(latency));
  const goals = [...channels.flatMap(channelGoals), ...channels.flatMap(costGoals), ...latency.flatMap(latencyGoals)];
  if (goals.length > 0) parts.push("## Goals", goalsMarkdown(goals));
  if (Object.keys(tasks).length > 0) parts.push("## With recovery", tasksMarkdown(tasks));
  return parts.join("\n\n");
}

/**
 * At most this far from the original with the same channels at 0, itself or as a share of its largest output: of a map of
 * probabilities that pruning has left next to nothing of, a share says nothing.
 */
const exact = 1e-5;
/** Times faster with half of the channels, where most of the work is in convolutions. */
const faster = 1.7;
/** Points of time by which `--by latency` may miss. */
const near = 0.05;

const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const number = (value: number) => value.toLocaleString("en", { maximumFractionDigits: 0 });
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;

/** "1.93x [1.90, 1.96]". */
function speed({ time, timeInterval }: ModelRow): string {
  if (time === undefined) return "";
  const range = timeInterval?.map((end) => (1 / end).toFixed(2)).reverse();
  return `${(1 / time).toFixed(2)}x${range ? ` [${range.join(", ")}]` : ""}`;
}

/** A row in a line, to watch. */
export function lineOf(row: ModelRow): string {
  const { ratio, error, prunable, parameters, bytes, exactness } = row;
  if (error !== undefined || !parameters || !bytes) return `  ${percent(ratio, 0)}: ${error}`;
  return [
    `  ${percent(ratio, 0)}: ${percent(prunable ?? 0)} prunable, parameters -${percent(1 - parameters[1] / parameters[0], 0)}`,
    `file -${percent(1 - bytes[1] / bytes[0], 0)}`,
    ...(row.time === undefined ? [] : [speed(row)]),
    ...(exactness ? [`error ${exactness.relative.toExponential(1)}`] : []),
  ].join(", ");
}

function modelsTable(rows: readonly ModelRow[]): string {
  const pair = (values: readonly [number, number] | undefined, show: (value: number) => string) =>
    values ? `${values.map(show).join(" -> ")} (-${percent(1 - values[1] / values[0], 0)})` : "";
  return table(
    [
      "model",
      "channels gone",
      "prunable",
      "parameters",
      "file",
      "FLOPs",
      "speed",
      "error, relative",
      "error, absolute",
    ],
    rows.map((row) => [
      row.model,
      percent(row.ratio, 0),
      row.error ?? (row.prunable === undefined ? "" : percent(row.prunable)),
      pair(row.parameters, number),
      pair(row.bytes, megabytes),
      row.flops ? `-${percent(1 - row.flops[1] / row.flops[0], 0)}` : "",
      speed(row),
      row.exactness ? row.exactness.relative.toExponential(1) : "",
      row.exactness ? row.exactness.maxAbs.toExponential(1) : "",
    ]),
  );
}

function frozenTable(rows: readonly ModelRow[]): string {
  const models = new Map(rows.map((row) => [row.model, row]));
  return table(
    ["model", "frozen by", "nodes", "parameters", "why"],
    [...models.values()].flatMap(({ model, frozen = [] }) => {
      const kinds = new Map<string, readonly Frozen[]>();
      for (const one of frozen) {
        const key = `${one.operator}: ${one.why}`;
        kinds.set(key, [...(kinds.get(key) ?? []), one]);
      }
      const sizeOf = (same: readonly Frozen[]) => same.reduce((sum, { parameters }) => sum + parameters, 0);
      return [...kinds.values()]
        .sort((a, b) => sizeOf(b) - sizeOf(a))
        .map((same) => [model, same[0]!.operator, `${same.length}`, number(sizeOf(same)), same[0]!.why]);
    }),
  );
}

function costTable(rows: readonly ModelRow[]): string {
  return table(
    ["model", "channels gone", "plan and slice, s", "CPU, s", "peak memory", "over the file"],
    rows.flatMap(({ model, ratio, cost, bytes }) => {
      if (!cost || !bytes) return [];
      const { wallSeconds, cpuSeconds, peakBytes } = cost;
      const peak = [megabytes(peakBytes), `${(peakBytes / bytes[0]).toFixed(2)}x`];
      return [[model, percent(ratio, 0), wallSeconds.toFixed(2), cpuSeconds.toFixed(2), ...peak]];
    }),
  );
}

function latencyTable(rows: readonly ModelRow[]): string {
  return table(
    ["model", "faster by, asked", "measured", "95 %", "parameters"],
    rows.map(({ model, ratio, time, timeInterval, parameters, error }) => [
      model,
      percent(ratio, 0),
      error ?? (time === undefined ? "" : percent(1 - time)),
      timeInterval
        ?.map((end) => percent(1 - end))
        .reverse()
        .join(" to ") ?? "",
      parameters ? `-${percent(1 - parameters[1] / parameters[0], 0)}` : "",
    ]),
  );
}

function channelGoals(row: ModelRow): readonly Goal[] {
  const { model, ratio, prunable, exactness, time, error } = row;
  const task = `${model}, ${percent(ratio, 0)}`;
  if (error) return [{ task, goal: "is pruned", measured: error, met: false }];
  const goals: Goal[] = [];
  if (prunable !== undefined) {
    goals.push({ task, goal: "at least 90 % prunable", measured: percent(prunable), met: prunable >= 0.9 });
  }
  if (exactness) {
    const { relative, maxAbs } = exactness;
    const measured = `${relative.toExponential(1)} of the largest, ${maxAbs.toExponential(1)}`;
    goals.push({ task, goal: `error at most ${exact}`, measured, met: Math.min(relative, maxAbs) <= exact });
  }
  if (time !== undefined && ratio === 0.5 && row.isConvolutional) {
    goals.push({ task, goal: `at least ${faster}x as fast`, measured: speed(row), met: 1 / time >= faster });
  }
  return goals;
}

/** Files from this size on are to be planned and cut in little time and memory. */
const big = 100e6;
const seconds = 5;
const copies = 2;

/** Start of the program, reading and writing are counted as well. */
function costGoals({ model, ratio, cost, bytes }: ModelRow): readonly Goal[] {
  if (!cost || !bytes || bytes[0] < big) return [];
  const task = `${model}, ${percent(ratio, 0)}`;
  const { wallSeconds, peakBytes } = cost;
  const times = peakBytes / bytes[0];
  return [
    { task, goal: `under ${seconds} s`, measured: `${wallSeconds.toFixed(1)} s`, met: wallSeconds < seconds },
    { task, goal: `under ${copies}x the file in memory`, measured: `${times.toFixed(2)}x`, met: times < copies },
  ];
}

function latencyGoals({ model, ratio, time, error }: ModelRow): readonly Goal[] {
  const goal = `within ${100 * near} points of ${percent(ratio, 0)} faster`;
  if (time === undefined) return error ? [{ task: model, goal, measured: error, met: false }] : [];
  return [{ task: model, goal, measured: percent(1 - time), met: Math.abs(1 - time - ratio) <= near }];
}
