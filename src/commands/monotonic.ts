/** Seconds since the machine started; all processes of a machine read the same clock (CLOCK_MONOTONIC). */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}
