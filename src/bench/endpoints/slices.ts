import type { JoinedValue } from "../compare/evidence.js";
import type { MetricId } from "../metrics.js";
import { requestValue } from "../metrics-table.js";
import type { Block, EndpointRun, RequestRecord } from "./record.js";

/** What was measured of one target under one load. */
export interface Slice {
  readonly target: string;
  readonly point: number;
  readonly blocks: readonly Block[];
  /** All, warm-up and ended by the run included. */
  readonly records: readonly RequestRecord[];
  /** Those that count: neither warm-up nor ended by the run itself. */
  readonly counted: readonly RequestRecord[];
  readonly succeeded: readonly RequestRecord[];
}

/** Sorts a run's records and blocks by target and load. */
export function slicesOf(run: EndpointRun): (target: string, point: number) => Slice {
  const key = (target: string, point: number) => `${point} ${target}`;
  const records = grouped(run.records, ({ target, point }) => key(target, point));
  const blocks = grouped(run.blocks, ({ target, point }) => key(target, point));
  const made = new Map<string, Slice>();
  return (target, point) => {
    const known = made.get(key(target, point));
    if (known) return known;
    const own = records.get(key(target, point)) ?? [];
    const counted = own.filter(({ warmUp, error }) => !warmUp && error?.kind !== "cancelled");
    const slice = {
      target,
      point,
      blocks: blocks.get(key(target, point)) ?? [],
      records: own,
      counted,
      succeeded: counted.filter(({ error }) => error === null),
    };
    made.set(key(target, point), slice);
    return slice;
  };
}

/** Values of a metric of requests, over those that succeeded. */
export function valuesOf({ succeeded }: Slice, metric: MetricId): readonly number[] {
  return succeeded.flatMap((record) => requestValue(metric, record) ?? []);
}

/** The same with what joins them to the other target's: round, slot, prompt, turn. */
export function joinedValues({ succeeded }: Slice, metric: MetricId): readonly JoinedValue[] {
  return succeeded.flatMap((record) => {
    const value = requestValue(metric, record);
    const { round, slot, prompt, turn } = record;
    return value === null ? [] : [{ round, joint: `${slot} ${turn} ${prompt}`, value }];
  });
}

/** Items by key, in order. */
export function grouped<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
