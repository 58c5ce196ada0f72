import { pairedRounds } from "../compare/evidence.js";
import { pseudomedian } from "../compare/pseudomedian.js";
import type { MetricId } from "../metrics.js";
import { percent } from "../percent.js";
import { cachedTolerance } from "./compare-targets.js";
import type { TokenSource } from "./record.js";
import { joinedValues, type Slice } from "./slices.js";
import { cachedShare, errorRate } from "./summarise-point.js";

/** Something in which two targets differ so that their speeds do not compare. */
export interface Difference {
  readonly code: "cached-share-differs" | "output-length-differs" | "tokens-disagree";
  readonly message: string;
  /** Of which metrics nothing may be concluded. */
  readonly affects: (metric: MetricId) => boolean;
}

/** Metrics that grow with the length of the answer. */
const byLength: ReadonlySet<MetricId> = new Set([
  "e2e",
  "e2e_sched",
  "request_throughput",
  "goodput",
  "input_throughput",
  "total_throughput",
  "longest_gap",
]);
/** Metrics that say how comparable the rest is. */
const untouched: ReadonlySet<MetricId> = new Set(["error_rate", "output_tokens", "input_tokens", "cached_share"]);
const byTokens: ReadonlySet<MetricId> = new Set([
  "tpot",
  "output_tokens",
  "output_throughput",
  "total_throughput",
  "cost",
]);

const sources: readonly TokenSource[] = ["usage", "tokenizer", "events"];

/** Why speeds of the two do not compare, as far as they do not. */
export function differencesOf(candidate: Slice, baseline: Slice, tolerance: number): readonly Difference[] {
  const found: Difference[] = [];
  const cached = [candidate, baseline].map(({ succeeded }) => cachedShare(succeeded));
  const [own, other] = cached;
  if (own != null && other != null && Math.abs(own - other) > cachedTolerance) {
    found.push({
      code: "cached-share-differs",
      message:
        `${percent(own)} of ${candidate.target}'s input was cached and ${percent(other)} of ${baseline.target}'s: ` +
        "they did not do the same work; use unique prefixes or warm both caches alike",
      affects: (metric) => !untouched.has(metric),
    });
  }
  const lengths = pairedRounds(joinedValues(candidate, "output_tokens"), joinedValues(baseline, "output_tokens"));
  if (lengths.length > 0) {
    const ratio = Math.exp(pseudomedian(lengths.map(({ value }) => value)));
    if (ratio > 1 + tolerance || ratio < 1 - tolerance) {
      found.push({
        code: "output-length-differs",
        message:
          `${candidate.target}'s answers have ${ratio.toFixed(2)} times the tokens of ${baseline.target}'s, so times of ` +
          "whole answers do not compare, TPOT does; fix the length with max_tokens",
        affects: (metric) => byLength.has(metric),
      });
    }
  }
  const [ownSources, otherSources] = [sourceShares(candidate), sourceShares(baseline)];
  if (
    ownSources &&
    otherSources &&
    sources.some((source) => Math.abs(ownSources[source] - otherSources[source]) > 0.05)
  ) {
    const words = (of: Readonly<Record<TokenSource, number>>) =>
      sources
        .filter((source) => of[source] > 0)
        .map((source) => `${source} (${percent(of[source])})`)
        .join(" and ");
    // a tokenizer counts only where no usage is sent
    const remedy =
      ownSources.usage + otherSources.usage > 0
        ? "have both send their usage to count both alike"
        : "give a tokenizer (--tokenizer) to count both alike";
    found.push({
      code: "tokens-disagree",
      message:
        `${candidate.target}'s tokens are counted by ${words(ownSources)}, ${baseline.target}'s by ${words(otherSources)}; ` +
        remedy,
      affects: (metric) => byTokens.has(metric),
    });
  }
  return found;
}

/** By what a target's tokens are counted; null without any. */
function sourceShares({ succeeded }: Slice): Readonly<Record<TokenSource, number>> | null {
  const counted = succeeded.flatMap(({ tokenSource }) => tokenSource ?? []);
  if (counted.length === 0) return null;
  const share = (wanted: TokenSource) => counted.filter((source) => source === wanted).length / counted.length;
  return { usage: share("usage"), tokenizer: share("tokenizer"), events: share("events") };
}

/** The candidate's errors as a reason against a win, or null: times of those that survive say little. */
export function moreErrors(candidate: Slice, baseline: Slice): string | null {
  const own = errorRate(candidate.counted);
  const other = errorRate(baseline.counted);
  if (own === null || other === null || own <= other) return null;
  return `${candidate.target} failed more often: ${percent(own)} of its requests, ${percent(other)} of ${baseline.target}'s`;
}
