import { expect, test } from "@jest/globals";
import type { LoadPoint } from "../../../src/bench/endpoints/record.js";
import { runSweep } from "../../../src/bench/endpoints/run-load.js";
import {
  type Saturation,
  type SweepMeasure,
  type SweepSettings,
  sweep,
  usualSweep,
} from "../../../src/bench/endpoints/sweep.js";
import { plainWorkload, simulatedClock, simulatedTarget } from "./simulated.js";

const users: LoadPoint = { kind: "closed", concurrency: 1 };
const loads = (point: LoadPoint) => (point.kind === "closed" ? point.concurrency : point.rate);

function go(measure: (load: number) => readonly Partial<SweepMeasure>[], more: Partial<SweepSettings> = {}) {
  const steps = sweep({ ...usualSweep, start: users, ...more });
  const asked: number[] = [];
  let step = steps.next([]);
  while (step.done !== true) {
    asked.push(loads(step.value));
    const measured = measure(asked.at(-1)!);
    step = steps.next(
      measured.map((one, at) => ({
        target: "AB"[at]!,
        throughput: 1,
        errorRate: 0,
        goodShare: null,
        limited: null,
        ...one,
      })),
    );
  }
  const found: readonly Saturation[] = step.value;
  return { asked, found, at: found.map(({ point }) => asked[point]) };
}

test("doubles until more users bring nothing, then closes in on the last that did", () => {
  const { asked, at, found } = go((load) => [{ throughput: 50 * Math.min(load, 22) }]);
  expect(asked.slice(0, 7)).toEqual([1, 2, 4, 8, 16, 32, 64]);
  expect(asked).toHaveLength(10);
  expect(at[0]).toBeGreaterThanOrEqual(22);
  expect(at[0]).toBeLessThanOrEqual(36);
  expect(found[0]!.why).toMatch(/^\d+ users bring only \d\.\d % more than \d+ users$/);
});

test("both targets get the same loads, and each has its own end", () => {
  const { asked, at } = go((load) => [{ throughput: Math.min(load, 4) }, { throughput: Math.min(load, 64) }], {
    bisections: 4,
  });
  expect(asked.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 64, 128]);
  expect(at[0]).toBeGreaterThanOrEqual(4);
  expect(at[0]).toBeLessThan(8);
  expect(at[1]).toBeGreaterThanOrEqual(64);
  expect(at[1]).toBeLessThan(100);
});

test("ends where requests fail or the SLO breaks, and says so", () => {
  const failing = go((load) => [{ throughput: load, errorRate: load > 10 ? 0.3 : 0 }]);
  expect(failing.at[0]).toBeGreaterThanOrEqual(8);
  expect(failing.at[0]).toBeLessThanOrEqual(10);
  expect(failing.found[0]!.why).toMatch(/^30\.0 % of requests fail at \d+ users$/);
  const slow = go((load) => [{ throughput: load, goodShare: load > 5 ? 0.5 : 1 }]);
  expect(slow.at[0]).toBe(5);
  expect(slow.found[0]!.why).toMatch(/^only 50\.0 % of requests meet the SLO at \d users$/);
});

test("ends where this program is the limit, which is no saturation of a target", () => {
  const { asked, at, found } = go((load) => [{ throughput: load, limited: load >= 8 ? "it was busy" : null }]);
  expect(asked).toEqual([1, 2, 4, 8]);
  expect(at).toEqual([4]);
  expect(found[0]!.why).toBe("this program is the limit at 8 users: it was busy");
});

test("goes no further than it may", () => {
  const { asked, at, found } = go((load) => [{ throughput: load }], { most: 20 });
  expect(asked).toEqual([1, 2, 4, 8, 16]);
  expect(at).toEqual([16]);
  expect(found[0]!.why).toBe("not saturated at 20 users, the most that was to be tried");
});

test("rates are swept alike", () => {
  const start: LoadPoint = { kind: "open", rate: 0.5, arrival: "poisson", burstiness: null, maxConcurrency: null };
  const { asked, at } = go((load) => [{ throughput: Math.min(load, 3) }], { start });
  expect(asked.slice(0, 5)).toEqual([0.5, 1, 2, 4, 8]);
  expect(asked.slice(5).every((load) => load > 4 && load < 8)).toBe(true);
  expect(at[0]).toBeGreaterThanOrEqual(4);
});

test("a sweep over targets that serve so many at a time finds both ends, with the same prompts for both", async () => {
  const clock = simulatedClock();
  /** Serves so many requests at a time, each for 0.2 seconds. */
  const server = (places: number) =>
    simulatedTarget(clock, (_, __, underWay) => ({ ttft: 0.1 * Math.ceil(underWay / places), gaps: [0.05, 0.05] }));
  const idle = () => ({ stop: () => ({ cpu: 0, eventLoop: 0, lag: { p50: 0, p99: 0, max: 0 } }) });
  const senders = [server(2), server(8)];
  const { run, saturation } = await clock.run(
    runSweep(
      senders.map((sender, at) => ({ label: "AB"[at]!, protocol: "chat", sender })),
      plainWorkload(),
      {
        rounds: 2,
        block: { seconds: 10 },
        seed: 1,
        warmUp: true,
        rampSeconds: 0,
        drainSeconds: 30,
        totalSeconds: null,
        salt: null,
      },
      { ...usualSweep, start: users, most: 64, bisections: 1 },
      {},
      { clock, startMeter: idle },
    ),
  );
  expect(run.points.slice(0, 4).map(loads)).toEqual([1, 2, 4, 8]);
  expect(run.blocks).toHaveLength(run.points.length * 2 * 2);
  expect(saturation.map(({ target }) => target).sort()).toEqual(["A", "B"]);
  const ends = new Map(saturation.map(({ target, point }) => [target, loads(run.points[point]!)]));
  expect(ends.get("B")!).toBeGreaterThan(ends.get("A")!);
});
