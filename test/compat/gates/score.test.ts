import { describe, expect, test } from "@jest/globals";
import { type ReadinessInput, readiness, readinessInput } from "../../../src/compat/gates/score.js";
import { scan } from "../../../src/compat/scan.js";
import fc from "../../property.js";
import { memorySources } from "../memory.js";

const nothing: ReadinessInput = {
  blockers: 0,
  likelyBlockers: 0,
  warnings: 0,
  unresolved: 0,
  unverifiedFixes: 0,
  skipped: 0,
  broken: 0,
  unreadable: 0,
  read: 0,
};
const count = fc.nat({ max: 300 });
const inputs: fc.Arbitrary<ReadinessInput> = fc.record({
  blockers: count,
  likelyBlockers: count,
  warnings: count,
  unresolved: count,
  unverifiedFixes: count,
  skipped: count,
  broken: count,
  unreadable: count,
  read: count,
});

describe("the readiness score", () => {
  test("an empty repository and one with nothing to find are ready; one that could not be read is not", () => {
    expect(readiness(nothing).score).toBe(100);
    expect(readiness({ ...nothing, read: 500 }).score).toBe(100);
    expect(readiness({ ...nothing, unreadable: 3 }).score).toBe(0);
    expect(readiness({ ...nothing, read: 9, unreadable: 1 }).score).toBe(90);
  });

  test("more of anything never raises it, and it stays between 0 and 100", () => {
    const keys = Object.keys(nothing).filter((key) => key !== "read") as (keyof ReadinessInput)[];
    fc.assert(
      fc.property(inputs, fc.constantFrom(...keys), fc.integer({ min: 1, max: 50 }), (input, key, more) => {
        const { score } = readiness(input);
        expect(readiness({ ...input, [key]: input[key] + more }).score).toBeLessThanOrEqual(score);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(100);
      }),
    );
  });

  test("the first of anything lowers it, so an unknown is never free", () => {
    for (const key of Object.keys(nothing) as (keyof ReadinessInput)[]) {
      if (key === "read") continue;
      expect(readiness({ ...nothing, read: 10, [key]: 1 }).score).toBeLessThan(100);
    }
  });

  test("its formula gives the score from the printed parts", () => {
    const { score, formula, parts } = readiness({ ...nothing, blockers: 2, warnings: 3, unresolved: 1, read: 40 });
    expect(score).toBe(100 - 20 - 6 - 5);
    for (const { name } of parts) expect(formula).toContain(name);
    expect(parts.find(({ name }) => name === "warnings")).toEqual({ name: "warnings", count: 3, weight: 2, points: 6 });
  });

  test("of a scan: certain and likely blockers count apart", async () => {
    const client = 'const c = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
    const sources = memorySources({
      "a.ts": `${client}c.chat.completions.create({ model: "deepseek-chat", messages });\n`,
      "b.ts": 'c.chat.completions.create({ model: "deepseek-chat", messages });\n',
    });
    const input = readinessInput(await scan(sources, { target: "current" }), { skipped: 1, unreadable: 0 });
    expect(input).toMatchObject({ blockers: 1, unresolved: 1, skipped: 1, read: 2 });
  });
});
