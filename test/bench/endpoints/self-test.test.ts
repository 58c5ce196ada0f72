import { expect, test } from "@jest/globals";
import { Chalk } from "chalk";
import { selfTest } from "../../../src/bench/endpoints/self-test.js";
import { startServer } from "../../../src/bench/server/serve.js";
import { selfTestForms } from "../../../src/render/bench-self-test.js";
import { someEnvironment as environment } from "../environment.js";

test("measures what it can do itself, and says so", async () => {
  const now = (): number => (performance.timeOrigin + performance.now()) / 1000;
  const steps: string[] = [];
  const result = await selfTest({
    // in this process, to be quick; a command has it in another
    async start(behaviours) {
      const server = await startServer(behaviours, { now });
      return {
        url: server.url,
        port: server.port,
        requests: async () => server.requests(),
        forget: async () => server.forget(),
        close: () => server.close(),
      };
    },
    now,
    cpuSeconds: () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
    environment,
    started: "2026-11-25T20:00:00.000Z",
    seconds: 0.2,
    progress: (text) => steps.push(text),
  });
  expect(result.schema).toBe("deepseek/bench-self-test@1");
  // all that was asked of 64 connections and 16 streams was counted, not only what one of them did
  expect(result.coalesced.count % 20_000).toBe(0);
  expect(result.coalesced.count).toBeGreaterThanOrEqual(16 * 20_000);
  expect(result.requests.count).toBeGreaterThanOrEqual(64);
  expect(result.paced.map(({ streams, events, share }) => [streams, events, share])).toEqual([
    [16, 320, 1],
    [64, 1280, 1],
    [128, 2560, 1],
  ]);
  expect(result.openStreams).toMatchObject({ streams: 1000, events: 2000, share: 1 });
  for (const { error, cpuSeconds } of [...result.paced, result.openStreams]) {
    expect(error.p50).toBeGreaterThanOrEqual(0);
    expect(error.p99).toBeGreaterThanOrEqual(error.p50);
    expect(cpuSeconds).toBeGreaterThan(0);
  }
  expect(steps).toHaveLength(6);
  const text = selfTestForms(result).text(new Chalk({ level: 0 }), 100);
  expect(text).toContain("Some CPU");
  expect(text).toMatch(/128 of 100 events a second +\d/);
  expect(text).not.toMatch(/NaN|undefined|Infinity/);
});
