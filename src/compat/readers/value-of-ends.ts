import type { Candidate, Place, Value } from "../facts.js";

/** What stands for an unknown part in a partly known string. */
export const hole = "…";

/** A value read at the end of a way. */
export interface Read {
  readonly value: string | number | boolean;
  readonly partial: boolean;
  /** Steps to the parts it is put together of. */
  readonly path: readonly string[];
  readonly environment: readonly string[];
  readonly open: boolean;
}

/** Where a way ends: what a reader of any language followed an expression to. */
export interface End {
  readonly path: readonly string[];
  /** The only place it can lead to. */
  readonly sure: boolean;
  /** The environment variable read there, or that replaces it. */
  readonly environment?: string;
}

/** Turns the ends of all ways into a value; `readOf` gives undefined where an end is nothing that can be read. */
export function valueOfEnds<Found extends End>(
  found: readonly Found[],
  readOf: (end: Found) => Read | undefined,
  placeOf: (end: Found) => Place,
): Value {
  const candidates: Candidate[] = [];
  const environment = new Set<string>();
  let blind = false;
  for (const one of found) {
    if (one.environment) environment.add(one.environment);
    const read = readOf(one);
    if (!read) {
      blind ||=
        one.environment === undefined || !found.some((other) => other !== one && other.environment === one.environment);
      continue;
    }
    for (const variable of read.environment) environment.add(variable);
    blind ||= read.open;
    candidates.push({
      value: read.value,
      partial: read.partial,
      place: placeOf(one),
      path: [...one.path, ...read.path],
      ...(one.environment ? { environment: one.environment } : {}),
    });
  }
  const [only] = candidates;
  const sure =
    only !== undefined &&
    candidates.length === 1 &&
    !blind &&
    environment.size === 0 &&
    found.length === 1 &&
    found[0]!.sure &&
    !only.partial;
  return {
    certainty: candidates.length === 0 ? "unknown" : sure ? "certain" : "possible",
    open: blind,
    candidates,
    environment: [...environment],
  };
}
