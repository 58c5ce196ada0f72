import { describe, expect, test } from "@jest/globals";
import { tensorInfo } from "../../src/formats/onnx.js";
import { rows } from "../../src/prune/rows/index.js";
import { measureSensitivity } from "../../src/prune/sensitivity.js";
import type { Limits } from "../../src/prune/settings.js";
import { analysed, convolutions, noise } from "./data-models.js";

const limits: Limits = { round: 1, minChannels: 1, limit: 0.9, limits: [], keep: [], only: [], hidden: false };

async function setUp() {
  const { structure, groups } = await analysed(convolutions(), new Map([["x", noise([1, 3, 4, 4], 1)]]));
  const scores = groups.map(({ channels }) => Float64Array.from(channels, (_, at) => (at * 5) % 7));
  /** How many channels each convolution makes, from what is sliced. */
  const widths = (model: typeof structure.model) =>
    model.graph!.initializer.filter(({ name }) => /^w[01]$/.test(name)).map((one) => tensorInfo(one).shape[0]!);
  return { structure, groups, scores, widths };
}

describe("damage of each group alone", () => {
  test("each share is tried with the others whole, the middle one first", async () => {
    const { structure, groups, scores, widths } = await setUp();
    const tried: string[] = [];
    const told: string[] = [];
    const curves = await measureSensitivity(
      structure,
      groups,
      scores,
      rows,
      async (model) => {
        tried.push(widths(model).join());
        return 14 - widths(model).reduce((sum, width) => sum + width);
      },
      { limits, onMeasure: ({ done, total, group }) => told.push(`${done}/${total} ${group.name}`) },
    );
    expect(tried).toEqual(["4,6", "8,3", "6,6", "8,5", "2,6", "8,2"]);
    expect(told[0]).toBe("1/6 w0");
    expect(curves).toEqual([
      {
        group: 0,
        points: [
          { removed: 0.25, damage: 2 },
          { removed: 0.5, damage: 4 },
          { removed: 0.75, damage: 6 },
        ],
      },
      {
        group: 1,
        points: [
          { removed: 1 / 6, damage: 1 },
          { removed: 0.5, damage: 3 },
          { removed: 4 / 6, damage: 4 },
        ],
      },
    ]);
  });

  test("damage never falls along a curve, and is infinite where it is no number", async () => {
    const { structure, groups, scores } = await setUp();
    const damages = [3, Number.NaN, 5, 1, 1, 1];
    const curves = await measureSensitivity(structure, groups, scores, rows, async () => damages.shift()!, { limits });
    expect(curves.map(({ points }) => points.map(({ damage }) => damage))).toEqual([
      [5, 5, 5],
      [1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    ]);
  });

  test("keeps to the limits, and ends when it is told to", async () => {
    const { structure, groups, scores, widths } = await setUp();
    const tried: string[] = [];
    const damageOf = async (model: typeof structure.model) => {
      tried.push(widths(model).join());
      return 1;
    };
    let left = 2;
    const curves = await measureSensitivity(structure, groups, scores, rows, damageOf, {
      limits: { ...limits, round: 4, limit: 0.5, keep: [/^w2$/] },
      mayGoOn: () => left-- > 0,
    });
    // all shares of the one group come to the same
    expect(tried).toEqual(["4,6"]);
    expect(curves).toEqual([{ group: 0, points: [{ removed: 0.5, damage: 1 }] }]);
    expect(left).toBe(1);
  });
});
