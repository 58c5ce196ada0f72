import { expect, test } from "@jest/globals";
import { problemsOfSeed } from "../quantize/random-checks.js";

/** RANDOM_SEED=n looks at one model alone. */
const only = process.env["RANDOM_SEED"];
const seeds = only ? [Number(only)] : Array.from({ length: 300 }, (_, at) => 10_000 + at);

test("hundreds of random models in random forms compute what their integers say", async () => {
  const problems: string[] = [];
  for (const seed of seeds) problems.push(...(await problemsOfSeed(seed, 5)));
  expect(problems).toEqual([]);
}, 600_000);
