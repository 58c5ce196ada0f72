import type { Measure, Selection } from "../prune/settings.js";
import type { PruneSettings } from "../render/prune-result.js";
import { formatPercent } from "../render/quantities.js";
import type { Apart } from "./prune-plan.js";
import type { Weighed } from "./prune-stages.js";

/** Losses from which on outputs are not what they were. */
const muchLost = 0.05;

/** What would make the result better. */
export function advice(hasData: boolean, recovers: boolean, { drop }: Weighed): readonly string[] {
  if (!hasData) return ["channels were chosen by their weights alone; samples in --data choose far better"];
  if (recovers || drop === null || drop.value < muchLost) return [];
  return [
    `the outputs are not what they were (${drop.name}: ${formatPercent(drop.value)}); --distill brings accuracy back`,
  ];
}

/** Groups that samples say nothing of. */
export function idleWords(names: readonly string[]): readonly string[] {
  if (names.length === 0) return [];
  const listed = [...names.slice(0, 3), ...(names.length > 3 ? [`${names.length - 3} more`] : [])].join(", ");
  return [
    `no sample of --data changes without ${listed}, so they stay whole: give samples that need them, or --spread uniform`,
  ];
}

/** Names that the user gave and nothing has. */
export function unmatchedNames(settings: PruneSettings, { unmatched }: Selection): readonly string[] {
  return unmatched.map(({ of, at }) => {
    const given = of === "limits" ? `--limit ${settings.limits[at]!.pattern}=...` : `--${of} ${settings[of][at]}`;
    return `without effect: ${given}: no group of channels has a tensor or node of such a name`;
  });
}

const counted: Readonly<Record<Measure, string>> = { params: "parameters", flops: "FLOPs", channels: "channels" };

/** That steps are too large to take what was asked for. */
export function apartWords(apart: Apart | null, rounds: number): readonly string[] {
  if (!apart) return [];
  const { by, asked, gone, finer } = apart;
  const why =
    finer === null
      ? "what can only go together comes in no smaller steps"
      : `no widths in steps of --round come nearer; with --round 1 it would be ${formatPercent(finer)}`;
  const when = rounds > 1 ? " in a round" : "";
  return [`asked for ${formatPercent(asked)} of the ${counted[by]}${when}, ${formatPercent(gone)} went: ${why}`];
}
