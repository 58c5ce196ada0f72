import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
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
  /** Removes what a run left that came to no checkpoint. */
  discard(): void;
}

const names = { last: "last.safetensors", best: "best.safetensors", run: "run.json", log: "log.jsonl" } as const;

/** Records are written together, but at least this often, in ms. */
const flushMs = 1000;

/** Whether a folder has something to go on from. */
export function hasCheckpoint(host: Host, folder: string): boolean {
  return existsSync(join(absolute(host, folder), names.last));
}

/** What is said of a checkpoint that nobody asked to go on from. */
export const earlierRun = (folder: string): string =>
  `${folder}: holds the checkpoint of an earlier run; --resume goes on from it, --force starts anew`;

/**
 * Opens the folder of a run. `run` says what it is of, by what each part is called in words: a checkpoint of another run
 * is not taken. The folder comes with the first checkpoint: there is nothing to go on from in an empty one. With `logFile`
 * records also go there. Throws a UserError.
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
    throw new UserError(earlierRun(folder));
  }
  const earlier = how.resume ? readRun(host, join(folder, names.run)) : undefined;
  for (const [what, value] of Object.entries(run)) {
    if (!earlier || earlier[what] === value) continue;
    throw new UserError(
      `--resume: the checkpoint in ${folder} is of another run: ${what} was ${earlier[what] ?? "not known"}, here it is ${value}; leave --resume out and start anew with --force`,
    );
  }
  if (there && !how.resume) dropCheckpoints(host, folder);
  const cannot = (error: unknown) => new UserError(`${folder}: checkpoints cannot be kept there: ${reason(error)}`);
  try {
    leave(home, mkdirSync(home, { recursive: true }));
    if (existsSync(home)) accessSync(home, constants.W_OK);
    // what a run that was killed left half-written
    if (how.resume)
      for (const name of readdirSync(home)) if (/^\.deepseek-.*\.tmp$/.test(name)) rmSync(join(home, name));
  } catch (error) {
    throw cannot(error);
  }
  const records: TrainingRecord[] = how.resume ? readLog(pathOf("log")) : [];
  const resume = how.resume ? readInput(host, join(folder, names.last), "checkpoint") : undefined;
  const logs: LogFile[] = how.logFile === undefined ? [] : [openLog(absolute(host, how.logFile))];
  let begun = false;
  let made: string | undefined;
  let flushedMs = performance.now();
  const begin = () => {
    begun = true;
    logs.push(openLog(pathOf("log")));
    if (how.resume) return;
    try {
      made = mkdirSync(home, { recursive: true });
      for (const name of Object.values(names)) rmSync(join(home, name), { force: true });
    } catch (error) {
      throw cannot(error);
    }
    writeWhole(host, join(folder, names.run), `${JSON.stringify(run, undefined, 2)}\n`);
  };
  const flush = () => {
    flushedMs = performance.now();
    for (const log of logs) log.write(records);
  };
  if (how.resume) begin();
  let goesOn = false;
  return {
    resume,
    records: () => records,
    hasLast: () => existsSync(pathOf("last")),
    flush,
    keep(kind, bytes) {
      if (!begun) begin();
      flush();
      writeWhole(host, join(folder, names[kind]), bytes);
    },
    log(record) {
      const isFirst = !goesOn;
      // what came after the checkpoint comes again
      if (isFirst) records.splice(0, records.length, ...records.filter(({ step }) => step < record.step));
      goesOn = true;
      records.push(record);
      if (isFirst || performance.now() - flushedMs >= flushMs) flush();
    },
    discard() {
      if (!begun || how.resume) return;
      for (const name of Object.values(names)) rmSync(join(home, name), { force: true });
      if (existsSync(home) && readdirSync(home).length === 0) leave(home, made);
    },
  };
}

/** Removes a folder that is empty, and those around it, up to the first that was `made`; none where none was. */
function leave(home: string, made: string | undefined): void {
  if (made === undefined) return;
  for (let at = home; at.length >= made.length; at = dirname(at)) rmdirSync(at);
}

/** A log that is made anew at first, without what came after the checkpoint, and then grows. */
interface LogFile {
  write(records: readonly TrainingRecord[]): void;
}

function openLog(path: string): LogFile {
  let written = 0;
  return {
    write(records) {
      const text = records.slice(written).map(lineOf).join("");
      // an earlier run's is emptied, but none is made of nothing
      if (text === "" && (written > 0 || !existsSync(path))) return;
      try {
        if (written === 0) writeFileSync(path, text);
        else appendFileSync(path, text);
      } catch (error) {
        throw new UserError(`${path}: the log cannot be written: ${reason(error)}`);
      }
      written = records.length;
    },
  };
}

/** Removes a log in which nothing stands: a thread that dies while it writes leaves such a one. */
export function dropEmptyLog(host: Host, path: string): void {
  if (statsOf(host, path)?.size === 0) rmSync(absolute(host, path), { force: true });
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
