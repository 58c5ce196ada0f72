import { describe, expect, test } from "@jest/globals";
import { uniform } from "../../src/data/random.js";
import { UserError } from "../../src/errors.js";
import { isEnough, searchLatency } from "../../src/prune/latency.js";
import { OutOfReach } from "../../src/prune/refusals.js";
import type { Selection } from "../../src/prune/settings.js";
import fc from "../property.js";

interface World {
  /** Time over the original's when a share of the FLOPs is gone. */
  readonly time: (gone: number) => number;
  /** Ratios come in so many steps. */
  readonly steps?: number;
  readonly most?: number;
  readonly noise?: number;
  readonly seed?: number;
  /** Time of what nothing is removed of, where that is measured first. */
  readonly prepared?: number;
}

const nothing = { removed: new Set() } as unknown as Selection;

/** Searches among selections that are nothing but their ratio. */
function search(wanted: number, { time, steps = 1000, most = 1, noise = 0, seed = 1, prepared }: World) {
  const next = uniform(seed);
  const asked: number[] = [];
  const run = searchLatency({
    wanted,
    ...(prepared !== undefined && { prepared: { selection: nothing, time: prepared } }),
    select(ratio) {
      if (ratio > most) throw new OutOfReach("too much", most);
      const step = Math.round(ratio * steps);
      if (step === 0) throw new OutOfReach("too little", 1 / steps);
      return { removed: new Set([step]) } as unknown as Selection;
    },
    async measure({ removed }) {
      const gone = [...removed][0]! / steps;
      asked.push(gone);
      return time(gone) + noise * (2 * next() - 1);
    },
  });
  return run.then((found) => ({ ...found, asked }));
}

describe("searching a latency", () => {
  test("one selection is enough where time falls as FLOPs do, and is looked at twice", async () => {
    const { ratio, time, trace, asked } = await search(0.3, { time: (gone) => 1 - gone });
    expect([ratio, trace.length, asked]).toEqual([0.3, 1, [0.3, 0.3]]);
    expect(time).toBeCloseTo(0.7, 12);
  });

  test("goes on where time falls more slowly", async () => {
    const { time, trace } = await search(0.3, { time: (gone) => 1 - 0.55 * gone });
    expect(Math.abs(time - 0.7)).toBeLessThanOrEqual(0.01);
    expect(trace.length).toBeLessThanOrEqual(4);
    expect(trace[0]).toEqual({ ratio: 0.3, time: 1 - 0.55 * 0.3 });
  });

  test("measures no selection twice, and ends where all around the goal are", async () => {
    const { time, asked } = await search(0.3, { time: (gone) => 1 - gone, steps: 4 });
    expect(new Set(asked).size).toBe(asked.length);
    expect(time).toBe(0.75);
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  test("goes on where a second look does not confirm the first", async () => {
    const looks = [0.7, 0.78];
    const seen: number[] = [];
    const found = await searchLatency({
      wanted: 0.3,
      select: (ratio) => ({ removed: new Set([Math.round(1000 * ratio)]) }) as unknown as Selection,
      async measure({ removed }) {
        seen.push([...removed][0]!);
        return looks.shift() ?? 1 - 0.87 * ([...removed][0]! / 1000);
      },
    });
    expect(seen.slice(0, 2)).toEqual([300, 300]);
    expect(found.trace[0]!.time).toBeCloseTo(0.76, 12);
    expect(found.ratio).toBeGreaterThan(0.32);
    expect(Math.abs(found.time - 0.7)).toBeLessThanOrEqual(0.01);
  });

  test("tells the most that can be had", async () => {
    const world = { time: (gone: number) => 1 - 0.5 * gone, most: 0.6 };
    await expect(search(0.5, world)).rejects.toThrow(
      new UserError("--prune 0.5 --by latency: at most 0.3 of the time can go with these limits on this machine"),
    );
    await expect(search(1, world)).rejects.toThrow("--prune 1: is not a share of the time");
  });

  test("pruning that makes nothing faster is refused", async () => {
    await expect(search(0.3, { time: () => 1.02, noise: 0.005 })).rejects.toThrow("at most 0 of the time");
  });

  test("starts from what preparing the file brought", async () => {
    const { ratio, time, trace } = await search(0.3, { time: (gone) => 0.8 * (1 - gone), prepared: 0.8 });
    expect(ratio).toBeCloseTo(0.125, 12);
    expect([time, trace.length]).toEqual([0.8 * (1 - 0.125), 1]);
  });

  test("leaves all channels where the first step leads further from the goal than none", async () => {
    // one step is a third of the work
    const world = { time: (gone: number) => 0.73 * (1 - gone), steps: 3 };
    const found = await search(0.3, { ...world, prepared: 0.73 });
    expect([found.selection, found.ratio, found.time]).toEqual([nothing, 0, 0.73]);
    // further away than 5 points, what was asked for is done
    const other = await search(0.3, { time: (gone) => 0.76 * (1 - gone), steps: 3, prepared: 0.76 });
    expect(other.ratio).toBeGreaterThan(0);
  });

  test("says what is fast enough without", () => {
    expect([0.6, 0.7, 0.715, 0.73].map((time) => isEnough(0.3, time))).toEqual([true, true, true, false]);
  });

  test("other errors pass", async () => {
    const goal = {
      wanted: 0.3,
      select: () => ({ removed: new Set([1]) }) as unknown as Selection,
      measure: () => Promise.reject(new Error("no such session")),
    };
    await expect(searchLatency(goal)).rejects.toThrow("no such session");
  });

  test("any falling time, with noise: within 3 points after at most 8 measurements", async () => {
    const world = fc.record({
      wanted: fc.double({ min: 0.1, max: 0.6, noNaN: true }),
      power: fc.double({ min: 0.6, max: 1.8, noNaN: true }),
      gain: fc.double({ min: 0.7, max: 1, noNaN: true }),
      noise: fc.constantFrom(0, 0.005, 0.01),
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(world, async ({ wanted, power, gain, noise, seed }) => {
        const time = (gone: number) => 1 - gain * gone ** power;
        const found = await search(wanted, { time, noise, seed, steps: 200 });
        expect(found.trace.length).toBeLessThanOrEqual(8);
        expect(found.asked.length).toBeLessThanOrEqual(8);
        // what was measured is near; what is true is off by the noise of one measurement more
        expect(Math.abs(found.time - (1 - wanted))).toBeLessThanOrEqual(0.03);
        expect(Math.abs(time(found.ratio) - (1 - wanted))).toBeLessThanOrEqual(0.035 + noise);
      }),
      { numRuns: 300 },
    );
  });
});
