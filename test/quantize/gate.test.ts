import { describe, expect, test } from "@jest/globals";
import { searchFloats } from "../../src/quantize/gate.js";
import fc from "../property.js";

const names = (count: number) => Array.from({ length: count }, (_, at) => `w${at}`);

describe("the search for weights that must stay floats", () => {
  test("finds the fewest that keep the limit, in about log2(n) trials", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 200 }), fc.nat(250), async (count, needed) => {
        const outcome = await searchFloats(names(count), 0.02, async (floats) =>
          floats.length >= needed ? 0.01 : 0.5,
        );
        // at least one weight is quantized
        const possible = needed < count || needed === 0;
        expect(outcome.reached).toBe(possible);
        if (possible) expect(outcome.floats).toEqual(names(count).slice(0, needed));
        expect(outcome.trials.length).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(count)));
      }),
    );
  });

  test("nothing is tried again that is known", async () => {
    const tried: number[] = [];
    const outcome = await searchFloats(
      names(4),
      0.1,
      async ({ length }) => {
        tried.push(length);
        return 0;
      },
      0.05,
    );
    expect(outcome).toEqual({ reached: true, floats: [], drop: 0.05, trials: [{ floats: 0, drop: 0.05 }] });
    expect(tried).toEqual([]);
  });

  test("where no choice keeps the limit, it says how near it came", async () => {
    const drops = [0.5, 0.3, 0.2, 0.1];
    const outcome = await searchFloats(names(4), 0.02, async ({ length }) => drops[length]!);
    expect(outcome).toMatchObject({ reached: false, floats: ["w0", "w1", "w2"], drop: 0.1 });
  });
});
