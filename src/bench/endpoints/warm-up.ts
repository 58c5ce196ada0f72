import { median } from "../compare/statistics.js";

/** When a target counts as warm. */
export interface WarmUp {
  /** Requests of one window, and how many windows in a row have to agree. */
  readonly window: number;
  readonly windows: number;
  /** Largest median of those windows over the smallest, minus 1, at most. */
  readonly tolerance: number;
  /** It ends here, settled or not. */
  readonly mostRequests: number;
  readonly mostSeconds: number;
}

/**
 * What is asked for before a measurement under so many users (or with about so many requests under way). A target's
 * first block under a load warms up until three windows agree within 10 % (perf_analyzer's stability); later ones only
 * until every user has had one answer, for caches, pools and compiled code are warm by then and only the pipeline has to
 * fill.
 */
export function usualWarmUp(users: number, firstBlock: boolean): WarmUp {
  const window = Math.max(firstBlock ? 3 : 1, users);
  return firstBlock
    ? { window, windows: 3, tolerance: 0.1, mostRequests: Math.max(20, 5 * users), mostSeconds: 60 }
    : { window, windows: 1, tolerance: 0.1, mostRequests: Math.max(1, users), mostSeconds: 30 };
}

/** Watches answers come in until they have settled. */
export interface Settling {
  /** Notes an answer: its time to first token, or to its end where nothing streams; null for one that failed. */
  add(seconds: number | null): void;
  /** Whether the warm-up ends, having settled or not; `seconds` from its start. */
  over(seconds: number): boolean;
  /** Whether the windows agree. */
  settled(): boolean;
}

/** Detects the end of a warm-up from the answers in the order they ended. */
export function settling(warmUp: WarmUp): Settling {
  const values: number[] = [];
  let seen = 0;
  let agree = false;
  return {
    add(seconds) {
      seen++;
      if (seconds === null) return;
      values.push(seconds);
      const { window, windows, tolerance } = warmUp;
      if (values.length < window * windows) return;
      // the last windows, wherever they begin
      const medians = Array.from({ length: windows }, (_, at) =>
        median(values.slice(values.length - (at + 1) * window, values.length - at * window)),
      );
      agree = Math.max(...medians) <= (1 + tolerance) * Math.min(...medians);
      if (values.length > 2 * window * windows) values.splice(0, window);
    },
    over: (seconds) => agree || seen >= warmUp.mostRequests || seconds >= warmUp.mostSeconds,
    settled: () => agree,
  };
}
