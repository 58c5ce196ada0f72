import { setMaxListeners } from "node:events";
import { schedule } from "../models/schedule.js";
import { seedOf } from "../workload/seeds.js";
import { uniquePrefix } from "../workload/unique-prefix.js";
import type { Workload } from "../workload/workload.js";
import { type BlockPlan, type Questions, runBlock } from "./block.js";
import { checkPlan } from "./check-plan.js";
import type { Meter } from "./client-load.js";
import type { Slo } from "./flow.js";
import { keepRecords, mostKeptEvents } from "./keep-records.js";
import type { Block, EndpointRun, LoadPoint, RequestRecord } from "./record.js";
import type { Clock, Sender } from "./sender.js";
import { stopper } from "./stop.js";
import { loadOf, type Saturation, type SweepSettings, sweep } from "./sweep.js";
import { measureSweep } from "./sweep-measure.js";
import type { Target } from "./target.js";
import { usualWarmUp } from "./warm-up.js";

/** A target and what sends to it. */
export interface LoadTarget extends Pick<Target, "label" | "protocol"> {
  readonly sender: Sender;
}

/** What is measured; times in seconds. */
export interface LoadPlan {
  readonly points: readonly LoadPoint[];
  readonly rounds: number;
  /** Of each block: one target under one load in one round. */
  readonly block: BlockPlan["length"];
  readonly seed: number;
  /** False: everything is measured from the first request on. */
  readonly warmUp: boolean;
  readonly rampSeconds: number;
  readonly drainSeconds: number;
  /** The whole run ends then at the latest; null: no limit. */
  readonly totalSeconds: number | null;
  /** New in each run: puts something nobody has sent before at the start of prompts. Null: caches may know them. */
  readonly salt: string | null;
  /** Default: `mostKeptEvents`. */
  readonly mostEvents?: number;
}

/** How far a run is. */
export interface LoadProgress {
  /** Blocks done, the one under way counted by its part; of `total`. */
  readonly done: number;
  readonly total: number;
  readonly target: string;
  readonly point: LoadPoint;
  readonly round: number;
  readonly warmUp: boolean;
  /** In all so far. */
  readonly requests: number;
  readonly failed: number;
}

/** What a run needs of the world. */
export interface LoadTools {
  readonly clock: Clock;
  /** Starts measuring this process: `startMeter`. */
  readonly startMeter: () => Meter;
  /** Ends the run, which keeps what was measured; a string as its reason is what `stopped` says. */
  readonly stop?: AbortSignal;
  /** Called after each answer. */
  readonly progress?: (progress: LoadProgress) => void;
}

/** Connections opened ahead of an open loop at most; the rest open when they are needed. */
const mostAhead = 64;

/**
 * Measures targets under the loads of a plan. In every round each load is put on every target, one after the other, in
 * alternating order (A B, B A ...), so that a drift of the network or the machine falls on all alike; requests of two
 * targets never overlap. The same prompts go to every target in a round, and others in the next. Rejects with a UserError
 * for a plan that would measure nothing, and for nothing else.
 */
export async function runLoad(
  targets: readonly LoadTarget[],
  workload: Workload,
  plan: LoadPlan,
  tools: LoadTools,
): Promise<EndpointRun> {
  checkPlan(plan.points, plan, workload);
  const run = startRun(targets, workload, plan, tools, plan.points.length);
  for (let round = 0; round < plan.rounds; round++) {
    for (const [at, point] of plan.points.entries()) await run.round(point, at, round);
  }
  return run.end(plan.points);
}

/** A run whose loads were found while it ran. */
export interface SweptRun {
  readonly run: EndpointRun;
  readonly saturation: readonly Saturation[];
}

/**
 * The same for loads that a sweep names one by one: all rounds of a load are measured before the next is chosen.
 * `plan.points` is not read. `slo` is what the sweep may end at. An interrupted sweep has no saturation.
 */
export async function runSweep(
  targets: readonly LoadTarget[],
  workload: Workload,
  plan: Omit<LoadPlan, "points">,
  settings: SweepSettings,
  slo: Slo,
  tools: LoadTools,
): Promise<SweptRun> {
  checkPlan([settings.start], plan, workload);
  const points: LoadPoint[] = [];
  const labels = targets.map(({ label }) => label);
  const expected = Math.ceil(Math.log2(settings.most / loadOf(settings.start))) + 1 + settings.bisections;
  const run = startRun(targets, workload, plan, tools, Math.max(1, expected));
  const steps = sweep(settings);
  let step = steps.next([]);
  while (step.done !== true) {
    const at = points.push(step.value) - 1;
    for (let round = 0; round < plan.rounds; round++) await run.round(step.value, at, round);
    if (run.stopped()) return { run: run.end(points), saturation: [] };
    step = steps.next(measureSweep(run.soFar(points), at, labels, slo));
  }
  return { run: run.end(points), saturation: step.value };
}

/** A run under way. */
interface Run {
  /** Puts one load on all targets in turn. */
  round(point: LoadPoint, at: number, round: number): Promise<void>;
  stopped(): boolean;
  soFar(points: readonly LoadPoint[]): EndpointRun;
  /** The run is over. */
  end(points: readonly LoadPoint[]): EndpointRun;
}

function startRun(
  targets: readonly LoadTarget[],
  workload: Workload,
  plan: Omit<LoadPlan, "points">,
  tools: LoadTools,
  points: number,
): Run {
  const records = keepRecords(plan.mostEvents ?? mostKeptEvents);
  const blocks: Block[] = [];
  const stop = stopper(tools.clock, plan.totalSeconds, tools.stop);
  setMaxListeners(0, stop.signal);
  const orders = schedule(targets.length, plan.rounds, plan.seed);
  const total = points * plan.rounds * targets.length;
  let begun = 0;
  let failed = 0;

  const measure = async (index: number, point: LoadPoint, at: number, round: number): Promise<void> => {
    const { label, protocol, sender } = targets[index]!;
    await sender.connect(connections(point));
    if (stop.signal.aborted) return;
    const blockPlan = planBlock(plan, workload, point, at, round);
    const part = partDone(blockPlan, tools.clock);
    const block = await runBlock(
      {
        sender,
        clock: tools.clock,
        records,
        answers: workload.answers,
        target: label,
        protocol,
        point: at,
        round,
        answered(record) {
          if (record.error !== null) failed++;
          stop.answered(record);
          tools.progress?.({
            done: begun + part(record),
            total,
            target: label,
            point,
            round,
            warmUp: record.warmUp,
            requests: records.all.length,
            failed,
          });
        },
      },
      point,
      blockPlan,
      questionsOf(workload, plan.salt, index, at, round),
      tools.startMeter,
      stop.signal,
    );
    if (block !== null) blocks.push(block);
    begun++;
  };
  const soFar = (measured: readonly LoadPoint[]): EndpointRun => ({
    points: measured,
    blocks,
    records: records.all,
    stopped: stop.why(),
  });
  return {
    async round(point, at, round) {
      for (const index of orders[round]!) {
        if (!stop.signal.aborted) await measure(index, point, at, round);
      }
    },
    stopped: () => stop.signal.aborted,
    soFar,
    end(measured) {
      stop.end();
      return soFar(measured);
    },
  };
}

function planBlock(
  plan: Omit<LoadPlan, "points">,
  workload: Workload,
  point: LoadPoint,
  at: number,
  round: number,
): BlockPlan {
  const users = point.kind === "closed" ? point.concurrency : 5;
  return {
    length: plan.block,
    warmUp: plan.warmUp ? usualWarmUp(users, round === 0) : null,
    rampSeconds: plan.rampSeconds,
    drainSeconds: plan.drainSeconds,
    seed: seedOf(plan.seed, "point", at, "round", round),
    trace: workload.arrivals,
  };
}

function questionsOf(workload: Workload, salt: string | null, target: number, point: number, round: number): Questions {
  const prefixOf = salt === null ? () => "" : uniquePrefix(salt, { target, point, round });
  return (place) => {
    const conversation = workload.conversation(round, place);
    return { conversation, prefix: prefixOf(place, conversation.group) };
  };
}

function connections(point: LoadPoint): number {
  return point.kind === "closed"
    ? point.concurrency
    : Math.min(point.maxConcurrency ?? mostAhead, mostAhead, Math.max(1, Math.ceil(point.rate)));
}

/** Which part of a block is done, as far as its answers tell. */
function partDone(plan: BlockPlan, clock: Clock): (record: RequestRecord) => number {
  let measured = 0;
  let first: number | null = null;
  return (record) => {
    if (record.warmUp) return 0;
    measured++;
    first ??= record.sent;
    const part =
      "requests" in plan.length
        ? measured / plan.length.requests
        : (clock.now() - first) / Math.max(plan.length.seconds, 1e-9);
    return Math.min(1, part);
  };
}
