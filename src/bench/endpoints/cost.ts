import type { RequestRecord } from "./record.js";

/** Dollars for a million tokens. */
export interface TokenRates {
  /** Input that the cache knew. */
  readonly hit: number;
  /** Other input. */
  readonly miss: number;
  readonly output: number;
}

/** Dollars for 1,000 requests like these, and what had to be assumed. */
export interface Cost {
  readonly perThousand: number;
  /** Whether some did not say how much of their input was cached: all of it counts as not cached. */
  readonly cachedUnknown: boolean;
}

/** Null where no request says how many tokens it took. Failed requests that were charged, as far as they say so, count. */
export function costOf(records: readonly RequestRecord[], rates: TokenRates): Cost | null {
  let dollars = 0;
  let charged = 0;
  let cachedUnknown = false;
  for (const { usage, outputTokens } of records) {
    const output = usage?.output ?? outputTokens;
    if (usage?.input == null || output === null) continue;
    const cached = Math.min(usage.cached ?? 0, usage.input);
    if (usage.cached === null) cachedUnknown = true;
    charged++;
    dollars += (cached * rates.hit + (usage.input - cached) * rates.miss + output * rates.output) / 1e6;
  }
  return charged === 0 ? null : { perThousand: (dollars / charged) * 1000, cachedUnknown };
}
