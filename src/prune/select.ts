import { UserError } from "../errors.js";
import type { CostModel } from "./costs.js";
import { createGoneShare, type GoneShare } from "./group-costs.js";
import type { Groups } from "./groups.js";
import { type Allowance, allowancesOf, type Bound } from "./limits.js";
import { type PlannedGroup, removedLabels } from "./plan.js";
import { nothingAllowed, nothingPrunable, nothingSmallEnough, tooMuch } from "./refusals.js";
import type { DamageCurve, Limits, Selection, SelectSettings } from "./settings.js";
import { type Step, takeSteps } from "./steps.js";
import type { Structure } from "./structure.js";

/**
 * Chooses channels so that `ratio` of the cost goes, as nearly as the limits allow. In every group those of the lowest
 * scores go; how many is a matter of the spread. All spreads put the steps of all groups (from one width that the limits
 * allow to the next) into one order, of which as much is taken as the target needs:
 * - `uniform`: by the share of the group that is gone after half the step, then as `global`;
 * - `global`: by scores for cost saved, along the lower convex hull of the sums of each group's scores, so that a channel
 *   that saves little must be worth little to go. Scores alone took whole layers away that cost next to nothing;
 * - `sensitivity`: by damage for cost saved, along the same of each group's measured curve.
 * What a step that is too large leaves of the target is filled by the next ones that fit.
 *
 * Throws a UserError for a ratio that is none, one that the limits do not allow (with the largest that they do), and where
 * nothing can go (with the reasons).
 */
export function selectChannels(
  structure: Structure,
  { groups, frozen }: Groups,
  costs: CostModel,
  settings: SelectSettings,
): Selection {
  const { by, ratio, limits } = settings;
  if (!(ratio > 0 && ratio < 1)) {
    throw new UserError(`--prune ${ratio}: is not a share over 0 and below 1, such as 0.3 or 30%`);
  }
  if (groups.length === 0) throw nothingPrunable(ratio, frozen);
  const { allowances, unmatched } = allowancesOf(structure, groups, limits);
  const scores = settings.scores.map((own) => own.map((score) => (Number.isNaN(score) ? Infinity : score)));
  const orders = scores.map(ascending);
  const gone = createGoneShare(structure, groups, costs, by);
  const allowed = withCurves(allowances, settings);
  const steps = stepsOf(allowed, orders, gone, { ...settings, scores });
  if (steps.length === 0) {
    const named = limits.only.length > unmatched.filter(({ of }) => of === "only").length;
    throw nothingAllowed(ratio, allowances, limits, named);
  }
  const taken = takeSteps(
    steps,
    allowed.map(({ levels }) => levels),
    gone,
    ratio,
    tolerance[settings.spread],
  );
  if (taken.kind === "too-much") throw tooMuch(ratio, by, taken.most, allowed, limits);
  if (taken.kind === "nothing") throw nothingSmallEnough(ratio, by, taken.least, limits);
  const planned = allowed.map(({ group, levels, bound }, at): PlannedGroup => {
    const level = taken.levels[at]!;
    const removed = [...orders[at]!.subarray(0, levels[level])].sort((a, b) => a - b);
    return { group, removed, why: reason(level, levels.length, bound, settings) };
  });
  const removed = removedLabels(planned);
  return { structure, groups: planned, frozen, removed, before: costs.whole, after: costs.without(removed), unmatched };
}

/** How far from the target its own order is worth more; damage was measured with care. */
const tolerance = { uniform: 0.003, global: 0.003, sensitivity: 0.005 } as const;

const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

/** Places of channels, from the lowest score on. */
function ascending(scores: Float64Array): Uint32Array {
  return Uint32Array.from(scores.keys()).sort((a, b) => compare(scores[a]!, scores[b]!) || a - b);
}

/** Groups of which no damage was measured stay whole. */
function withCurves(allowances: readonly Allowance[], { spread, curves = [] }: SelectSettings): readonly Allowance[] {
  if (spread !== "sensitivity") return allowances;
  const measured = new Set(curves.filter(({ points }) => points.length > 0).map(({ group }) => group));
  return allowances.map((allowance) =>
    measured.has(allowance.group.index) || allowance.levels.length === 1
      ? allowance
      : { ...allowance, levels: [0], bound: "unmeasured" },
  );
}

/**
 * Channels that go together do more than the sum of what each does alone: without this the dearest of groups whose channels
 * are much alike would lose all that it may before any other lost some. Between 1 and 2 on real models.
 */
const joint = 1.5;

function stepsOf(
  allowances: readonly Allowance[],
  orders: readonly Uint32Array[],
  gone: GoneShare,
  { spread, scores, curves = [] }: SelectSettings,
): readonly Step[] {
  const byGroup = new Map(curves.map((curve) => [curve.group, curve]));
  const steps = allowances.flatMap(({ group, levels }, at) => {
    if (levels.length === 1) return [];
    const count = group.channels.length;
    const sums = sumsOf(orders[at]!, scores[at]!);
    const keysOf = (damage: (removed: number) => number) => perCost(levels, at, allowances.length, damage, gone);
    const worth = keysOf((removed) => sums[removed]! ** joint);
    const keys = {
      uniform: () => levels.slice(1).map((level, before) => (levels[before]! + level) / 2 / count),
      global: () => worth,
      sensitivity: () => {
        const curve = byGroup.get(group.index)!;
        return keysOf((removed) => damageAt(curve, removed / count));
      },
    }[spread]();
    return keys.map((key, before) => ({ group: at, level: before + 1, key, worth: worth[before]! }));
  });
  return steps.sort(
    (a, b) => compare(a.key, b.key) || compare(a.worth, b.worth) || a.group - b.group || a.level - b.level,
  );
}

/** Sums of the lowest scores, by how many there are. */
function sumsOf(order: Uint32Array, scores: Float64Array): Float64Array {
  const sums = new Float64Array(order.length + 1);
  order.forEach((channel, at) => {
    sums[at + 1] = sums[at]! + scores[channel]!;
  });
  return sums;
}

/**
 * For each step of a group the damage it adds for what it saves; steps that pay only together have one value. `damage` is
 * that of removing so many channels.
 */
function perCost(
  levels: readonly number[],
  at: number,
  groups: number,
  damage: (removed: number) => number,
  gone: GoneShare,
): readonly number[] {
  const removed = new Float64Array(groups);
  const places = levels.map((level) => {
    removed[at] = level;
    return { saved: gone(removed), damage: damage(level) };
  });
  // the lower convex hull, as runs of steps whose slopes ascend
  const runs: { steps: number; damage: number; saved: number }[] = [];
  for (let level = 1; level < places.length; level++) {
    const [before, here] = [places[level - 1]!, places[level]!];
    // beyond what is no number there is nothing worse
    const rise = before.damage === Number.POSITIVE_INFINITY ? before.damage : here.damage - before.damage;
    let run = { steps: 1, damage: Math.max(0, rise), saved: here.saved - before.saved };
    for (let last = runs.at(-1); last && slope(last) >= slope(run); last = runs.at(-1)) {
      runs.pop();
      run = {
        steps: last.steps + run.steps,
        damage: last.damage + run.damage,
        saved: last.saved + run.saved,
      };
    }
    runs.push(run);
  }
  return runs.flatMap((run) => new Array<number>(run.steps).fill(slope(run)));
}

const slope = ({ damage, saved }: { readonly damage: number; readonly saved: number }): number =>
  saved > 0 ? damage / saved : Number.POSITIVE_INFINITY;

/** Damage when a share of a group goes: between measured shares in a straight line, never less than at a smaller one. */
export function damageAt({ points }: DamageCurve, share: number): number {
  let before = { removed: 0, damage: 0 };
  let rise = 0;
  for (const point of [...points].sort((a, b) => a.removed - b.removed)) {
    const here = { removed: point.removed, damage: Math.max(before.damage, point.damage || 0) };
    if (here.removed <= before.removed) {
      before = here;
      continue;
    }
    rise = (here.damage - before.damage) / (here.removed - before.removed);
    if (share <= here.removed) return before.damage + rise * (share - before.removed);
    before = here;
  }
  // beyond what was measured it goes on rising as it did last
  return before.damage + rise * Math.max(0, share - before.removed);
}

const bounds = {
  keep: () => "stays whole: --keep",
  only: () => "stays whole: --only names others",
  hidden: () => "stays whole: several normalisations run over it (--hidden lets it go)",
  unmeasured: () => "stays whole: no damage was measured for it",
  limit: () => "as much as --limit allows",
  round: ({ round }) => `the width stays a multiple of --round ${round}`,
  "min-channels": ({ minChannels }) => `no less than --min-channels ${minChannels} is left`,
  one: () => "one channel is always left",
} as const satisfies Readonly<Record<Bound, (limits: Limits) => string>>;

const chosen = {
  uniform: ["the same share of every group", "its share is less than a step of its width"],
  global: ["the lowest scores of all groups for what they save", "others have lower scores for what they save"],
  sensitivity: ["least damage for what it saves", "others do less damage for what they save"],
} as const;

function reason(level: number, levels: number, bound: Bound, { spread, limits }: SelectSettings): string {
  if (levels === 1) return bounds[bound](limits);
  const [some, none] = chosen[spread];
  if (level === 0) return none;
  return level === levels - 1 ? `${some}; ${bounds[bound](limits)}` : some;
}
