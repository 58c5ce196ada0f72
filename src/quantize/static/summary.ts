import type { StaticPlan } from "./plan.js";

/** Nodes of one operator that are computed alike, for a report. */
export interface StaticGroup {
  readonly opType: string;
  readonly runs: "int8" | "float";
  readonly nodes: number;
  /** Why they stay in floats; empty for 8 bits. */
  readonly reason: string;
}

/** A static plan in short: nodes in 8 bits and in floats, by operator and reason, the most frequent first. */
export function summarizeStatic({ nodes }: StaticPlan): readonly StaticGroup[] {
  const groups = new Map<string, StaticGroup>();
  for (const { opType, runs, reason: full } of nodes.values()) {
    // values of integers have no range and never will
    const reason = full.startsWith("no range of") ? "no range of its values is known" : full;
    const key = `${opType} ${runs} ${reason}`;
    const before = groups.get(key)?.nodes ?? 0;
    groups.set(key, { opType, runs, reason, nodes: before + 1 });
  }
  return [...groups.values()].sort((a, b) => b.nodes - a.nodes);
}
