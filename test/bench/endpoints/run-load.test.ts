import { expect, test } from "@jest/globals";
import type { EndpointRun, LoadPoint, RequestRecord } from "../../../src/bench/endpoints/record.js";
import { type LoadPlan, type LoadProgress, runLoad } from "../../../src/bench/endpoints/run-load.js";
import type { Clock } from "../../../src/bench/endpoints/sender.js";
import { type Behaviour, plainWorkload, type SimulatedTarget, simulatedClock, simulatedTarget } from "./simulated.js";

const closed = (concurrency: number): LoadPoint => ({ kind: "closed", concurrency });
const open = (rate: number, more: Partial<Extract<LoadPoint, { kind: "open" }>> = {}): LoadPoint => ({
  kind: "open",
  rate,
  arrival: "constant",
  burstiness: null,
  maxConcurrency: null,
  ...more,
});
const usual: LoadPlan = {
  points: [closed(1)],
  rounds: 1,
  block: { requests: 10 },
  seed: 1,
  warmUp: false,
  rampSeconds: 0,
  drainSeconds: 30,
  totalSeconds: null,
  salt: null,
};
const idle = () => ({ stop: () => ({ cpu: 0, eventLoop: 0, lag: { p50: 0, p99: 0, max: 0 } }) });
const steady: Behaviour = { ttft: 0.1, gaps: [0.01, 0.01] };

interface Simulation {
  readonly run: EndpointRun;
  readonly targets: readonly SimulatedTarget[];
  readonly progress: readonly LoadProgress[];
}

async function simulate(
  plan: Partial<LoadPlan>,
  behaviours: readonly ((request: number, underWay: number) => Behaviour)[] = [() => steady],
  workload = plainWorkload(),
  during: (clock: Clock) => AbortSignal | undefined = () => undefined,
): Promise<Simulation> {
  const clock = simulatedClock();
  const targets = behaviours.map((behave) =>
    simulatedTarget(clock, (request, _, underWay) => behave(request, underWay)),
  );
  const progress: LoadProgress[] = [];
  const stop = during(clock);
  const run = await clock.run(
    runLoad(
      targets.map((sender, at) => ({ label: "ABC"[at]!, protocol: "chat", sender })),
      workload,
      { ...usual, ...plan },
      { clock, startMeter: idle, progress: (now) => progress.push(now), ...(stop === undefined ? {} : { stop }) },
    ),
  );
  return { run, targets, progress };
}

const measured = (run: EndpointRun, target: string): readonly RequestRecord[] =>
  run.records.filter((record) => record.target === target && !record.warmUp);
const pairKey = ({ point, round, slot, prompt, turn }: RequestRecord) => [point, round, slot, prompt, turn].join(" ");

test("blocks of two targets alternate as A B, B A, and never overlap", async () => {
  const { run } = await simulate({ rounds: 4, points: [closed(1), closed(3)] }, [() => steady, () => steady]);
  const order = run.blocks.map(({ target }) => target).join("");
  expect(["ABABBABAABABBABA", "BABAABABBABAABAB"]).toContain(order);
  expect(run.blocks.map(({ round, point }) => 2 * round + point)).toEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].flatMap((at) => [at, at]),
  );
  for (const [at, block] of run.blocks.entries()) {
    expect(block.start).toBeGreaterThanOrEqual(run.blocks[at - 1]?.end ?? 0);
  }
  expect(run.stopped).toBeNull();
});

test.each([
  { users: 1, requests: 10 },
  { users: 4, requests: 30 },
  { users: 16, requests: 20 },
  { users: 16, requests: 5 },
])(
  "of $requests requests by $users users every one has its pair, even where a target is slower",
  async ({ users, requests }) => {
    const jittery = (slowness: number) => (request: number) => ({
      ttft: slowness * (0.1 + 0.05 * (request % 3)),
      gaps: [0.01],
    });
    const { run, targets } = await simulate({ points: [closed(users)], block: { requests }, rounds: 2, warmUp: true }, [
      jittery(1),
      jittery(1.7),
    ]);
    const [a, b] = ["A", "B"].map((target) => measured(run, target).map(pairKey));
    expect(new Set(a).size).toBe(2 * requests);
    expect(new Set(b)).toEqual(new Set(a));
    // other questions in other rounds
    expect(new Set(targets[0]!.asked.map(({ prompt }) => prompt.id)).size).toBe(targets[0]!.asked.length);
  },
);

test("users keep so many requests under way, and the steady window leaves out the end", async () => {
  let most = 0;
  const { run } = await simulate({ points: [closed(10)], block: { seconds: 5 } }, [
    (request, underWay) => {
      most = Math.max(most, underWay);
      return { ttft: 0.3 + (request % 7) * 0.11, gaps: [] };
    },
  ]);
  expect(most).toBe(10);
  const [block] = run.blocks;
  // nothing is cut short: those sent before the end of the time are waited for
  expect(run.records.every(({ error }) => error === null)).toBe(true);
  expect(Math.max(...run.records.map(({ sent }) => sent)) - block!.start).toBeLessThan(5);
  expect(block!.window.start).toBe(block!.start);
  expect(block!.window.end).toBeGreaterThanOrEqual(block!.start + 5);
  expect(block!.window.end).toBeLessThan(block!.end);
  const busy = run.records.filter(({ sent, done }) => sent < block!.window.end && done >= block!.window.end);
  expect(busy.length).toBeGreaterThanOrEqual(9);
});

test("a cold target's first answers are cut until they have settled, and do not use up measured questions", async () => {
  const cold = (request: number) => ({ ttft: 0.1 * (1 + 5 * 0.6 ** request), gaps: [] });
  const { run } = await simulate({ warmUp: true, rounds: 2, points: [closed(2)] }, [cold]);
  const kept = measured(run, "A");
  expect(kept).toHaveLength(20);
  expect(Math.max(...kept.map(({ firstToken, sent }) => firstToken! - sent))).toBeLessThan(0.125);
  const cut = run.records.filter(({ warmUp }) => warmUp);
  expect(cut.filter(({ round }) => round === 0).length).toBeGreaterThan(6);
  // warm by now: only until both users have had an answer
  expect(cut.filter(({ round }) => round === 1).length).toBeLessThanOrEqual(4);
  expect(run.blocks[0]!.window.start).toBeGreaterThanOrEqual(
    Math.max(...cut.filter(({ round }) => round === 0).map(({ sent }) => sent)),
  );
});

test("a target that never settles is measured all the same", async () => {
  const wild = (request: number) => ({ ttft: request % 2 === 0 ? 0.1 : 3, gaps: [] });
  const { run } = await simulate({ warmUp: true }, [wild]);
  expect(measured(run, "A")).toHaveLength(10);
  expect(run.records.length).toBeLessThanOrEqual(31);
});

test("a stall does not slow an open loop down: requests go out on time, and each knows when it was due", async () => {
  // the 11th request blocks the server for 2 seconds
  let blockedUntil = 0;
  const clock = simulatedClock();
  const target = simulatedTarget(clock, (request) => {
    if (request === 10) blockedUntil = clock.now() + 2;
    return { ttft: Math.max(0.05, blockedUntil - clock.now()), gaps: [] };
  });
  const run = await clock.run(
    runLoad(
      [{ label: "A", protocol: "chat", sender: target }],
      plainWorkload(),
      { ...usual, points: [open(20)], block: { seconds: 5 } },
      { clock, startMeter: idle },
    ),
  );
  expect(run.records).toHaveLength(100);
  const start = run.blocks[0]!.start;
  for (const record of run.records) {
    expect(record.scheduled).toBeCloseTo(start + record.slot / 20, 9);
    expect(record.sent).toBeCloseTo(record.scheduled!, 9);
  }
  // 40 requests felt the stall, not one
  expect(run.records.filter(({ firstToken, sent }) => firstToken! - sent > 0.1).length).toBeGreaterThanOrEqual(38);
  expect(run.blocks[0]!.window.end - run.blocks[0]!.window.start).toBeCloseTo(4.95, 9);
});

test("a limit of requests under way makes others wait, which counts from when they were due", async () => {
  let most = 0;
  const { run } = await simulate({ points: [open(10, { maxConcurrency: 2 })], block: { requests: 20 } }, [
    (_, underWay) => {
      most = Math.max(most, underWay);
      return { ttft: 0.5, gaps: [] };
    },
  ]);
  expect(most).toBe(2);
  expect(run.records).toHaveLength(20);
  const waits = [...run.records].sort((a, b) => a.slot - b.slot).map(({ sent, scheduled }) => sent - scheduled!);
  // 4 a second are answered, 10 a second are due
  expect(waits[0]).toBe(0);
  expect(waits[19]!).toBeCloseTo(9 * 0.5 + 0.1 - 1.9, 6);
  expect(run.blocks[0]!.client.sendDelay!.p50).toBeGreaterThan(1);
});

test("what is not answered in time after the last send is cancelled, and said so", async () => {
  const { run } = await simulate(
    { points: [open(10, { maxConcurrency: 4 })], block: { requests: 12 }, drainSeconds: 3 },
    [(request) => ({ ttft: request < 5 ? 0.1 : 1e6, gaps: [] })],
  );
  expect(run.records).toHaveLength(12);
  expect(run.records.filter(({ error }) => error === null)).toHaveLength(5);
  expect(run.records.filter(({ error }) => error?.kind === "cancelled")).toHaveLength(7);
  expect(run.blocks[0]!.end - run.blocks[0]!.start).toBeCloseTo(1.1 + 3, 6);
  expect(run.stopped).toBeNull();
});

test("users who hang do not hold up a block of a fixed time", async () => {
  const { run } = await simulate({ points: [closed(3)], block: { seconds: 2 }, drainSeconds: 1 }, [
    () => ({ ttft: 1e6, gaps: [] }),
  ]);
  expect(run.records.map(({ error }) => error?.kind)).toEqual(["cancelled", "cancelled", "cancelled"]);
  expect(run.blocks[0]!.end - run.blocks[0]!.start).toBeCloseTo(3, 6);
});

test("an interrupted run keeps what it has and says why it ended", async () => {
  const { run, progress } = await simulate(
    { points: [closed(2)], block: { seconds: 10 }, rounds: 2 },
    [() => steady, () => steady],
    plainWorkload(),
    (clock) => {
      const stop = new AbortController();
      void clock.until(clock.now() + 14.005).then(() => stop.abort("stopped with Ctrl-C"));
      return stop.signal;
    },
  );
  expect(run.stopped).toBe("stopped with Ctrl-C");
  expect(run.blocks).toHaveLength(2);
  expect(run.blocks[1]!.end - run.blocks[0]!.start).toBeCloseTo(14.005, 6);
  expect(run.records.filter(({ error }) => error?.kind === "cancelled")).toHaveLength(2);
  expect(run.records.filter(({ error }) => error === null).length).toBeGreaterThan(200);
  const done = progress.map((at) => at.done);
  expect([...done].sort((a, b) => a - b)).toEqual(done);
  expect(done.at(-1)).toBeCloseTo(1.4, 1);
  expect(progress.at(-1)).toMatchObject({ total: 4, failed: 2, requests: run.records.length });
});

test("the time of a run is limited", async () => {
  const { run } = await simulate({ block: { seconds: 10 }, rounds: 5, totalSeconds: 25 }, [() => steady]);
  expect(run.stopped).toBe("the time limit of 25 s was reached");
  expect(run.blocks).toHaveLength(3);
});

test("a target where everything fails from the start ends the run early and says how", async () => {
  const { run, targets } = await simulate({ block: { requests: 1000 } }, [
    () => ({ ttft: 0.001, gaps: [], error: "refused" }),
    () => ({ ttft: 0.001, gaps: [], error: "refused" }),
  ]);
  expect(run.stopped).toMatch(/^[AB]: the first 20 requests all failed \(refused: it was refused\)$/);
  expect(targets[0]!.asked.length + targets[1]!.asked.length).toBe(20);
});

test("failures that come and go are measured, and a user pauses after each in a row", async () => {
  const { run } = await simulate({ block: { seconds: 60 } }, [
    (request) => (request % 10 < 5 ? steady : { ttft: 0.001, gaps: [], error: "rate-limited" }),
  ]);
  expect(run.stopped).toBeNull();
  const failed = run.records.filter(({ error }) => error?.kind === "rate-limited");
  expect(failed.length).toBeGreaterThan(50);
  const gaps = run.records.slice(1).map(({ sent }, at) => sent - run.records[at]!.done);
  expect(Math.max(...gaps)).toBeCloseTo(0.8, 6);
});

test("a target that is lost for good in the middle ends the run", async () => {
  const { run } = await simulate({ points: [closed(32)], block: { seconds: 3600 } }, [
    (request) => (request < 100 ? steady : { ttft: 0.001, gaps: [], error: "refused" }),
  ]);
  expect(run.stopped).toMatch(/^A: the last \d+ requests all failed \(refused/);
  expect(run.records.length).toBeLessThan(1000);
});

test("the next turn holds the answer to the last, and comes after the user has thought", async () => {
  const { run, targets } = await simulate(
    { block: { requests: 6 } },
    [() => ({ ...steady, text: "so it is" })],
    plainWorkload(3, 2),
  );
  expect(run.records.map(({ prompt, turn }) => `${prompt} ${turn}`)).toEqual([
    "0/0 0",
    "0/0 1",
    "0/0 2",
    "0/1 0",
    "0/1 1",
    "0/1 2",
  ]);
  expect(targets[0]!.asked[2]!.prompt.messages.map(({ role, content }) => `${role}: ${content}`)).toEqual([
    "user: question 0/0, 0",
    "assistant: so it is",
    "user: question 0/0, 1",
    "assistant: so it is",
    "user: question 0/0, 2",
  ]);
  expect(run.records[1]!.sent - run.records[0]!.done).toBeCloseTo(2, 9);
  expect(run.records[3]!.sent).toBe(run.records[2]!.done);
});

test("a conversation ends where a turn fails", async () => {
  const { run } = await simulate(
    { block: { requests: 6 } },
    [(request) => (request === 1 ? { ...steady, error: "http-5xx" } : steady)],
    plainWorkload(3),
  );
  expect(run.records.map(({ prompt, turn }) => `${prompt} ${turn}`)).toEqual([
    "0/0 0",
    "0/0 1",
    "0/1 0",
    "0/1 1",
    "0/1 2",
  ]);
});

test("prompts begin with something no cache knows: other digits for each target, round and load, equally long", async () => {
  const ask = async (salt: string | null) => {
    const plan = { salt, rounds: 2, points: [closed(1), closed(2)], block: { requests: 3 } };
    const { targets } = await simulate(plan, [() => steady, () => steady]);
    return targets.map(({ asked }) => asked.map(({ prompt }) => prompt.messages[0]!.content));
  };
  const [a, b] = await ask("salt of this run");
  expect(a).toHaveLength(12);
  expect(new Set([...a!, ...b!].map((text) => text.slice(0, 21))).size).toBe(24);
  for (const text of [...a!, ...b!]) expect(text).toMatch(/^\[\d{3} \d{3} \d{3} \d{3} \d{3}\]\nquestion /);
  expect(await ask("salt of this run")).toEqual([a, b]);
  expect((await ask("another run"))[0]![0]!.slice(0, 21)).not.toBe(a![0]!.slice(0, 21));
  const [plain, same] = await ask(null);
  expect(plain).toEqual(same);
  expect(plain![0]).toBe("question 0/0, 0");
});

test("times of token events are kept up to a number, the rest of a record always", async () => {
  const { run } = await simulate({ mostEvents: 11 }, [() => ({ ttft: 0.1, gaps: [0.01, 0.05, 0.02] })]);
  expect(run.records.map(({ events }) => events?.length ?? null)).toEqual([4, 4, ...Array(8).fill(null)]);
  for (const record of run.records) {
    expect(record.eventCount).toBe(4);
    expect(record.longestGap).toBeCloseTo(0.05, 9);
    expect(record.lastToken! - record.firstToken!).toBeCloseTo(0.08, 9);
    expect(record).not.toHaveProperty("text");
  }
});

test("a ramp lets users in one after the other, as part of the warm-up", async () => {
  const { run } = await simulate({ points: [closed(5)], rampSeconds: 10, block: { seconds: 5 } }, [
    () => ({ ttft: 1, gaps: [] }),
  ]);
  const start = run.records[0]!.sent;
  const firsts = [0, 2, 4, 6, 8].map((after) => run.records.some(({ sent }) => Math.abs(sent - start - after) < 1e-9));
  expect(firsts).toEqual([true, true, true, true, true]);
  const kept = measured(run, "A");
  expect(Math.min(...kept.map(({ sent }) => sent)) - start).toBeGreaterThanOrEqual(10);
  expect(run.blocks[0]!.window.start - start).toBeGreaterThanOrEqual(10);
});

test("a trace is replayed at its own times after a few questions to warm up", async () => {
  const { run } = await simulate(
    { points: [open(0, { arrival: "trace" })], block: { seconds: 100 }, warmUp: true },
    [() => steady],
    plainWorkload(1, 0, [5, 5.5, 5.5, 9, 200]),
  );
  const kept = measured(run, "A");
  expect(kept.map(({ scheduled }) => Number((scheduled! - kept[0]!.scheduled!).toFixed(6)))).toEqual([0, 0.5, 0.5, 4]);
  expect(run.records.filter(({ warmUp }) => warmUp)).toHaveLength(3);
});

test.each<[Partial<LoadPlan>, string]>([
  [{ points: [closed(0)] }, "concurrency is 0; give a whole number from 1 to 20000"],
  [{ points: [open(0)] }, "the rate is 0; give more than 0 requests per second"],
  [
    { points: [open(1, { burstiness: 0 })] },
    "the burstiness is 0; give more than 0 (1 is Poisson, below comes in bursts)",
  ],
  [
    { points: [open(1, { maxConcurrency: 0 })] },
    "the most requests at a time is 0; give a whole number from 1 to 20000",
  ],
  [{ points: [open(1, { arrival: "trace" })] }, "a trace is replayed only where the prompts are one: give its file"],
  [{ block: { seconds: 0 } }, "the duration is 0; give more than 0 seconds"],
  [{ block: { requests: 0.5 } }, "0.5 requests: give a whole number from 1 on"],
  [{ rounds: 0 }, "0 rounds: give at least 1"],
  [{ totalSeconds: 0 }, "the time limit is 0; give more than 0 seconds"],
])("refuses %j before anything is sent", async (plan, message) => {
  await expect(simulate(plan)).rejects.toThrow(message);
});
