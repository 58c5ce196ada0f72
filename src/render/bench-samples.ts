import type { RequestRecord } from "../bench/endpoints/record.js";
import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import type { MetricId } from "../bench/metrics.js";
import { gapsOf, requestValue } from "../bench/metrics-table.js";

/** What one target did under one load, in the order it was sent. */
export interface Series {
  readonly target: string;
  readonly point: number;
  /** Neither warm-up, nor failed, nor ended by the run. */
  readonly counted: readonly RequestRecord[];
  readonly failed: readonly RequestRecord[];
  readonly warmUp: readonly RequestRecord[];
}

/** All records by load and target, targets in the order of the result. */
export function seriesOf({ raw, targets, points }: EndpointBenchResult): readonly Series[] {
  const found = new Map<string, { counted: RequestRecord[]; failed: RequestRecord[]; warmUp: RequestRecord[] }>();
  const key = (target: string, point: number) => `${point} ${target}`;
  for (const record of raw.records) {
    const name = key(record.target, record.point);
    const own = found.get(name) ?? { counted: [], failed: [], warmUp: [] };
    found.set(name, own);
    // those that the run itself ended say nothing of the target
    if (record.error?.kind === "cancelled") continue;
    own[record.warmUp ? "warmUp" : record.error ? "failed" : "counted"].push(record);
  }
  return points.flatMap((_, point) =>
    targets.map(({ label }) => {
      const own = found.get(key(label, point)) ?? { counted: [], failed: [], warmUp: [] };
      for (const records of Object.values(own)) records.sort((a, b) => a.sent - b.sent);
      return { target: label, point, ...own };
    }),
  );
}

/** Values of a metric over the counted requests, in the order they were sent. */
export function valuesOf({ counted }: Series, id: MetricId): readonly number[] {
  const values: number[] = [];
  for (const record of counted) {
    const value = requestValue(id, record);
    if (value !== null) values.push(value);
  }
  return values;
}

/** Gaps between token events of the counted requests, as far as their stamps were kept. */
export function* gapsIn({ counted }: Series): Generator<number> {
  for (const record of counted) yield* gapsOf(record);
}

/** At most `most` of the values, evenly apart, first and last among them. */
export function thinned<T>(values: readonly T[], most: number): readonly T[] {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, at) => values[Math.round((at * (values.length - 1)) / (most - 1))]!);
}
