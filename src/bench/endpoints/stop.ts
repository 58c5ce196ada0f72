import type { ErrorKind, RequestRecord } from "./record.js";
import type { Clock } from "./sender.js";

/** Answers of a target that, failing alike from the first on, end a run: nothing can be measured there. */
const hopeless = 20;
/** Failures in a row of one kind that end it later, and over how many seconds at least: a rate limit may pass. */
const lost = 200;
const lostSeconds = 10;

/** What ends a run before its time. */
export interface Stopper {
  readonly signal: AbortSignal;
  /** Notes an answer. */
  answered(record: RequestRecord): void;
  /** Why it was stopped, in words; null if it was not. */
  why(): string | null;
  /** The run is over: no timer is left. */
  end(): void;
}

/** Watches a time limit, the user's signal, and targets that only fail. */
export function stopper(clock: Clock, totalSeconds: number | null, user: AbortSignal | undefined): Stopper {
  const run = new AbortController();
  const over = new AbortController();
  let reason: string | null = null;
  const stop = (why: string) => {
    if (run.signal.aborted || over.signal.aborted) return;
    reason = why;
    run.abort(why);
  };
  const byUser = () => stop(typeof user?.reason === "string" ? user.reason : "interrupted");
  if (user?.aborted === true) byUser();
  user?.addEventListener("abort", byUser, { once: true });
  if (totalSeconds !== null) {
    void clock
      .until(clock.now() + totalSeconds, over.signal)
      .then(() => stop(`the time limit of ${totalSeconds} s was reached`));
  }

  const failures = new Map<string, Streak>();
  return {
    signal: run.signal,
    answered({ target, error, sent, done }) {
      const streak = failures.get(target);
      if (error?.kind === "cancelled") return;
      if (error === null) {
        failures.set(target, { kind: null, count: 0, since: done, fromStart: false });
        return;
      }
      if (streak === undefined || streak.kind !== error.kind) {
        const fromStart = streak === undefined;
        failures.set(target, { kind: error.kind, count: 1, since: sent, fromStart });
        return;
      }
      streak.count++;
      const said = `(${error.kind}: ${error.message})`;
      if (streak.fromStart && streak.count >= hopeless) {
        stop(`${target}: the first ${hopeless} requests all failed ${said}`);
      } else if (streak.count >= lost && done - streak.since >= lostSeconds) {
        stop(`${target}: the last ${streak.count} requests all failed ${said}`);
      }
    },
    why: () => reason,
    end() {
      over.abort();
      user?.removeEventListener("abort", byUser);
    },
  };
}

interface Streak {
  /** Of the failures in a row; null while answers come. */
  readonly kind: ErrorKind | null;
  count: number;
  readonly since: number;
  /** Whether the target never answered before. */
  readonly fromStart: boolean;
}
