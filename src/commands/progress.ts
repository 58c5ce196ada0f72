import type { Host } from "../cli.js";

/** Progress of one long step, on stderr only. */
export interface Progress {
  /** `done` of `total` units; shows rate and time left once the step has lasted a second. */
  update(done: number, total: number): void;
  /** Ends the display; `note` stays on the screen of a terminal. */
  stop(note?: string): void;
}

/** How often a line is printed where no terminal can be redrawn, in ms. */
const lineIntervalMs = 10_000;

/**
 * Starts showing progress of `label`. On a terminal: a spinner after 0.5 s. Elsewhere (CI, pipes): a line every
 * 10 s, so that short steps print nothing.
 */
export function startProgress(host: Host, label: string, unit = ""): Progress {
  const startedMs = performance.now();
  // a terminal of width 0 (a container's, that was never told its size) would have the spinner clear lines for ever
  const live = host.stderr.isTerminal && !host.env["CI"] && process.stderr.columns !== 0;
  let lastLineMs = startedMs;
  let stopped = false;
  let text = label;
  let spinner: { text: string; stop(): unknown } | undefined;
  const timer = live
    ? setTimeout(async () => {
        const { default: ora } = await import("ora");
        if (!stopped) spinner = ora({ text, stream: process.stderr, discardStdin: false }).start();
      }, 500)
    : undefined;
  timer?.unref();
  return {
    update(done, total) {
      const nowMs = performance.now();
      text = `${label} ${describe(done, total, unit, (nowMs - startedMs) / 1000)}`;
      if (spinner) spinner.text = text;
      else if (!live && nowMs - lastLineMs >= lineIntervalMs) {
        lastLineMs = nowMs;
        host.stderr.write(`${text}\n`);
      }
    },
    stop(note) {
      stopped = true;
      clearTimeout(timer);
      spinner?.stop();
      if (note && live) host.stderr.write(`${note}\n`);
    },
  };
}

function describe(done: number, total: number, unit: string, seconds: number): string {
  const count = `${done}/${total}${unit ? ` ${unit}` : ""}`;
  if (seconds < 1 || done === 0) return count;
  const rate = done / seconds;
  const left = Math.ceil((total - done) / rate);
  return `${count} (${rate >= 10 ? rate.toFixed(0) : rate.toFixed(1)}/s, ${left} s left)`;
}
