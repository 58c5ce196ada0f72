import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startMeter } from "../../../src/bench/endpoints/client-load.js";
import { systemClock } from "../../../src/bench/endpoints/clock.js";
import type { EndpointRun, LoadPoint } from "../../../src/bench/endpoints/record.js";
import { type LoadPlan, runLoad } from "../../../src/bench/endpoints/run-load.js";
import { createSender } from "../../../src/bench/endpoints/sender-create.js";
import type { RequestLimits, Target } from "../../../src/bench/endpoints/target.js";
import type { Behaviours } from "../../../src/bench/server/behaviour.js";
import { type GoldenServer, startServer } from "../../../src/bench/server/serve.js";
import { datasetSource } from "../../../src/bench/workload/dataset.js";
import { makeWorkload, type Source, type WorkloadOptions } from "../../../src/bench/workload/make.js";
import { parseSharedPrefix } from "../../../src/bench/workload/shared-prefix.js";
import { parseSynthetic, syntheticSource } from "../../../src/bench/workload/synthetic.js";
import { vocabulary } from "../../../src/bench/workload/words.js";

const quick = { ttft: 0.002, gap: 0.001, tokens: 4, cacheBlock: 64 } as const;
const behaviours: Behaviours = {
  one: quick,
  two: quick,
  dying: { ...quick, fault: { every: 1, fault: { kind: "half-open", after: 2 } } },
};

let server: GoldenServer;
beforeAll(async () => {
  server = await startServer(behaviours);
});
afterAll(() => server.close());

const words = vocabulary();
const options: WorkloadOptions = {
  seed: 3,
  uniquePrefixes: true,
  answers: "measured",
  parameters: {},
  sharedPrefix: null,
  inOrder: false,
};
const limits: RequestLimits = { connectSeconds: 5, totalSeconds: 20, idleSeconds: 10, bytes: 1e6, retries: 0 };

async function load(
  models: readonly string[],
  plan: Partial<LoadPlan>,
  more: Partial<WorkloadOptions> = {},
  source: Source = syntheticSource(parseSynthetic("in=100,out=8"), 3, words),
): Promise<EndpointRun> {
  const clock = systemClock();
  const targets = models.map(
    (model): Target => ({
      label: model,
      url: `${server.url}/v1`,
      protocol: "chat",
      model,
      key: undefined,
      headers: {},
      body: {},
      stream: true,
      http2: "off",
    }),
  );
  const senders = targets.map((target) => ({ ...target, sender: createSender(target, limits, clock) }));
  const run = await runLoad(
    senders,
    makeWorkload(source, { ...options, ...more }, words),
    {
      points: [closed],
      rounds: 2,
      block: { requests: 12 },
      seed: 3,
      warmUp: true,
      rampSeconds: 0,
      drainSeconds: 10,
      totalSeconds: 60,
      salt: "this run",
      ...plan,
    },
    { clock, startMeter: () => startMeter(() => 0) },
  );
  for (const { sender } of senders) sender.close();
  return run;
}

const closed: LoadPoint = { kind: "closed", concurrency: 4 };
const open: LoadPoint = { kind: "open", rate: 200, arrival: "gamma", burstiness: 0.5, maxConcurrency: null };
const cached = (run: EndpointRun) =>
  run.records.filter(({ warmUp }) => !warmUp).map(({ usage }) => (usage?.cached ?? 0) / usage!.input!);

test.each([
  ["users", closed],
  ["bursts", open],
])("%s get answers from both targets, in pairs, over connections that were there", async (_, point) => {
  const run = await load(["one", "two"], { points: [point] });
  expect(run.stopped).toBeNull();
  const measured = run.records.filter(({ warmUp }) => !warmUp);
  expect(measured.map(({ error }) => error)).toEqual(Array(48).fill(null));
  const joint = (target: string) =>
    measured
      .filter((record) => record.target === target)
      .map(({ round, slot, prompt, turn }) => `${round} ${slot} ${prompt} ${turn}`)
      .sort();
  expect(joint("one")).toEqual(joint("two"));
  expect(new Set(joint("one")).size).toBe(24);
  expect(measured.filter(({ reused }) => !reused).length).toBeLessThan(measured.length / 4);
  expect(run.blocks.map(({ window }) => window.end > window.start)).toEqual([true, true, true, true]);
});

test("no cache knows a prompt that begins with something new, and any knows one that was sent before", async () => {
  const source = () => datasetSource(`${"What is all this about? ".repeat(20)}\n`, "one.txt");
  expect(Math.max(...cached(await load(["one", "two"], {}, {}, source())))).toBe(0);
  const known = cached(await load(["one", "two"], { salt: null }, { uniquePrefixes: false }, source()));
  expect(Math.min(...known)).toBeGreaterThan(0.8);
});

test("a shared prefix is known within a block, and to no block before it", async () => {
  const shared = { sharedPrefix: parseSharedPrefix("400", "--shared-prefix") };
  const run = await load(["one"], { warmUp: false, points: [{ kind: "closed", concurrency: 1 }] }, shared);
  const shares = cached(run);
  expect(shares).toHaveLength(24);
  shares.forEach((share, at) => {
    if (at % 12 === 0) expect(share).toBe(0);
    else expect(share).toBeGreaterThan(0.6);
  });
});

test("answers go into the next turn", async () => {
  const source = syntheticSource(parseSynthetic("in=20,out=8,turns=3"), 3, words);
  const run = await load(["one"], { rounds: 1 }, {}, source);
  const measured = run.records.filter(({ warmUp }) => !warmUp);
  expect(measured.map(({ turn }) => turn).sort()).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  const inputs = (turn: number) => measured.filter((record) => record.turn === turn).map(({ usage }) => usage!.input!);
  expect(Math.min(...inputs(1))).toBeGreaterThan(Math.max(...inputs(0)));
  expect(Math.min(...inputs(2))).toBeGreaterThan(Math.max(...inputs(1)));
});

test("streams that hang are ended with the block and keep what came", async () => {
  const run = await load(["dying"], { rounds: 1, warmUp: false, drainSeconds: 0.5, block: { requests: 4 } });
  expect(run.records.map(({ error }) => error?.kind)).toEqual(Array(4).fill("cancelled"));
  expect(run.records.map(({ eventCount }) => eventCount)).toEqual(Array(4).fill(2));
});
