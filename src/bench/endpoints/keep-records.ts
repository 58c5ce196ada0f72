import type { Outcome, RequestRecord } from "./record.js";

/** Times of token events that a run keeps, all requests together: 8 bytes each. */
export const mostKeptEvents = 2_000_000;

/** Where a request belongs in the run. */
type Place = Pick<RequestRecord, "target" | "point" | "round" | "slot" | "prompt" | "turn" | "scheduled" | "warmUp">;

/** Collects the records of a run. */
export interface Records {
  /** Makes a record of what was measured and keeps it; the texts are dropped. */
  keep(outcome: Outcome, place: Place): RequestRecord;
  readonly all: readonly RequestRecord[];
}

/**
 * Keeps records, each with all times of its token events until there are `mostEvents` in all: from then on only their
 * first, last, number and longest gap, so that memory stays flat.
 */
export function keepRecords(mostEvents: number = mostKeptEvents): Records {
  const all: RequestRecord[] = [];
  let left = mostEvents;
  return {
    all,
    keep(outcome, place) {
      const { text: _, reasoning: __, events, ...measured } = outcome;
      const fits = events.length <= left;
      if (fits) left -= events.length;
      const record: RequestRecord = {
        ...measured,
        firstToken: events[0] ?? null,
        lastToken: events.at(-1) ?? null,
        eventCount: events.length,
        longestGap: longestGap(events),
        events: fits ? events : null,
        ...place,
      };
      all.push(record);
      return record;
    },
  };
}

function longestGap(events: readonly number[]): number | null {
  if (events.length < 2) return null;
  let longest = 0;
  for (let at = 1; at < events.length; at++) longest = Math.max(longest, events[at]! - events[at - 1]!);
  return longest;
}
