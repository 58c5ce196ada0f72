import { expect, test } from "@jest/globals";
import { schedule, takeTurns } from "../../../src/bench/models/schedule.js";

test("rounds alternate their order, and the seed decides which comes first", () => {
  const starts = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const rounds = schedule(3, 6, seed);
    expect(rounds).toHaveLength(6);
    rounds.forEach((order, at) => {
      expect([...order].sort()).toEqual([0, 1, 2]);
      if (at > 0) expect(order).toEqual([...rounds[at - 1]!].reverse());
    });
    starts.add(rounds[0]![0]!);
    expect(schedule(3, 6, seed)).toEqual(rounds);
  }
  expect(starts).toEqual(new Set([0, 2]));
});

test("models take turns, each slice in the opposite order of the last, until each has its time", async () => {
  const turns: string[] = [];
  const model = (name: string, pace: number) => {
    let measured = 0;
    return {
      async slice(seconds: number) {
        turns.push(name);
        measured += Math.max(seconds, pace);
        return measured;
      },
    };
  };
  await takeTurns([model("a", 0.1), model("b", 0.1), model("slow", 0.3)], 0.3);
  expect(turns.join(" ")).toBe("a b slow b a a b");
});
