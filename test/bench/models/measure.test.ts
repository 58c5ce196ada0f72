import { describe, expect, test } from "@jest/globals";
import { type Clocks, maxRawSamples, startMeasurement } from "../../../src/bench/models/measure.js";
import { takeTurns } from "../../../src/bench/models/schedule.js";
import type { Batch } from "../../../src/data/batch.js";
import type { Session } from "../../../src/engine/session.js";

/** A machine whose clocks move only when the model runs: `seconds(run)` on the wall, half of it on the CPU. */
function machine(seconds: (run: number, batch: Batch) => number) {
  let now = 100;
  let runs = 0;
  let resident = 50e6;
  const ran: Batch[] = [];
  const session: Session = {
    inputs: [],
    outputs: [],
    async run(batch) {
      now += seconds(runs++, batch);
      ran.push(batch);
      return new Map();
    },
    runFor: async () => new Map(),
    close: async () => {},
  };
  const open = async () => {
    now += 0.25;
    resident += 20e6;
    return session;
  };
  const clocks: Clocks = {
    wall: () => now,
    cpu: () => now / 2,
    residentBytes: () => resident,
    peakBytes: () => resident + 5e6,
  };
  return { open, clocks, ran };
}

/** One round on its own. */
async function measureRound(
  { open, clocks }: ReturnType<typeof machine>,
  batches: readonly Batch[],
  { warmUpSeconds, seconds }: { readonly warmUpSeconds: number; readonly seconds: number },
) {
  const measurement = await startMeasurement(open, batches, warmUpSeconds, clocks);
  await takeTurns([measurement], seconds);
  return measurement.finish();
}

const sample = (): Batch => new Map();

describe("a round", () => {
  test("tells load, first run, warm-up and samples apart", async () => {
    // the first run takes 1 s, the 4 warm-up runs 0.1 s, those that count 0.01 s
    const tested = machine((run) => (run === 0 ? 1 : run <= 4 ? 0.1 : 0.01));
    const round = await measureRound(tested, [sample()], { warmUpSeconds: 0.35, seconds: 0.995 });
    expect(round.loadSeconds).toBeCloseTo(0.25);
    expect(round.firstRunSeconds).toBeCloseTo(1);
    expect(round.warmUpRuns).toBe(4);
    expect(round.samples).toBe(100);
    expect(round.runsPerSample).toBe(1);
    expect(round.wall.median).toBeCloseTo(0.01);
    expect(round.wall.p90).toBeCloseTo(0.01);
    expect(round.cpu.median).toBeCloseTo(0.005);
    expect(round.raw!.cpu).toHaveLength(100);
    expect(tested.ran).toHaveLength(1 + 4 + 100);
    expect([round.baseBytes, round.loadedBytes, round.peakBytes]).toEqual([50e6, 70e6, 75e6]);
  });

  test("weighs small and large samples alike: neither rules the median nor counts as an outlier", async () => {
    const batches = [sample(), sample(), sample(), sample()];
    // three small ones and one a hundred times as large
    const tested = machine((_, batch) => (batch === batches[3] ? 1 : 0.01));
    const round = await measureRound(tested, batches, { warmUpSeconds: 0.1, seconds: 20 });
    expect(round.wall.median).toBeCloseTo((3 * 0.01 + 1) / 4);
    expect(round.wall.outliers).toBe(0);
  });

  test("makes whole passes over its samples, so that a fast model gets the same mix as a slow one", async () => {
    const batches = [sample(), sample(), sample()];
    const tested = machine((_, batch) => 0.1 * (1 + batches.indexOf(batch)));
    const round = await measureRound(tested, batches, { warmUpSeconds: 0.1, seconds: 1 });
    // a pass takes 0.6 s, so the second is finished
    expect(round.samples).toBe(6);
    expect(round.wall.median).toBeCloseTo(0.2);
    expect(round.wall.p90).toBeNull();
  });

  test("a slow model is still run three times", async () => {
    const tested = machine(() => 9);
    expect((await measureRound(tested, [sample()], { warmUpSeconds: 0.1, seconds: 1 })).samples).toBe(3);
  });

  test("runs of microseconds are measured many at a time", async () => {
    const tested = machine(() => 1e-5);
    const round = await measureRound(tested, [sample()], { warmUpSeconds: 0.01, seconds: 1 });
    expect(round.runsPerSample).toBeGreaterThanOrEqual(100);
    expect(round.wall.median).toBeCloseTo(1e-5, 9);
    expect(round.samples).toBeGreaterThan(maxRawSamples);
    expect(round.raw).toBeNull();
  });
});
