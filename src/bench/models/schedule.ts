import { uniform } from "../../data/random.js";

/**
 * Who is measured when: `rounds` rounds of all `models` (by index), in alternating order (A B, B A, A B ...), so that a
 * drift of the machine falls on all alike; the seed decides which order comes first.
 */
export function schedule(models: number, rounds: number, seed: number): readonly (readonly number[])[] {
  const forward = Array.from({ length: models }, (_, at) => at);
  const backward = [...forward].reverse();
  const flip = uniform(seed)() < 0.5 ? 0 : 1;
  return Array.from({ length: rounds }, (_, round) => ((round + flip) % 2 === 0 ? forward : backward));
}

/** What `takeTurns` needs of a measurement, wherever it runs. */
interface Sliced {
  /** Measures for so many seconds and returns the seconds measured so far. */
  slice(seconds: number): Promise<number>;
}

/** Long enough to get the caches warm again, short against the drift of a machine. */
const sliceSeconds = 0.1;

/**
 * Lets the measurements of a round take turns (A B, B A, A B ...) until each has measured for `seconds`: a burst of
 * load from outside then hits all of them alike. Compared with measuring one after the other, that halved the interval
 * of a model against itself (OCR recognition, 6 rounds, 2 busy cores: 14 % wide before, 7 % with turns).
 */
export async function takeTurns(measurements: readonly Sliced[], seconds: number): Promise<void> {
  let waiting = [...measurements];
  while (waiting.length > 0) {
    const unfinished: Sliced[] = [];
    for (const measurement of waiting) {
      if ((await measurement.slice(Math.min(sliceSeconds, seconds))) < seconds) unfinished.push(measurement);
    }
    waiting = unfinished.reverse();
  }
}
