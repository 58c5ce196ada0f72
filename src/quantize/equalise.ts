import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { type ChannelFamily, channelFamilies, type FamilyPart } from "./channel-families.js";
import { type FamilyWeights, openFamilyWeights } from "./family-weights.js";
import { eachProduct } from "./product-layout.js";
import { scaledStatistics } from "./scaled-statistics.js";
import type { ValueStatistics } from "./statistics.js";

/** Weights whose ranges were made alike, and the statistics of the calibration as they are afterwards. */
export interface Equalised {
  /** For each pair: the output of the first node, and by how much its most unequal channel was scaled. */
  readonly pairs: readonly { readonly value: string; readonly factor: number }[];
  readonly rounds: number;
  readonly statistics: ReadonlyMap<string, ValueStatistics>;
}

/** Rounds end when no factor is further from 1 than this. */
const tolerance = 0.01;
const maxRounds = 60;

/**
 * Scales the channels between weights that follow each other so that both have the same range in each channel, again and
 * again until nothing changes (Nagel et al. 2019, arXiv:1906.04721, section 4.1). What the model computes stays the same.
 * Needs no samples; statistics, where there are some, are adapted, and what cannot be is left alone. Changes `model`, but
 * none of its tensors.
 */
export function equalise(
  model: ModelProto,
  before: ReadonlyMap<string, ValueStatistics>,
  readExternal: ReadExternal,
): Equalised {
  const statistics = new Map(before);
  const weights = openFamilyWeights(model, readExternal);
  const families = channelFamilies(model, "products").filter(({ values }) =>
    [...values.keys()].every((name) => statistics.get(name)?.channels !== null),
  );
  const totals = families.map(({ channels }) => new Float64Array(channels).fill(1));
  let rounds = 0;
  for (let furthest = Number.POSITIVE_INFINITY; furthest > tolerance && rounds < maxRounds; rounds++) {
    furthest = 0;
    families.forEach((family, index) => {
      const factors = balance(family, weights);
      for (let channel = 0; channel < factors.length; channel++) {
        furthest = Math.max(furthest, Math.abs(Math.log(factors[channel]!)));
        totals[index]![channel]! *= factors[channel]!;
      }
      weights.scale(family, factors);
    });
  }
  // once more from the floats as they were: many roundings would add up
  const exact = openFamilyWeights(model, readExternal);
  families.forEach((family, index) => void exact.scale(family, totals[index]!));
  exact.finish();
  const pairs = families.map((family, index) => {
    const factors = totals[index]!;
    for (const name of family.values.keys()) {
      const old = statistics.get(name);
      if (old) statistics.set(name, scaledStatistics(old, factors)!);
    }
    const most = factors.reduce((size, factor) => Math.max(size, Math.abs(Math.log(factor))), 0);
    return { value: family.maker.output[0]!, factor: Math.exp(most) };
  });
  return { pairs, rounds, statistics };
}

/** sqrt(range of what makes a channel / range of what reads it); 1 for channels that are not made or not read. */
function balance({ channels, makers, readers }: ChannelFamily, weights: FamilyWeights): Float64Array {
  const [first] = makers as readonly [FamilyPart, ...FamilyPart[]];
  const made = new Float64Array(channels);
  const data = weights.of(first);
  for (let at = 0; at < data.length; at++) {
    const channel = Math.floor(at / first.inner) % channels;
    const size = Math.abs(data[at]!);
    if (size > made[channel]!) made[channel] = size;
  }
  const read = new Float64Array(channels);
  for (const reader of readers) {
    const values = weights.of(reader);
    eachProduct(reader, (at, channel) => {
      const size = Math.abs(values[at]!);
      if (size > read[channel]!) read[channel] = size;
    });
  }
  // a channel that hardly exists must not make its partner enormous
  const floor = (ranges: Float64Array) => 1e-6 * ranges.reduce((most, range) => Math.max(most, range), 0);
  const [leastMade, leastRead] = [floor(made), floor(read)];
  return made.map((range, channel) =>
    range > leastMade && read[channel]! > leastRead ? Math.sqrt(range / read[channel]!) : 1,
  );
}
