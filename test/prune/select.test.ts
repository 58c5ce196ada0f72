import { beforeAll, describe, expect, test } from "@jest/globals";
import { uniform } from "../../src/data/random.js";
import { UserError } from "../../src/errors.js";
import type { ModelProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { createCostModel } from "../../src/prune/costs.js";
import { createGoneShare } from "../../src/prune/group-costs.js";
import type { Groups } from "../../src/prune/groups.js";
import { weightScores } from "../../src/prune/importance.js";
import { OutOfReach } from "../../src/prune/refusals.js";
import { damageAt, selectChannels } from "../../src/prune/select.js";
import type { Limits, Measure, Selection, SelectSettings, Spread } from "../../src/prune/settings.js";
import type { Structure } from "../../src/prune/structure.js";
import { floats, makeModel } from "../onnx-model.js";
import fc from "../property.js";
import { structureOf } from "./structures.js";

/** Convolutions of so many channels, one after the other; those of `residual` (by their place) are added to the next. */
function convolutions(widths: readonly number[], residual: readonly number[] = [], seed = 1): ModelProto {
  const next = uniform(seed);
  const sizes = [3, ...widths, 4];
  let from = "x";
  const nodes = sizes.slice(1).flatMap((_, at) => {
    const last = at === sizes.length - 2;
    const conv = makeNode("Conv", `conv${at}`, [from, `w${at}`], [last ? "y" : `c${at}`]);
    const added = residual.includes(at) ? [makeNode("Add", `add${at}`, [from, `c${at}`], [`a${at}`])] : [];
    from = added.length > 0 ? `a${at}` : `c${at}`;
    if (last) return [conv];
    const relu = makeNode("Relu", `relu${at}`, [from], [`r${at}`]);
    from = `r${at}`;
    return [conv, ...added, relu];
  });
  return makeModel({
    inputs: [["x", "float32", [1, 3, 4, 4]]],
    outputs: [["y", "float32", [1, 4, 4, 4]]],
    nodes,
    initializers: sizes.slice(1).map((out, at) => {
      const shape = [out, sizes[at]!, 1, 1];
      return floats(
        `w${at}`,
        shape,
        Array.from({ length: out * sizes[at]! }, () => next() + next() - 1),
      );
    }),
  });
}

interface Subject extends Groups {
  readonly structure: Structure;
}
const shapes = { x: [1, 3, 4, 4] };
const usual: Limits = { round: 8, minChannels: 8, limit: 0.9, limits: [], keep: [], only: [], hidden: false };

function select(
  subject: Subject,
  { limits, ...settings }: Partial<Omit<SelectSettings, "limits">> & { readonly limits?: Partial<Limits> } = {},
): Selection {
  const { structure, groups } = subject;
  const { scores } = weightScores(structure, groups, { criterion: "l2", reduction: "mean", seed: 1 });
  return selectChannels(structure, subject, createCostModel(structure), {
    ...{ by: "params", ratio: 0.3, spread: "uniform", scores },
    ...settings,
    limits: { ...usual, ...limits },
  });
}

const left = ({ groups }: Selection) => groups.map(({ group, removed }) => group.channels.length - removed.length);
const whys = ({ groups }: Selection) => Object.fromEntries(groups.map(({ group, why }) => [group.name, why]));
const goneOf = ({ before, after }: Selection, by: Measure) =>
  by === "channels"
    ? 1 - after.channels
    : by === "flops"
      ? 1 - after.flops / before.flops
      : 1 - after.parameters / before.parameters;
const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
};

describe("selecting channels", () => {
  let net: Subject;
  beforeAll(async () => {
    net = await structureOf(convolutions([64, 96, 128, 96, 64]), shapes);
  });

  describe.each<Spread>(["uniform", "global"])("%s", (spread) => {
    test.each<[Measure, number]>([
      ["params", 0.3],
      ["params", 0.5],
      ["params", 0.75],
      ["flops", 0.4],
      ["channels", 0.5],
    ])("%s falls by %f, in widths that are multiples of 8", (by, ratio) => {
      const selection = select(net, { spread, by, ratio });
      expect(Math.abs(goneOf(selection, by) - ratio)).toBeLessThan(0.012);
      for (const width of left(selection)) expect(width % 8).toBe(0);
    });

    test("lands nearer where any width will do", () => {
      const selection = select(net, { spread, ratio: 0.37, limits: { round: 1, minChannels: 1 } });
      expect(Math.abs(goneOf(selection, "params") - 0.37)).toBeLessThan(0.003);
    });
  });

  test("uniform takes the same share of each group", () => {
    expect(left(select(net, { by: "channels", ratio: 0.5 }))).toEqual([32, 48, 64, 48, 32]);
  });

  test("takes the lowest scores of a group", () => {
    const scores = net.groups.map(({ channels }) => Float64Array.from(channels, (_, at) => (at % 2 ? at : 1000 + at)));
    const { groups, removed } = select(net, { by: "channels", ratio: 0.5, scores });
    for (const { group, removed: places } of groups) {
      expect(places).toEqual(Array.from({ length: group.channels.length / 2 }, (_, at) => 2 * at + 1));
      for (const at of places) expect(removed.has(group.channels[at]!.label)).toBe(true);
    }
  });

  test("global takes them where they are lowest of all", () => {
    // the third group is worth nothing, the first one most
    const worth = [9000, 30, 0, 4000, 5000];
    const scores = net.groups.map(({ channels }, g) => Float64Array.from(channels, (_, at) => worth[g]! + at / 1000));
    const selection = select(net, { spread: "global", by: "channels", ratio: 0.3, scores, limits: { limit: 0.75 } });
    // 0.3 of 448 are 134: 96 of the third, the rest of the second
    expect(left(selection)).toEqual([64, 56, 32, 96, 64]);
    expect(whys(selection)).toMatchObject({
      w0: "others have lower scores for what they save",
      w1: "the lowest scores of all groups for what they save",
      w2: "the lowest scores of all groups for what they save; as much as --limit allows",
    });
  });

  test("global takes most where most is saved, and some of all", () => {
    // a part of one group is worth what the same part of any other is
    const alike = net.groups.map(({ channels }) => new Float64Array(channels.length).fill(1 / channels.length));
    const shares = (by: Measure) => {
      const widths = left(select(net, { spread: "global", by, ratio: 0.4, scores: alike }));
      return widths.map((width, at) => width / alike[at]!.length);
    };
    for (const by of ["params", "channels"] as const) {
      const found = shares(by);
      expect(found.indexOf(Math.min(...found))).toBe(2);
      expect(found[2]).toBeGreaterThan(0.2);
      expect(found[1]).toBeLessThan(found[0]!);
    }
  });

  test("global leaves a group of which no number says what it is worth", () => {
    const scores = net.groups.map(({ channels }, g) => new Float64Array(channels.length).fill(g === 0 ? Infinity : 1));
    expect(left(select(net, { spread: "global", ratio: 0.3, scores }))[0]).toBe(64);
  });

  test("sensitivity prunes where it does little damage", () => {
    const curves = net.groups.map(({ index }) => ({
      group: index,
      points: [0.25, 0.5, 0.75].map((removed) => ({ removed, damage: removed * (index === 1 ? 0.01 : 1) })),
    }));
    const selection = select(net, { spread: "sensitivity", ratio: 0.3, curves: curves.slice(0, -1) });
    // the step of the first group is what the second one's leave of the target
    expect(left(selection)).toEqual([56, 40, 128, 96, 64]);
    expect(Math.abs(goneOf(selection, "params") - 0.3)).toBeLessThan(0.01);
    expect(whys(selection)["w4"]).toBe("stays whole: no damage was measured for it");
  });

  test("damage is read off its curve", () => {
    const curve = { group: 0, points: [0.5, 0.25, 0.75].map((removed) => ({ removed, damage: removed ** 2 })) };
    const at = (share: number) => damageAt(curve, share);
    expect([at(0), at(0.125), at(0.5), at(0.625)]).toEqual([0, 0.03125, 0.25, (0.25 + 0.5625) / 2]);
    // on with the last slope of 1.25
    expect(at(0.95)).toBeCloseTo(0.5625 + 0.2 * 1.25, 12);
    const noisy = [0.2, 0.1, Number.NaN].map((damage, i) => ({ removed: (i + 1) / 4, damage }));
    expect([0.25, 0.5, 0.75].map((share) => damageAt({ group: 0, points: noisy }, share))).toEqual([0.2, 0.2, 0.2]);
  });

  describe("limits", () => {
    test("keep, only, and shares by pattern", () => {
      const limits = [
        { pattern: /^conv1$/, share: 0.25 },
        { pattern: /w/, share: 0.9 },
      ];
      const some = select(net, { ratio: 0.5, limits: { keep: [/^w4$/], limits, only: [/w[0-4]/] } });
      // conv1 reads w1, on which the first two groups lie
      expect(left(some)[0]).toBeGreaterThanOrEqual(48);
      expect(left(some)[1]).toBeGreaterThanOrEqual(72);
      // w4 makes the last group and is read along the one before
      expect(left(some).slice(3)).toEqual([96, 64]);
      expect(whys(some)["w4"]).toBe("stays whole: --keep");
      const others = select(net, { ratio: 0.2, limits: { only: [/^w2$/] } });
      expect(whys(others)["w3"]).toBe("stays whole: --only names others");
      expect(left(others).filter((_, at) => at !== 1 && at !== 2)).toEqual([64, 96, 64]);
    });

    test("tells patterns that fit nothing", () => {
      const limits = { keep: [/^w0$/g, /nowhere/], only: [/conv/], limits: [{ pattern: /head/, share: 0.1 }] };
      expect(select(net, { limits }).unmatched).toEqual([
        { of: "keep", at: 1 },
        { of: "limits", at: 0 },
      ]);
    });

    test("leaves so many channels", () => {
      const selection = select(net, { ratio: 0.6, spread: "global", limits: { minChannels: 40 } });
      expect(Math.min(...left(selection))).toBeGreaterThanOrEqual(40);
    });

    test("an odd width goes to a multiple or stays", async () => {
      const odd = await structureOf(convolutions([57, 12, 8, 5]), shapes);
      const selection = select(odd, { ratio: 0.4 });
      expect(left(selection)[0]! % 8).toBe(0);
      expect([12, 8]).toContain(left(selection)[1]);
      expect(left(selection).slice(2)).toEqual([8, 5]);
      expect(whys(selection)["w2"]).toBe("the width stays a multiple of --round 8");
    });
  });

  describe("refuses", () => {
    test.each([0, 1, -0.5, 1.5, Number.NaN])("a ratio of %f", (ratio) => {
      expect(refusal(() => select(net, { ratio }))).toBe(
        `--prune ${ratio}: is not a share over 0 and below 1, such as 0.3 or 30%`,
      );
    });

    test("more than the limits allow, and what it says can be had", () => {
      const limits = { limit: 0.5 };
      const message = refusal(() => select(net, { ratio: 0.9, limits }));
      expect(message).toMatch(
        /^--prune 0\.9: at most 0\.\d\d of the parameters can go with these limits; a --limit over 0\.5 would allow more$/,
      );
      const most = Number(/at most ([\d.]+)/.exec(message)![1]);
      expect(goneOf(select(net, { ratio: most, limits }), "params")).toBeCloseTo(most, 1);
    });

    test("what is narrower than the rounding already", async () => {
      const narrow = await structureOf(convolutions([8, 6]), shapes);
      expect(refusal(() => select(narrow))).toBe(
        "--prune 0.3: the limits keep all 2 groups of channels: 2 (already no wider than --round 8); " +
          "--round 1 --min-channels 1 allow any width",
      );
      expect(refusal(() => select(net, { limits: { keep: [/./] } }))).toBe(
        "--prune 0.3: the limits keep all 5 groups of channels: 5 (--keep names)",
      );
    });

    test("less than a step", async () => {
      const one = await structureOf(convolutions([16]), shapes);
      expect(refusal(() => select(one, { ratio: 0.1 }))).toBe(
        "--prune 0.1: the smallest step takes 0.5 of the parameters; ask for that, or for a smaller --round than 8",
      );
    });

    test("a model of which nothing can go, with what holds it", async () => {
      const held = makeModel({
        inputs: [["x", "float32", [1, 3]]],
        outputs: [["y", "float32", [1, 8]]],
        nodes: [
          makeNode("MatMul", "m", ["x", "w"], ["h"]),
          makeNode("Hardmax", "odd", ["h"], ["s"]),
          makeNode("MatMul", "n", ["s", "v"], ["y"]),
        ],
        initializers: [floats("w", [3, 32]), floats("v", [32, 8])],
      });
      const message = await structureOf(held, { x: [1, 3] }).then((subject) => refusal(() => select(subject)));
      expect(message).toBe(
        "--prune 0.3: nothing in this model can be pruned: held by MatMul (joins axes of which one stays), graph output, " +
          "Hardmax (uses every index of it)",
      );
    });
  });

  test("costs by counts are those by channels", async () => {
    const subject = await structureOf(convolutions([6, 9, 9, 7], [2]), shapes);
    const { structure, groups } = subject;
    const costs = createCostModel(structure);
    for (const by of ["params", "flops", "channels"] as const) {
      const gone = createGoneShare(structure, groups, costs, by);
      const counts = groups.map((_, at) => at + 1);
      const removed = new Set(
        groups.flatMap(({ channels }, at) => channels.slice(0, at + 1).map(({ label }) => label)),
      );
      const key = by === "params" ? "parameters" : by;
      expect(gone(counts)).toBeCloseTo(1 - costs.without(removed)[key] / costs.whole[key], 12);
    }
  });

  test("any network: the limits hold, the cost falls as asked, nothing depends on chance", async () => {
    const network = fc.record({
      widths: fc.array(fc.integer({ min: 2, max: 70 }), { minLength: 1, maxLength: 5 }),
      twins: fc.array(fc.boolean(), { maxLength: 5 }),
      ratio: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
      by: fc.constantFrom<Measure>("params", "flops", "channels"),
      spread: fc.constantFrom<Spread>("uniform", "global"),
      round: fc.constantFrom(1, 4, 8),
      minChannels: fc.integer({ min: 1, max: 20 }),
      limit: fc.double({ min: 0.2, max: 0.95, noNaN: true }),
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(network, async ({ widths, twins, ratio, by, spread, round, minChannels, limit, seed }) => {
        // a twin is as wide as the one before, and added to it
        const sizes = widths.flatMap((width, at) => (twins[at] ? [width, width] : [width]));
        const residual = widths.flatMap((_, at) => {
          const before = widths.slice(0, at).reduce((n, _width, i) => n + (twins[i] ? 2 : 1), 0);
          return twins[at] ? [before + 1] : [];
        });
        const subject = await structureOf(convolutions(sizes, residual, seed), shapes);
        const limits = { round, minChannels, limit };
        const run = (wanted: number): Selection | string => {
          try {
            return select(subject, { ratio: wanted, by, spread, limits });
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
            // what it says can be had can be had
            if (error instanceof OutOfReach && error.nearest > 0 && error.nearest < 1) {
              select(subject, { ratio: error.nearest, by, spread, limits });
            }
            return (error as Error).message;
          }
        };
        const found = run(ratio);
        expect(run(ratio)).toEqual(found);
        if (typeof found === "string") return;
        found.groups.forEach(({ group, removed }) => {
          const [count, gone] = [group.channels.length, removed.length];
          if (gone === 0) return;
          expect((count - gone) % round).toBe(0);
          expect(count - gone).toBeGreaterThanOrEqual(minChannels);
          expect(gone).toBeLessThanOrEqual(limit * count + 1e-6);
          expect([...new Set(removed)].sort((a, b) => a - b)).toEqual(removed);
        });
        const gone = goneOf(found, by);
        expect(gone).toBeGreaterThan(0);
        // no further beside what was asked for than half the largest step of one group
        const shareOf = createGoneShare(subject.structure, subject.groups, createCostModel(subject.structure), by);
        const largest = Math.max(
          ...subject.groups.map(({ channels }, at) => {
            const alone = new Float64Array(subject.groups.length);
            alone[at] = Math.min(round, channels.length - 1);
            return shareOf(alone);
          }),
        );
        const bound = Math.max(0.003, (largest / 2) * (8 / 7)) + 1e-9;
        expect(Math.abs(gone - ratio)).toBeLessThanOrEqual(bound);
        const wanted = Math.min(0.99, ratio * 1.3);
        const more = run(wanted);
        if (typeof more !== "string") expect(Math.abs(goneOf(more, by) - wanted)).toBeLessThanOrEqual(bound);
      }),
      { numRuns: 50 },
    );
  });
});
