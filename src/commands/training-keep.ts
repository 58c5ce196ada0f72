import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";
import type { TrainingRecord } from "../train/task.js";
import { absolute, readInput, reason, statsOf, writeWhole } from "./files.js";

/** The folder where a run keeps what it can go on from. */
export interface Keeper {
  /** Where training goes on from; undefined for a fresh start. */
  readonly resume: Uint8Array | undefined;
  keep(kind: "last" | "best", bytes: Uint8Array): void;
  log(record: TrainingRecord): void;
  /** All records, those of the run that this one goes on with too. */
  records(): readonly TrainingRecord[];
  /** Whether a checkpoint is there. */
  hasLast(): boolean;
  /** Writes what is not on the disk yet. */
  flush(): void;
}

const names = { last: "last.safetensors", best: "best.safetensors", run: "run.json", log: "log.jsonl" } as const;

/** Records are written together, but at least this often, in ms. */
const flushMs = 1000;

/** Whether a folder has something to go on from. */
export function hasCheckpoint(host: Host, folder: string): boolean {
  return existsSync(join(absolute(host, folder), names.last));
}

/**
 * Opens the folder of a run. `run` says what it is of, by what each part is called in words: a checkpoint of another run
 * is not taken. With `logFile` records also go there. Throws a UserError.
 */
export function openKeeper(
  host: Host,
  folder: string,
  run: Readonly<Record<string, string>>,
  how: { readonly resume: boolean; readonly force: boolean; readonly logFile: string | undefined },
): Keeper {
  const home = absolute(host, folder);
  const pathOf = (name: keyof typeof names) => join(home, names[name]);
  const there = hasCheckpoint(host, folder);
  if (how.resume && !there) throw new UserError(`--resume: ${folder} holds no checkpoint; leave --resume out to start`);
  if (!how.resume && there && !how.force) {
    throw new UserError(
      `${folder}: holds the checkpoint of an earlier run; --resume goes on from it, --force starts anew`,
    );
  }
  const earlier = how.resume ? readRun(host, join(folder, names.run)) : undefined;
  for (const [what, value] of Object.entries(run)) {
    if (!earlier || earlier[what] === value) continue;
    throw new UserError(
      `--resume: the checkpoint in ${folder} is of another run: ${what} was ${earlier[what] ?? "not known"}, here it is ${value}; leave --resume out and start anew with --force`,
    );
  }
  try {
    mkdirSync(home, { recursive: true });
    // what a run that was killed left half-written
    for (const name of readdirSync(home)) if (/^\.deepseek-.*\.tmp$/.test(name)) rmSync(join(home, name));
    if (!how.resume) for (const name of Object.values(names)) rmSync(join(home, name), { force: true });
  } catch (error) {
    throw new UserError(`${folder}: checkpoints cannot be kept there: ${reason(error)}`);
  }
  writeWhole(host, join(folder, names.run), `${JSON.stringify(run, undefined, 2)}\n`);
  const logs = [pathOf("log"), ...(how.logFile === undefined ? [] : [absolute(host, how.logFile)])];
  const records: TrainingRecord[] = how.resume ? readLog(pathOf("log")) : [];
  const resume = how.resume ? readInput(host, join(folder, names.last), "checkpoint") : undefined;
  let pending: string[] = [];
  let begun = false;
  let flushedMs = performance.now();
  const write = (path: string, text: string, whole: boolean) => {
    try {
      if (whole) writeFileSync(path, text);
      else appendFileSync(path, text);
    } catch (error) {
      throw new UserError(`${path}: the log cannot be written: ${reason(error)}`);
    }
  };
  const flush = () => {
    flushedMs = performance.now();
    if (begun && pending.length === 0) return;
    // at first the log is made anew: without what came after the checkpoint
    const text = begun ? pending.join("") : records.map(lineOf).join("");
    for (const path of logs) write(path, text, !begun);
    begun = true;
    pending = [];
  };
  return {
    resume,
    records: () => records,
    hasLast: () => existsSync(pathOf("last")),
    flush,
    keep(kind, bytes) {
      flush();
      writeWhole(host, join(folder, names[kind]), bytes);
    },
    log(record) {
      // what came after the checkpoint comes again
      if (!begun) records.splice(0, records.length, ...records.filter(({ step }) => step < record.step));
      records.push(record);
      if (begun) pending.push(lineOf(record));
      if (!begun || performance.now() - flushedMs >= flushMs) flush();
    },
  };
}

const lineOf = (record: TrainingRecord): string => `${JSON.stringify(record)}\n`;

function readRun(host: Host, path: string): Readonly<Record<string, string>> {
  const bytes = readInput(host, path, "description of the run");
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, string>>;
  } catch {
    throw new UserError(`${path}: is damaged; leave --resume out and start anew with --force`);
  }
}

/** The lines of a log; the last one may be cut off. */
function readLog(path: string): TrainingRecord[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as TrainingRecord];
      } catch {
        return [];
      }
    });
}

/** Removes the folder of a run that is done. */
export function dropCheckpoints(host: Host, folder: string): void {
  const home = absolute(host, folder);
  for (const name of Object.values(names)) rmSync(join(home, name), { force: true });
  try {
    // somebody else's files keep the folder
    if (statsOf(host, folder) && readdirSync(home).length === 0) rmSync(home, { recursive: true });
  } catch (error) {
    throw new UserError(`${folder} in ${dirname(home)}: cannot be removed: ${reason(error)}`);
  }
}
