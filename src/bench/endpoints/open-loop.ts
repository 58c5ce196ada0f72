import { seedOf } from "../workload/seeds.js";
import { arrivals, type OpenLoad, ramped } from "./arrivals.js";
import type { BlockPlan, Questions, Stages, SteadyWindow } from "./block.js";
import { converse, type Line, notSent } from "./converse.js";
import { settling } from "./warm-up.js";

/** Requests that warm a target up before a trace is replayed, one at a time: a trace's own times are never cut. */
const warmUpsOfTrace = 3;

/**
 * Conversations begin when they are due, whether earlier ones have been answered or not, so that a target that stalls
 * cannot hide it by slowing its load down (coordinated omission). Where `maxConcurrency` holds one back, the wait counts
 * from its intended time. The steady window ends with the last scheduled send.
 */
export async function openLoop(
  line: Line,
  load: OpenLoad,
  plan: BlockPlan,
  questions: Questions,
  stages: Stages,
): Promise<SteadyWindow> {
  const { clock, cancel } = line;
  const warm = plan.warmUp === null ? null : settling(plan.warmUp);
  let warming = true;
  const bound: Line = {
    ...line,
    answered(record) {
      if (warming) warm?.add(record.error === null ? (record.firstToken ?? record.done) - record.sent : null);
      line.answered(record);
    },
  };
  const crowd = startCrowd(bound, load.maxConcurrency ?? Number.POSITIVE_INFINITY, questions);

  const start = clock.now();
  if (load.arrival === "trace") {
    for (let at = 0; warm !== null && at < warmUpsOfTrace && !cancel.aborted; at++) {
      await crowd.ask(-1 - at, null, true);
    }
  } else if (warm !== null || plan.rampSeconds > 0) {
    let place = 0;
    for (const offset of ramped(arrivals(load, seedOf(plan.seed, "warm-up")), plan.rampSeconds)) {
      await clock.until(start + offset, cancel);
      const seconds = clock.now() - start;
      if (cancel.aborted || (seconds >= plan.rampSeconds && warm?.over(seconds) !== false)) break;
      void crowd.ask(--place, start + offset, true);
    }
  }
  warming = false;
  if (cancel.aborted) {
    await crowd.gone();
    return null;
  }

  const began = clock.now();
  stages.begin();
  let last = began;
  let place = 0;
  let requests = "requests" in plan.length ? plan.length.requests : Number.POSITIVE_INFINITY;
  const seconds = "seconds" in plan.length ? plan.length.seconds : Number.POSITIVE_INFINITY;
  for (const offset of arrivals(load, plan.seed, plan.trace)) {
    if (offset >= seconds || requests <= 0) break;
    // made before it is due: long prompts take time
    const question = questions(place);
    requests -= question.conversation.turns.length;
    await clock.until(began + offset, cancel);
    if (cancel.aborted) break;
    last = began + offset;
    // those that have to wait in line do not hold their prompts
    void crowd.ask(place++, last, false, crowd.full() ? undefined : question);
  }
  stages.steadyEnds();
  stages.drain();
  await crowd.gone();
  return { start: began, end: Math.max(last, began) };
}

/** Those who ask at the same time. */
interface Crowd {
  /** Begins a conversation, or lets it wait for its turn; resolves when it has ended. */
  ask(place: number, scheduled: number | null, warmUp: boolean, question?: ReturnType<Questions>): Promise<void>;
  /** Whether the next one has to wait. */
  full(): boolean;
  /** Resolves when nobody is left. */
  gone(): Promise<void>;
}

/** At most `most` conversations at a time; the others wait in line, first come, first served. */
function startCrowd(line: Line, most: number, questions: Questions): Crowd {
  let under = 0;
  let waiting: (() => void)[] = [];
  let next = 0;
  let tell: (() => void) | null = null;

  const leave = () => {
    const turn = waiting[next];
    if (turn !== undefined) {
      // its place goes over to the next in line, so that nobody can step in between
      next++;
      if (next > 1000 && next * 2 > waiting.length) {
        waiting = waiting.slice(next);
        next = 0;
      }
      turn();
    } else if (--under === 0) {
      tell?.();
    }
  };
  return {
    async ask(place, scheduled, warmUp, question) {
      if (under >= most) await new Promise<void>((resolve) => waiting.push(resolve));
      else under++;
      const slot = place < 0 ? -1 - place : place;
      const { conversation, prefix } = question ?? questions(place);
      if (line.cancel.aborted) {
        const outcome = notSent(line, line.clock.now(), {
          kind: "cancelled",
          message: "ended before its turn came",
        });
        const { target, point, round } = line;
        const prompt = conversation.id;
        line.records.keep(outcome, { target, point, round, slot, prompt, turn: 0, scheduled, warmUp });
      } else {
        await converse(line, { conversation, prefix, slot, warmUp, scheduled, goesOn: () => true });
      }
      leave();
    },
    full: () => under >= most,
    gone: () =>
      new Promise((resolve) => {
        if (under === 0) resolve();
        else tell = resolve;
      }),
  };
}
