import type { Host } from "../cli.js";
import { formatCount, formatDuration } from "../render/quantities.js";
import type { TrainingProgress } from "./training-job.js";

/** Progress of one long step, on stderr only. */
export interface Progress {
  /** `done` of `total` units; shows rate and time left once the step has lasted a second. */
  update(done: number, total: number): void;
  /** Ends the display; `note` stays on the screen of a terminal. */
  stop(note?: string): void;
}

/** Progress of training. */
interface TrainingDisplay {
  update(progress: TrainingProgress): void;
  /** A line that stays. */
  say(text: string): void;
  stop(): void;
}

/** Steps, and seconds, after which the time of a step is known well enough to foretell the end. */
const [stepsSeen, secondsSeen] = [5, 2];

/** Shows loss, rate and time left of training, and foretells its time once a few steps are done. */
export function startTrainingProgress(host: Host): TrainingDisplay {
  const progress = startDisplay(host);
  let first: { readonly done: number; readonly ms: number } | undefined;
  let foretold = false;
  return {
    update({ done, total, loss, rate }) {
      const nowMs = performance.now();
      // the first step also compiled its graph
      first ??= { done, ms: nowMs };
      const steps = done - first.done;
      const seconds = (nowMs - first.ms) / 1000;
      const each = steps > 0 ? seconds / steps : undefined;
      if (each !== undefined && !foretold && steps >= stepsSeen && seconds >= secondsSeen) {
        foretold = true;
        progress.say(`${formatCount(total)} steps will take about ${formatDuration(each * total)}`);
      }
      const left = each === undefined ? "" : `, ${formatDuration(each * (total - done))} left`;
      progress.show(
        `training ${formatCount(done)}/${formatCount(total)} steps (loss ${short(loss)}, rate ${short(rate)}${left})`,
      );
    },
    say: progress.say,
    stop: progress.stop,
  };
}

const short = (value: number): string => String(Number(value.toPrecision(3)));

/** How often a line is printed where no terminal can be redrawn, in ms. */
const lineIntervalMs = 10_000;

/** A line that changes: on a terminal a spinner after 0.5 s, elsewhere (CI, pipes) a line every 10 s. */
interface Display {
  show(text: string): void;
  say(text: string): void;
  stop(note?: string): void;
}

function startDisplay(host: Host, label = ""): Display {
  // a terminal of width 0 (a container's, that was never told its size) would have the spinner clear lines for ever
  const live = host.stderr.isTerminal && !host.env["CI"] && process.stderr.columns !== 0;
  let lastLineMs = performance.now();
  let stopped = false;
  let text = label;
  let spinner: { text: string; clear(): unknown; render(): unknown; stop(): unknown } | undefined;
  const timer = live
    ? setTimeout(async () => {
        const { default: ora } = await import("ora");
        if (!stopped) spinner = ora({ text, stream: process.stderr, discardStdin: false }).start();
      }, 500)
    : undefined;
  timer?.unref();
  return {
    show(line) {
      text = line;
      const nowMs = performance.now();
      if (spinner) spinner.text = text;
      else if (!live && nowMs - lastLineMs >= lineIntervalMs) {
        lastLineMs = nowMs;
        host.stderr.write(`${text}\n`);
      }
    },
    say(line) {
      spinner?.clear();
      host.stderr.write(`${line}\n`);
      spinner?.render();
    },
    stop(note) {
      stopped = true;
      clearTimeout(timer);
      spinner?.stop();
      if (note && live) host.stderr.write(`${note}\n`);
    },
  };
}

/** Starts showing progress of `label`; short steps print nothing where no terminal can be redrawn. */
export function startProgress(host: Host, label: string, unit = ""): Progress {
  const startedMs = performance.now();
  const { show, stop } = startDisplay(host, label);
  return {
    update: (done, total) => show(`${label} ${describe(done, total, unit, (performance.now() - startedMs) / 1000)}`),
    stop,
  };
}

function describe(done: number, total: number, unit: string, seconds: number): string {
  const count = `${done}/${total}${unit ? ` ${unit}` : ""}`;
  if (seconds < 1 || done === 0) return count;
  const rate = done / seconds;
  const left = Math.ceil((total - done) / rate);
  return `${count} (${rate >= 10 ? rate.toFixed(0) : rate.toFixed(1)}/s, ${left} s left)`;
}

/** Shows progress while something is done. */
export async function withProgress<T>(
  host: Host,
  label: string,
  unit: string,
  work: (update: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const progress = startProgress(host, label, unit);
  try {
    return await work(progress.update);
  } finally {
    progress.stop();
  }
}
