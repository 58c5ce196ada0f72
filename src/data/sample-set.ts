import type { Batch, DeclaredInput, SampleSet } from "./batch.js";
import { checkBatch } from "./fit.js";
import { uniform } from "./random.js";

/** Samples as they lie somewhere, before they are made to fit a model. */
export type RawSamples = Omit<SampleSet, "notes" | "synthetic">;

/** Samples that are checked against the model's inputs as they are read, and converted where that loses nothing. */
export function fittedSamples(raw: RawSamples, inputs: readonly DeclaredInput[]): SampleSet {
  // conversion -> the samples in which it was made
  const converted = new Map<string, Set<number>>();
  return {
    ...raw,
    synthetic: false,
    get notes() {
      return [...converted].map(([what, places]) => {
        const [first] = places;
        const more = places.size > 1 ? ` (and in ${places.size - 1} more samples)` : "";
        return `${raw.nameOf(first!)}: ${what}${more}`;
      });
    },
    async read(at) {
      const { batch, notes } = checkBatch(inputs, await raw.read(at), raw.nameOf(at));
      for (const note of notes) {
        if (!converted.has(note)) converted.set(note, new Set());
        converted.get(note)!.add(at);
      }
      return batch;
    },
  };
}

/** Samples that are all in memory. */
export function listedSamples(batches: readonly Batch[], source: string, synthetic: boolean): SampleSet {
  return {
    count: batches.length,
    source,
    synthetic,
    notes: [],
    read: async (at) => batches[at]!,
    nameOf: (at) => `sample ${at + 1}`,
  };
}

/** Some samples of a set, and which those are. */
export interface SamplePart extends SampleSet {
  /** Their numbers in the whole set, rising. */
  readonly indices: readonly number[];
}

/** The samples of these numbers. */
export function partOf(set: SampleSet, indices: readonly number[], source: string): SamplePart {
  const { expected } = set;
  return {
    indices,
    count: indices.length,
    source,
    synthetic: set.synthetic,
    get notes() {
      return set.notes;
    },
    read: (at) => set.read(indices[at]!),
    nameOf: (at) => set.nameOf(indices[at]!),
    ...(expected ? { expected: (at: number) => expected(indices[at]!) } : {}),
  };
}

/** Samples to learn ranges from, and others to measure the result on. */
export interface SplitSamples {
  readonly calibration: SamplePart;
  readonly heldOut: SamplePart;
  /** How they were parted, in words; also says when they could not be. */
  readonly note: string;
}

/**
 * Parts samples at random, the same way for the same seed and count: `share` of them (rounded, at least 1) for
 * calibration, the others (at least 1) held out. A single sample is both, which the note says.
 */
export function splitSamples(set: SampleSet, seed: number, share = 0.5): SplitSamples {
  const { count, source } = set;
  if (count === 1) {
    const all = partOf(set, [0], source);
    return { calibration: all, heldOut: all, note: "1 sample, used for calibration and for the check alike" };
  }
  const order = Array.from({ length: count }, (_, at) => at);
  const next = uniform(seed);
  // Fisher and Yates
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(next() * (at + 1));
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  const taken = Math.min(count - 1, Math.max(1, Math.round(count * share)));
  const rising = (indices: number[]) => indices.sort((a, b) => a - b);
  const note = `${taken} of ${count} samples for calibration, ${count - taken} held out for the check, parted with seed ${seed}`;
  return {
    calibration: partOf(set, rising(order.slice(0, taken)), `${source}: ${taken} of ${count} samples, seed ${seed}`),
    heldOut: partOf(
      set,
      rising(order.slice(taken)),
      `${source}: ${count - taken} of ${count} samples held out, seed ${seed}`,
    ),
    note,
  };
}
