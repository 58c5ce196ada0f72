import type { BlockPlan, Questions, Stages, SteadyWindow } from "./block.js";
import { converse, type Line } from "./converse.js";
import { settling } from "./warm-up.js";

/** What a user waits after a failure, in seconds: doubled with each in a row, or a dead host is asked without pause. */
const firstPause = 0.05;
const longestPause = 1;

/**
 * So many users, each asking its next question when the last is answered. They share one stream of conversations, taken
 * in order by whoever is free: all targets then get the same ones, however their users fare, and nobody is idle before
 * the last is taken. The slot of a conversation is its place modulo the users.
 *
 * Warm-up questions come from their own part of the stream, so that the measured ones begin at its start for every
 * target. The steady window begins when the warm-up ends, with its requests still under way, and ends when less than 90 %
 * of the users are busy; a user who thinks is busy.
 */
export async function closedLoop(
  line: Line,
  users: number,
  plan: BlockPlan,
  questions: Questions,
  stages: Stages,
): Promise<SteadyWindow> {
  const { clock, cancel } = line;
  const start = clock.now();
  const warm = plan.warmUp === null ? null : settling(plan.warmUp);
  let warmUps = 0;
  let asked = 0;
  let requests = "requests" in plan.length ? plan.length.requests : Number.POSITIVE_INFINITY;
  let began: number | null = null;
  let deadline = Number.POSITIVE_INFINITY;
  let steadyEnd: number | null = null;
  let left = 0;

  const beginIfWarm = () => {
    const seconds = clock.now() - start;
    if (began !== null || seconds < plan.rampSeconds || warm?.over(seconds) === false) return;
    began = clock.now();
    stages.begin();
    if ("requests" in plan.length) return;
    deadline = began + plan.length.seconds;
    void clock.until(deadline, cancel).then(stages.drain);
  };
  const inTime = (at: number) => !cancel.aborted && at < deadline;
  const bound: Line = {
    ...line,
    answered(record) {
      if (record.warmUp && began === null) {
        warm?.add(record.error === null ? (record.firstToken ?? record.done) - record.sent : null);
        beginIfWarm();
      }
      line.answered(record);
    },
  };

  const askNext = async (user: number): Promise<boolean | null> => {
    beginIfWarm();
    const warmUp = began === null;
    if (!inTime(clock.now()) || (!warmUp && requests <= 0)) return null;
    const place = warmUp ? -++warmUps : asked++;
    const question = questions(place);
    if (!warmUp) requests -= question.conversation.turns.length;
    if (requests <= 0) stages.drain();
    return converse(bound, {
      ...question,
      slot: warmUp ? user : place % users,
      warmUp,
      scheduled: null,
      goesOn: (at) => (warmUp ? began === null : inTime(at)),
    });
  };
  const beUser = async (user: number) => {
    if (plan.rampSeconds > 0) await clock.until(start + (plan.rampSeconds * user) / users, cancel);
    let pause = firstPause;
    for (let good = await askNext(user); good !== null; good = await askNext(user)) {
      if (good) {
        pause = firstPause;
      } else {
        await clock.until(clock.now() + pause, cancel);
        pause = Math.min(2 * pause, longestPause);
      }
    }
    left++;
    // users for whom no question was left were never part of the load
    const busy = Math.min(users, asked) - (left - Math.max(0, users - asked));
    if (steadyEnd === null && busy < 0.9 * Math.min(users, asked)) {
      steadyEnd = clock.now();
      stages.steadyEnds();
    }
  };
  await Promise.all(Array.from({ length: users }, (_, user) => beUser(user)));
  return began === null ? null : { start: began, end: steadyEnd ?? clock.now() };
}
