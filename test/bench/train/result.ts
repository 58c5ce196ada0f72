// What the training tasks come to, and how it is shown.

/** One model of a task. */
export interface Row {
  readonly task: string;
  readonly what: string;
  readonly measure: string;
  readonly value: number;
  /** Float weights, and bytes of the file. */
  readonly weights?: number;
  readonly bytes?: number;
  readonly steps?: number;
  /** Of training, wall clock. */
  readonly seconds?: number;
  readonly seed?: number;
}

/** A number that was to be reached. */
export interface Goal {
  readonly task: string;
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

/** What a task gives. */
export interface TaskResult {
  readonly rows: readonly Row[];
  readonly goals: readonly Goal[];
}

/** The file `bench-work/train.json`; tasks and timings add up in it. */
export interface TrainResult {
  readonly schema: "deepseek/bench-train@1";
  readonly machine: string;
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly tasks: Readonly<Record<string, TaskResult>>;
  readonly speed?: SpeedResult;
}

/** The timings of all models; see speed.ts. */
interface SpeedResult {
  readonly rows: readonly SpeedRow[];
  readonly goals: readonly Goal[];
}

/** How one engine trains one model. */
export interface SpeedRow {
  readonly model: string;
  readonly engine: string;
  readonly threads: number;
  readonly stepsPerSecond: number;
  /** CPU time of all threads, a step. */
  readonly cpuMs: number;
  readonly peakBytes: number;
  /** Of the first steps. */
  readonly losses: readonly number[];
  readonly error?: string;
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** What tasks came to. */
export function tasksMarkdown(tasks: TrainResult["tasks"]): string {
  const all = Object.values(tasks);
  const number = (value: number | undefined, digits = 0) =>
    value === undefined ? "" : value.toLocaleString("en", { maximumFractionDigits: digits });
  return [
    table(
      ["task", "model", "measure", "value", "weights", "bytes", "steps", "training, s"],
      all.flatMap(({ rows }) =>
        rows.map((row) => [
          row.task,
          row.seed === undefined ? row.what : `${row.what}, seed ${row.seed}`,
          row.measure,
          `${row.value.toFixed(2)} %`,
          number(row.weights),
          number(row.bytes),
          number(row.steps),
          number(row.seconds),
        ]),
      ),
    ),
    goalsMarkdown(all.flatMap(({ goals }) => goals)),
  ].join("\n\n");
}

/** Goals and whether they are met. */
export function goalsMarkdown(goals: readonly Goal[]): string {
  return table(
    ["task", "goal", "measured", ""],
    goals.map(({ task, goal, measured, met }) => [task, goal, measured, met ? "met" : "missed"]),
  );
}
