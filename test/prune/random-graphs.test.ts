import { expect, test } from "@jest/globals";
import { rows } from "../../src/prune/rows/index.js";
import fc from "../property.js";
import { checkGraph, everyOperator, recipes } from "./random-checks.js";

/** Rows that no graph of such an opset has, or that keep all they touch here; see rows-basic.test.ts, states.test.ts. */
const elsewhere = ["LRN", "Upsample", "ConstantOfShape"];

/** Operators that were followed, and could lose something. */
const exercised = new Set<string>();

test("what is pruned from a graph of any operators computes what the graph with zeros in its place does", async () => {
  await fc.assert(
    fc.asyncProperty(recipes(7), async (recipe) => {
      for (const operator of await checkGraph(recipe)) exercised.add(operator);
    }),
    { seed: 7, numRuns: 110, examples: everyOperator.map((one) => [one]) },
  );
});

test("every row of the table was exercised", () => {
  const missing = Object.keys(rows).filter((name) => !exercised.has(name) && !elsewhere.includes(name));
  expect(missing).toEqual([]);
});
