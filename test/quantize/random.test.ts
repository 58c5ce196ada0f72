import { expect, test } from "@jest/globals";
import { problemsOfSeed } from "./random-checks.js";

// more of them: test/long/random-models.test.ts
test.each([1000, 2000, 3000])(
  "random models from seed %i on: what is made of them computes the same",
  async (first) => {
    const problems: string[] = [];
    for (let seed = first; seed < first + 10; seed++) problems.push(...(await problemsOfSeed(seed, 2)));
    expect(problems).toEqual([]);
  },
);
