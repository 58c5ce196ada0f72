import type { LoadPoint } from "./record.js";

/** A load in words: `1 user`, `16 users`, `2.0 requests/s poisson`. */
export function pointName(point: LoadPoint): string {
  if (point.kind === "closed") return point.concurrency === 1 ? "1 user" : `${point.concurrency} users`;
  const rate = Number.isInteger(point.rate) ? point.rate.toFixed(1) : String(point.rate);
  return `${rate} requests/s ${point.arrival}`;
}
