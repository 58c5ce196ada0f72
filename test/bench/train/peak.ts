import { existsSync, readFileSync } from "node:fs";

/** The most memory this process has held; what getrusage says may be the parent's. */
export function peakBytes(): number {
  const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "";
  const found = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1];
  return 1024 * (found === undefined ? process.resourceUsage().maxRSS : Number(found));
}
