import { expect, test } from "@jest/globals";
import { rankSites } from "../../src/quantize/sensitivity.js";

test("a small weight that harms comes before a large one that harms a little more", async () => {
  const noise = new Map([
    ["large", 0.004],
    ["small", 0.003],
    ["harmless", 0.00001],
    ["broken", Number.NaN],
  ]);
  const bytes = new Map([["large", 100_000]]);
  const ranking = await rankSites(
    new Map([...noise].map(([key]) => [key, 1])),
    async (key) => noise.get(key)!,
    () => true,
    (key) => bytes.get(key) ?? 1000,
  );
  expect(ranking.map(({ key }) => key)).toEqual(["broken", "small", "large", "harmless"]);
});
