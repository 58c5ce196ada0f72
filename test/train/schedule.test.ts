import { describe, expect, test } from "@jest/globals";
import { rateAt } from "../../src/train/schedule.js";
import type { ScheduleSettings } from "../../src/train/task.js";

const plain: ScheduleSettings = { kind: "constant", rate: 1, warmUp: 0, floor: 0, at: [] };
const rates = (settings: Partial<ScheduleSettings>, steps: number) =>
  Array.from({ length: steps }, (_, step) => rateAt({ ...plain, ...settings }, step, steps));

describe("the learning rate", () => {
  test.each<[string, Partial<ScheduleSettings>, readonly number[]]>([
    ["stays", {}, [1, 1, 1]],
    ["rises linearly, the first step above 0", { warmUp: 4 }, [0.25, 0.5, 0.75, 1, 1, 1]],
    ["falls linearly to its floor", { kind: "linear", floor: 0.2 }, [1, 0.8, 0.6, 0.4, 0.2]],
    // (1 + cos(pi t)) / 2 at t = 0, 1/3, 2/3, 1
    ["falls as a cosine", { kind: "cosine" }, [1, 0.75, 0.25, 0]],
    ["falls as a cosine to its floor after warming up", { kind: "cosine", warmUp: 1, floor: 0.1 }, [1, 1, 0.55, 0.1]],
    ["falls in steps", { kind: "step", floor: 0.1, at: [0.5, 0.75] }, [1, 1, 0.1, 0.01]],
    ["is that of the first step where there is but one", { kind: "linear" }, [1]],
  ])("%s", (_, settings, expected) => {
    const found = rates(settings, expected.length);
    found.forEach((rate, at) => void expect(rate).toBeCloseTo(expected[at]!, 12));
  });
});
