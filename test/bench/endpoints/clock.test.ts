import { expect, test } from "@jest/globals";
import { startMeter } from "../../../src/bench/endpoints/client-load.js";
import { systemClock } from "../../../src/bench/endpoints/clock.js";

test("a wait never ends before its time, and one for the past at once", async () => {
  const clock = systemClock();
  for (const seconds of [0.0004, 0.001, 0.0137, 0.03]) {
    const time = clock.now() + seconds;
    await clock.until(time);
    expect(clock.now()).toBeGreaterThanOrEqual(time);
  }
  const late = clock.now() - 5;
  await clock.until(late);
});

test("waits of the past let others have their turn", async () => {
  const clock = systemClock();
  let others = 0;
  const timer = setInterval(() => others++, 1);
  const end = clock.now() + 0.05;
  while (clock.now() < end) await clock.until(0);
  clearInterval(timer);
  expect(others).toBeGreaterThan(0);
});

test("a signal ends a wait, before it or during it", async () => {
  const clock = systemClock();
  const stop = new AbortController();
  const waiting = clock.until(clock.now() + 1e9, stop.signal);
  stop.abort();
  await waiting;
  await clock.until(clock.now() + 1e9, stop.signal);
});

test("a meter tells a busy loop from an idle one", async () => {
  const clock = systemClock();
  const cpu = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const idle = startMeter(cpu);
  await clock.until(clock.now() + 0.1);
  const rest = idle.stop();
  const busy = startMeter(cpu);
  const end = clock.now() + 0.1;
  while (clock.now() < end) await new Promise((resolve) => setImmediate(resolve));
  const work = busy.stop();
  expect(work.eventLoop).toBeGreaterThan(rest.eventLoop);
  expect(work.cpu).toBeGreaterThan(0);
  for (const value of [rest.lag.p50, rest.lag.p99, rest.lag.max]) expect(value).toBeGreaterThanOrEqual(0);
});
