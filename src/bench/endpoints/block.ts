import { setMaxListeners } from "node:events";
import type { Conversation } from "../workload/workload.js";
import { type Meter, sendDelay } from "./client-load.js";
import { closedLoop } from "./closed-loop.js";
import type { Line } from "./converse.js";
import { openLoop } from "./open-loop.js";
import type { Block, LoadPoint } from "./record.js";
import type { WarmUp } from "./warm-up.js";

/** What is asked at a place of the stream: from 0 what is measured, below 0 what warms up. */
export type Questions = (place: number) => { readonly conversation: Conversation; readonly prefix: string };

/** How long and how a block is kept up; times in seconds. */
export interface BlockPlan {
  /** Of what is measured: one of the two. */
  readonly length: { readonly seconds: number } | { readonly requests: number };
  /** Null: all is measured from the first request on. */
  readonly warmUp: WarmUp | null;
  /** Over which users or rate grow from nothing; belongs to the warm-up. */
  readonly rampSeconds: number;
  /** Given to the requests under way once no more are sent; what is not done then is cancelled. */
  readonly drainSeconds: number;
  /** Of arrivals; the same for every target. */
  readonly seed: number;
  /** Of a trace: see `Workload.arrivals`. */
  readonly trace: readonly number[] | null;
}

/** What a loop has to tell while it runs. */
export interface Stages {
  /** The measurement begins: the warm-up is over. */
  begin(): void;
  /** The steady window is over. */
  steadyEnds(): void;
  /** Nothing more is sent: those under way have `drainSeconds` left. */
  drain(): void;
}

/** When a loop was steady, in seconds on the run's clock; null where it was stopped while warming up. */
export type SteadyWindow = Block["window"] | null;

/** Keeps one target under one load. Null where nothing was measured, because the run was stopped. */
export async function runBlock(
  line: Omit<Line, "cancel">,
  load: LoadPoint,
  plan: BlockPlan,
  questions: Questions,
  startMeter: () => Meter,
  stop: AbortSignal,
): Promise<Block | null> {
  const cancel = new AbortController();
  // each request under way listens
  setMaxListeners(0, cancel.signal);
  const finished = new AbortController();
  const cut = () => cancel.abort();
  if (stop.aborted) cut();
  stop.addEventListener("abort", cut, { once: true });

  const first = line.records.all.length;
  let meter: Meter | null = null;
  let measured: ReturnType<Meter["stop"]> | null = null;
  let draining = false;
  const stages: Stages = {
    begin() {
      meter ??= startMeter();
    },
    steadyEnds() {
      measured ??= meter?.stop() ?? null;
    },
    drain() {
      if (draining) return;
      draining = true;
      void line.clock.until(line.clock.now() + plan.drainSeconds, finished.signal).then(() => {
        if (!finished.signal.aborted) cut();
      });
    },
  };
  const bound: Line = { ...line, cancel: cancel.signal };
  const window =
    load.kind === "closed"
      ? await closedLoop(bound, load.concurrency, plan, questions, stages)
      : await openLoop(bound, load, plan, questions, stages);
  stages.steadyEnds();
  finished.abort();
  stop.removeEventListener("abort", cut);

  const records = line.records.all.slice(first);
  const counted = records.filter((record) => !record.warmUp);
  if (window === null || measured === null || counted.length === 0) return null;
  const end = records.reduce((most, record) => Math.max(most, record.done), Number.NEGATIVE_INFINITY);
  return {
    target: line.target,
    point: line.point,
    round: line.round,
    start: records.reduce((least, record) => Math.min(least, record.firstSent), Number.POSITIVE_INFINITY),
    end,
    // a window too short to say anything (a handful of requests) gives way to all that was measured
    window: window.end - window.start < (end - window.start) / 5 ? { start: window.start, end } : window,
    client: { ...(measured as ReturnType<Meter["stop"]>), sendDelay: sendDelay(counted) },
  };
}
