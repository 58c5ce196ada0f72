import { describe, expect, test } from "@jest/globals";
import { decide, overall } from "../../../src/bench/compare/decide.js";
import { type Evidence, pairedRounds, singleRounds, unpairedRounds } from "../../../src/bench/compare/evidence.js";
import { studentQuantile } from "../../../src/bench/compare/student.js";

/** Ten rounds around that ratio, within 1 %. */
const around = (ratio: number) =>
  [-0.01, 0.01, 0, 0.004, -0.004, 0.007, -0.007, 0.002, -0.002, 0.0005].map((value, round) => ({
    round,
    value: Math.log(ratio) + value,
    pairs: 4,
  }));

function evidence(change: Partial<Evidence> = {}): Evidence {
  return {
    metric: "ttft",
    statistic: "p50",
    candidate: "new",
    baseline: "old",
    point: "1 user",
    scale: "ratio",
    better: "lower",
    rounds: around(1),
    values: { candidate: [], baseline: [] },
    gated: true,
    tolerance: 0.05,
    doubts: [],
    noPass: [],
    noWin: [],
    missing: null,
    ...change,
  };
}
const one = (change: Partial<Evidence>) => decide([evidence(change)], 0.95)[0]!;

describe("a comparison", () => {
  test.each([
    ["lower", 1.2, "slower", "FAIL"],
    ["lower", 0.8, "faster", "PASS"],
    ["lower", 1.05, "inconclusive", "INCONCLUSIVE"],
    ["lower", 0.95, "not slower", "PASS"],
    ["higher", 0.8, "slower", "FAIL"],
    ["higher", 1.2, "faster", "PASS"],
    ["higher", 0.95, "inconclusive", "INCONCLUSIVE"],
    ["higher", 1, "same", "PASS"],
    ["neither", 1, "same", "PASS"],
    ["neither", 1.5, "inconclusive", "INCONCLUSIVE"],
  ] as const)("where %s is better, %p is %s: %s", (better, ratio, verdict, decision) => {
    const made = one({ better, rounds: around(ratio) });
    expect([made.verdict, made.decision]).toEqual([verdict, decision]);
    expect(made.estimate).toBeCloseTo(ratio, 2);
    expect(made.interval!.lower).toBeLessThan(made.estimate!);
  });

  test("of what is neither better nor worse does not ask for more rounds to show a difference again", () => {
    expect(one({ better: "neither", rounds: around(1.5) }).more).toBeNull();
    expect(one({ better: "neither", rounds: around(0.5) }).more).toBeNull();
    expect(one({ better: "neither", rounds: around(1.047) }).more).not.toBeNull();
  });

  test("of shares is a difference: the mean with Student's interval", () => {
    const rounds = [0, 0.02, 0, 0, 0.04, 0, 0, 0, 0, 0].map((value, round) => ({ round, value, pairs: 0 }));
    const made = one({ metric: "error_rate", statistic: "value", scale: "difference", tolerance: 0.01, rounds });
    expect(made.estimate).toBeCloseTo(0.006, 12);
    // sd 0.0135, / sqrt(10), * t(0.975, 9) = 2.2622
    expect(made.interval!.upper - made.estimate!).toBeCloseTo(
      (0.0134989711542 / Math.sqrt(10)) * studentQuantile(0.025, 9),
      9,
    );
    expect(made.decision).toBe("INCONCLUSIVE");
    const all = rounds.map((round) => ({ ...round, value: 0.3 }));
    expect(one({ scale: "difference", tolerance: 0.01, rounds: all }).decision).toBe("FAIL");
    expect(
      one({ scale: "difference", tolerance: 0.01, rounds: all.map((round) => ({ ...round, value: 0 })) }).decision,
    ).toBe("PASS");
  });

  test("at a higher confidence takes more rounds before there is an interval", () => {
    const [made] = decide([evidence({ rounds: around(1).slice(0, 7) })], 0.99);
    expect(made).toMatchObject({ interval: null, decision: "INCONCLUSIVE", more: { rounds: 1, pairs: 4 } });
    expect(decide([evidence({ rounds: around(1).slice(0, 8) })], 0.99)[0]!.decision).toBe("PASS");
  });

  test("that nothing was measured of fails", () => {
    expect(one({ rounds: [] })).toMatchObject({ decision: "FAIL", verdict: "missing", estimate: null, interval: null });
    expect(one({ missing: "new has no TTFT" }).reasons).toEqual(["new has no TTFT"]);
  });

  test("is in doubt whatever it shows", () => {
    for (const ratio of [0.8, 1, 1.2]) {
      expect(one({ rounds: around(ratio), doubts: ["why"] })).toMatchObject({
        decision: "INCONCLUSIVE",
        verdict: "inconclusive",
        reasons: ["why"],
      });
    }
  });

  test("that cannot pass can still fail", () => {
    expect(one({ noPass: ["why"] })).toMatchObject({ decision: "INCONCLUSIVE", verdict: "same", reasons: ["why"] });
    expect(one({ noPass: ["why"], rounds: around(1.2) }).decision).toBe("FAIL");
  });

  test("that cannot be won is not faster", () => {
    expect(one({ noWin: ["why"], rounds: around(0.8) })).toMatchObject({ verdict: "not slower", reasons: ["why"] });
    expect(one({ noWin: ["why"], noPass: ["why"], rounds: around(0.8) }).reasons).toEqual(["why"]);
    expect(one({ noWin: ["why"] })).toMatchObject({ verdict: "same", reasons: [] });
  });
});

describe("several gated comparisons", () => {
  /** Six rounds that agree: p = 2^-5 at best. */
  const six = around(1.2).slice(0, 6);

  test("need more evidence than one", () => {
    expect(one({ rounds: six }).decision).toBe("FAIL");
    const [first] = decide(
      [evidence({ rounds: six }), evidence({ metric: "tpot" }), evidence({ metric: "e2e" })],
      0.95,
    );
    expect(first).toMatchObject({ verdict: "slower", decision: "INCONCLUSIVE" });
    expect(first!.reasons[0]).toMatch(/not after Holm over 3 gated comparisons \(p = 0\.094\)/);
    expect(first!.more!.rounds).toBeGreaterThanOrEqual(1);
  });

  test("do not count those that decide nothing", () => {
    const [first] = decide([evidence({ rounds: six }), evidence({ metric: "tpot", gated: false })], 0.95);
    expect(first!.decision).toBe("FAIL");
    // equal in every round: nothing to test
    const none = six.map((round) => ({ ...round, value: 0 }));
    expect(
      decide([evidence({ rounds: six }), evidence({ metric: "error_rate", rounds: none })], 0.95)[0]!.decision,
    ).toBe("FAIL");
  });

  test("adjust p-values together", () => {
    const made = decide([evidence({ rounds: around(1.2) }), evidence({ metric: "tpot", rounds: around(1.1) })], 0.95);
    expect(made.map(({ pValue }) => pValue)).toEqual([2 ** -9, 2 ** -9]);
    expect(made.map(({ adjustedPValue }) => adjustedPValue)).toEqual([2 ** -8, 2 ** -8]);
  });

  test("FAIL goes before INCONCLUSIVE before PASS", () => {
    expect(overall(["PASS", "INCONCLUSIVE", "FAIL"])).toBe("FAIL");
    expect(overall(["PASS", "INCONCLUSIVE"])).toBe("INCONCLUSIVE");
    expect(overall([])).toBe("PASS");
  });
});

describe("rounds", () => {
  const value = (round: number, joint: string, of: number) => ({ round, joint, value: of });

  test("pair what belongs together, in order where it repeats", () => {
    const baseline = [value(0, "a", 1), value(0, "a", 2), value(0, "b", 4), value(1, "a", 1)];
    const candidate = [value(0, "b", 8), value(0, "a", 2), value(0, "a", 4), value(2, "a", 9), value(0, "c", 9)];
    expect(pairedRounds(candidate, baseline)).toEqual([{ round: 0, value: expect.closeTo(Math.LN2, 12), pairs: 3 }]);
  });

  test("leave out what has no logarithm", () => {
    expect(pairedRounds([value(0, "a", 0), value(0, "b", 2)], [value(0, "a", 1), value(0, "b", 1)])[0]!.pairs).toBe(1);
    expect(singleRounds(new Map([[0, 1]]), new Map([[0, 0]]), "ratio")).toEqual([]);
    expect(singleRounds(new Map([[0, 0.25]]), new Map([[0, 0]]), "difference")).toEqual([
      { round: 0, value: 0.25, pairs: 0 },
    ]);
  });

  test("compare medians where nothing pairs", () => {
    const made = unpairedRounds(
      [value(0, "a", 2), value(0, "b", 6), value(0, "c", 4)],
      [value(0, "d", 2), value(1, "e", 2)],
    );
    expect(made).toEqual([{ round: 0, value: expect.closeTo(Math.LN2, 12), pairs: 0 }]);
  });
});
