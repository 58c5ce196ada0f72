import type { TensorProto } from "../formats/onnx.js";
import type { ChannelGroup } from "./groups.js";
import { nodeName } from "./node-names.js";
import { readersOf } from "./readers.js";
import { convolutionWeights, type Width, widthOf } from "./rounding.js";
import type { Limits, Selection } from "./settings.js";
import type { Structure } from "./structure.js";

/** How much of a group may go. */
export interface Allowance {
  readonly group: ChannelGroup;
  /** Counts of channels that may go, ascending from 0; 0 alone where none may. */
  readonly levels: readonly number[];
  /** What forbids more, or any. */
  readonly bound: Bound;
}

/** `keep`, `only`, `hidden`: the group stays whole. `one`: a group is never emptied. */
export type Bound = "keep" | "only" | "hidden" | "unmeasured" | "limit" | "round" | "min-channels" | "one";

export interface Allowed {
  readonly allowances: readonly Allowance[];
  readonly unmatched: Selection["unmatched"];
}

/** What the limits leave of each group: which numbers of channels may go. */
export function allowancesOf(structure: Structure, groups: readonly ChannelGroup[], limits: Limits): Allowed {
  const names = namesOf(structure);
  const convolutions = convolutionWeights(structure);
  const allowances = groups.map((group): Allowance => {
    const tensors = group.axes.flatMap(({ tensor }) => [...(names.get(tensor) ?? [])]);
    const own = new Set([...tensors, ...group.states.map(({ name }) => name)]);
    const fits = (pattern: RegExp) => matches(pattern, own);
    const whole = (bound: Bound): Allowance => ({ group, levels: [0], bound });
    if (limits.keep.some(fits)) return whole("keep");
    if (limits.only.length > 0 && !limits.only.some(fits)) return whole("only");
    if (group.normalisations > 1 && !limits.hidden) return whole("hidden");
    const share = limits.limits.find(({ pattern }) => fits(pattern))?.share ?? limits.limit;
    const width = widthOf(structure, group, convolutions);
    return { group, ...levelsOf(group.channels.length, share, width, limits) };
  });
  const states = structure.states.map(({ name }) => name);
  const every = new Set([...[...names.values()].flatMap((own) => [...own]), ...states]);
  const idle = (patterns: readonly RegExp[], of: "keep" | "only" | "limits") =>
    patterns.flatMap((pattern, at) => (matches(pattern, every) ? [] : [{ of, at }]));
  return {
    allowances,
    unmatched: [
      ...idle(limits.keep, "keep"),
      ...idle(limits.only, "only"),
      ...idle(
        limits.limits.map(({ pattern }) => pattern),
        "limits",
      ),
    ],
  };
}

function levelsOf(
  count: number,
  share: number,
  { each, fixed }: Width,
  { round, minChannels }: Limits,
): Omit<Allowance, "group"> {
  // a share such as 0.9 of 10 channels is not quite 9 in binary
  const byLimit = count - Math.floor(share * count + 1e-9);
  const byWidth = Math.ceil(minChannels / each);
  const levels = [0];
  for (let kept = count - 1; kept > 0; kept--) {
    if ((kept * each + fixed) % round !== 0) continue;
    if (kept < byLimit || kept < byWidth) return { levels, bound: byLimit >= byWidth ? "limit" : "min-channels" };
    levels.push(count - kept);
  }
  return { levels, bound: round > 1 ? "round" : "one" };
}

/** The names of each stored tensor and of the nodes that read it. */
function namesOf(structure: Structure): ReadonlyMap<TensorProto, ReadonlySet<string>> {
  const readers = readersOf(structure);
  return new Map(
    [...structure.tensors.keys()].map((tensor) => [
      tensor,
      new Set([tensor.name, ...(readers.get(tensor) ?? []).map(({ node }) => nodeName(node))]),
    ]),
  );
}

function matches(pattern: RegExp, names: ReadonlySet<string>): boolean {
  // unlike `test`, `search` does not go on from where it stopped with the flag g
  for (const name of names) if (name.search(pattern) >= 0) return true;
  return false;
}
