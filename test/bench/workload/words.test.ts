import { expect, test } from "@jest/globals";
import { drawLength, parseLengths } from "../../../src/bench/workload/lengths.js";
import { vocabulary } from "../../../src/bench/workload/words.js";
import { mean, sampleSd } from "../moments.js";

/** Words with an a are two tokens, others one; two more mark start and end. */
const picky = (text: string) =>
  2 + (text.match(/\w+/g) ?? []).reduce((sum, word) => sum + (word.includes("a") ? 2 : 1), 0);

test("with a tokenizer only words that are one token are used, so that lengths are exact", () => {
  const words = vocabulary(picky);
  for (const tokens of [1, 10, 500]) expect(picky(words.text(tokens, "", tokens)) - 2).toBe(tokens);
  expect(picky(words.text(100, "As a start", 3)) - 2).toBe(100);
  expect(words.counted).toBe("counted with the tokenizer");
});

test("with a tokenizer that has none of the words, texts are counted again and corrected", () => {
  const characters = (text: string) => Math.ceil(text.length / 2);
  const words = vocabulary(characters);
  for (const seed of [1, 2, 3]) {
    const tokens = characters(words.text(1000, "", seed));
    expect(Math.abs(tokens - 1000)).toBeLessThan(50);
  }
});

test.each([
  ["uniform:100:900", 500, 800 / Math.sqrt(12), 100, 900],
  ["normal:512:100", 512, 100, 1, 1200],
  ["lognormal:512:300", 512, 300, 1, 10_000],
  ["512", 512, 0, 512, 512],
])("lengths of %s have its mean and standard deviation", (text, expected, sd, least, most) => {
  const lengths = parseLengths(text, "--synthetic in");
  const drawn = Array.from({ length: 20_000 }, (_, at) => drawLength(lengths, 7, at));
  expect(Math.abs(mean(drawn) - expected)).toBeLessThan(Math.max(0.001, 0.02 * expected));
  expect(Math.abs(sampleSd(drawn) - sd)).toBeLessThan(0.05 * sd + 0.001);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(least);
  expect(Math.max(...drawn)).toBeLessThanOrEqual(most);
  expect(drawn.every(Number.isInteger)).toBe(true);
});
