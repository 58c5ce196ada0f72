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
      const { events } = outcome;
      const fits = events.length <= left;
      if (fits) left -= events.length;
      const record: RequestRecord = {
        // field by field: an object that was spread takes several times the memory
        sent: outcome.sent,
        firstSent: outcome.firstSent,
        firstByte: outcome.firstByte,
        firstAnswer: outcome.firstAnswer,
        done: outcome.done,
        streamed: outcome.streamed,
        bytes: outcome.bytes,
        usage: outcome.usage,
        outputTokens: outcome.outputTokens,
        tokenSource: outcome.tokenSource,
        firstEventTokens: outcome.firstEventTokens,
        finish: outcome.finish,
        status: outcome.status,
        error: outcome.error,
        retries: outcome.retries,
        protocol: outcome.protocol,
        http: outcome.http,
        reused: outcome.reused,
        firstToken: events[0] ?? null,
        lastToken: events.at(-1) ?? null,
        eventCount: events.length,
        longestGap: longestGap(events),
        events: fits ? events : null,
        target: place.target,
        point: place.point,
        round: place.round,
        slot: place.slot,
        prompt: place.prompt,
        turn: place.turn,
        scheduled: place.scheduled,
        warmUp: place.warmUp,
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
