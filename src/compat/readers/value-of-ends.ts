import type { Candidate, Parameter, Place, Value } from "../facts.js";

/** What stands for an unknown part in a partly known string. */
const hole = "…";

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

/** A property that a later one replaces under a condition: its value may be of either. */
export function either(earlier: Parameter, later: Parameter): Parameter {
  const values = [earlier.value, later.value];
  const candidates = values.flatMap((value) => value.candidates);
  return {
    ...earlier,
    sure: false,
    value: {
      certainty: candidates.length > 0 ? "possible" : "unknown",
      candidates,
      open: values.some((value) => value.open || value.candidates.length === 0),
      environment: [...new Set(values.flatMap((value) => value.environment))],
    },
  };
}

/**
 * A string put together from texts and parts; each part counts with its first possible value, and where `follow` gives
 * none it is a hole. Undefined where nothing of the whole is known.
 */
export function joined<Part>(
  parts: readonly (string | Part)[],
  follow: (part: Part) => Value | undefined,
): Read | undefined {
  let text = "";
  let known = false;
  let partial = false;
  let open = false;
  const path: string[] = [];
  const environment: string[] = [];
  for (const part of parts) {
    if (typeof part === "string") {
      text += part;
      known ||= part !== "";
      continue;
    }
    const value = follow(part);
    const [first] = value?.candidates ?? [];
    environment.push(...(value?.environment ?? []));
    partial ||= value?.certainty !== "certain";
    open ||= !value || value.open || value.candidates.length > 1;
    if (!first) text += hole;
    else {
      text += String(first.value);
      known = true;
      path.push(...first.path);
    }
  }
  return known ? { value: text, partial, path, environment, open } : undefined;
}
