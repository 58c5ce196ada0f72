import type { Clock } from "./sender.js";

/** Longest stretch before a moment that is spent asking for the time, in seconds: timers fire up to that much late. */
const mostSpinning = 1.2e-3;
/** Share of the time that may be spent so: at high rates timers alone have to do, or waiting would fill the event loop. */
const spinningShare = 0.05;
/** Longer ones fire at once, in milliseconds. */
const longestTimer = 2 ** 31 - 1;

/**
 * The clock of the process, in seconds. Waits are precise to some 10 us where there is time between them: a timer until
 * shortly before, then turns of the event loop. A moment that has passed resolves in the next turn of the event loop, so
 * that a sender that is behind does not starve the sockets.
 */
export function systemClock(): Clock {
  const now = () => performance.now() / 1000;
  let spunUntil = now();
  return {
    now,
    until(time, stop) {
      return new Promise((resolve) => {
        if (stop?.aborted === true) {
          resolve();
          return;
        }
        const asked = now();
        const spinning = Math.min(mostSpinning, spinningShare * Math.max(0, time - Math.max(asked, spunUntil)));
        let timer: NodeJS.Timeout | undefined;
        let turn: NodeJS.Immediate | undefined;
        const end = () => {
          clearTimeout(timer);
          clearImmediate(turn);
          stop?.removeEventListener("abort", end);
          resolve();
        };
        const wait = () => {
          const left = time - now();
          if (left <= 0) {
            if (spinning > 0) spunUntil = now();
            end();
          } else if (left > spinning) {
            timer = setTimeout(wait, Math.min(longestTimer, Math.max(1, Math.floor((left - spinning) * 1000))));
          } else {
            turn = setImmediate(wait);
          }
        };
        stop?.addEventListener("abort", end, { once: true });
        if (time <= asked) turn = setImmediate(end);
        else wait();
      });
    },
  };
}
