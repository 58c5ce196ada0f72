import type { Host } from "../cli.js";
import type { Batch } from "../data/batch.js";
import type { EmptyPlaces } from "../evaluate/empty-places.js";
import { type TensorProto, tensorInfo } from "../formats/onnx.js";
import { floatTypes } from "../formats/onnx-types.js";
import type { Scope } from "../graph/scope.js";
import type { Cost } from "../prune/costs.js";
import type { ChannelGroup, FrozenAxis } from "../prune/groups.js";
import { nodeName, operatorOf } from "../prune/node-names.js";
import { readersOf } from "../prune/readers.js";
import type { DamageCurve, Selection } from "../prune/settings.js";
import type { Structure } from "../prune/structure.js";
import type { FrozenCause, PrunedGroup, PrunePlanResult, PruneSettings, Sparsity } from "../render/prune-result.js";
import type { SourceFile } from "../render/training-result.js";
import type { DroppedLayers } from "./prune-layers.js";
import type { Place } from "./prune-pipeline.js";
import type { Planned } from "./prune-plan.js";
import type { PruneSamples } from "./prune-samples.js";
import type { Subject } from "./prune-subject.js";
import { versionsOf } from "./training-describe.js";

/** The groups as reports show them. */
function describeGroups(
  structure: Structure,
  { groups }: Pick<Selection, "groups">,
  curves: readonly DamageCurve[],
): readonly PrunedGroup[] {
  const readers = readersOf(structure);
  const curveOf = new Map(curves.map(({ group, points }) => [group, points]));
  return groups.map(({ group, removed, why }): PrunedGroup => {
    const { channels, axes, normalisations, states, name, index } = group;
    const tensors = [...new Set(axes.map(({ tensor }) => tensor))];
    const gone = new Set(removed.map((at) => channels[at]!.label));
    const before = tensors.reduce((sum, tensor) => sum + tensorInfo(tensor).elements, 0);
    const after = tensors.reduce((sum, tensor) => sum + elementsWithout(structure, tensor, gone), 0);
    return {
      name,
      tensors: tensors.map((tensor) => tensor.name),
      operators: [
        ...new Set(
          tensors.flatMap((tensor) =>
            (readers.get(tensor) ?? []).map(({ node }) => `${nodeName(node)} (${operatorOf(node)})`),
          ),
        ),
        ...states.map((end) => `${end.name} (state, graph ${end.kind})`),
      ],
      channels: { before: channels.length, after: channels.length - removed.length },
      width: widthOf(group),
      normalisations,
      why,
      parameters: { before, after },
      curve: curveOf.get(index)?.map(({ removed: share, damage }) => ({ removed: share, damage })) ?? null,
    };
  });
}

/** Indices that a channel has on its widest axis. */
function widthOf({ axes }: ChannelGroup): number {
  return axes.reduce((most, { width }) => Math.max(most, width), 1);
}

function elementsWithout({ tensors, labels }: Structure, tensor: TensorProto, gone: ReadonlySet<number>): number {
  const axes = tensors.get(tensor)!;
  return tensor.dims.reduce((product, size, at) => {
    const axis = axes[at];
    if (!axis) return product * Number(size);
    return product * axis.reduce((count, label) => count + (gone.has(labels.find(label)) ? 0 : 1), 0);
  }, 1);
}

/** What keeps weights, summed by cause: only weights of which no index at all could go count as held. */
function describeFrozen(structure: Structure, frozen: readonly FrozenAxis[]): readonly FrozenCause[] {
  const { tensors, labels } = structure;
  const causes = new Map<string, { -readonly [K in keyof FrozenCause]: FrozenCause[K] } & { tensors: string[] }>();
  const counted = new Set<string>();
  for (const { tensor, axis, cause } of frozen) {
    const { type, elements } = tensorInfo(tensor);
    if (!floatTypes.has(type)) continue;
    const key = `${cause.operator}\0${cause.node}\0${cause.why}`;
    const known = causes.get(key) ?? { ...cause, tensors: [] as string[], parameters: 0 };
    causes.set(key, known);
    if (!known.tensors.includes(tensor.name)) known.tensors.push(tensor.name);
    // an element counts once, for the axis that is named first
    if (counted.has(tensor.name)) continue;
    counted.add(tensor.name);
    const held = tensors.get(tensor)!.reduce((product, own, at) => {
      if (!own || at === axis) return product * Number(tensor.dims[at]);
      return product * own.reduce((count, label) => count + (labels.frozenBy(label) ? 1 : 0), 0);
    }, 1);
    known.parameters += Math.min(held, elements);
  }
  return [...causes.values()].filter(({ parameters }) => parameters > 0).sort((a, b) => b.parameters - a.parameters);
}

/** What became of states that callers hand back, over all rounds. */
function stateNotes({ states }: Structure, empty: readonly EmptyPlaces[]): readonly string[] {
  return states.flatMap(({ name, kind, axes }) => {
    if (kind !== "output") return [];
    return axes.flatMap((axis, at) => {
      const own = empty.filter((places) => places.output === name && places.axis === at);
      const gone = new Set(own.flatMap(({ indices }) => indices)).size;
      if (!axis || gone === 0) return [];
      return [
        `state "${name}" keeps its ${axis.length} places for whoever hands it back: ${gone} are put out as zeros`,
      ];
    });
  });
}

/** Branches with weights that nothing of what the model was looked at and checked with takes. */
function branchNotes({ subject: { structure } }: PrunedModel): readonly string[] {
  const weighty = new Set(structure.contractions.map(({ node }) => node));
  const holds = (scope: Scope): boolean =>
    scope.graph.node.some((node) => weighty.has(node)) || scope.children.some(holds);
  const names = structure.untaken.filter(holds).map(({ path }) => path.replace(/^main\//, ""));
  if (names.length === 0) return [];
  const listed = [...names.slice(0, 3), ...(names.length > 3 ? [`${names.length - 3} more`] : [])].join(", ");
  return [`never run, so that what became of them was not checked: ${listed}`];
}

/** All that a round of pruning went by. */
export interface PrunedModel {
  readonly subject: Subject;
  readonly planned: Planned;
}

/** What plan and result say alike. */
export function describePruned(
  host: Host,
  place: Place,
  parts: {
    readonly settings: PruneSettings;
    readonly samples: PruneSamples;
    readonly sample: Batch;
    readonly first: PrunedModel;
    readonly latest: PrunedModel;
    readonly dropped: DroppedLayers | undefined;
    /** What the model cost before layers were dropped; undefined where none were. */
    readonly before: Cost | undefined;
    readonly whole: SourceFile;
    /** Bytes of the pruned file. */
    readonly after: number;
    /** Places of states that are zeros now. */
    readonly empty: readonly EmptyPlaces[];
    readonly sparsity: Sparsity | null;
    /** What curves measure, in words. */
    readonly damage: string | null;
    readonly notes: readonly string[];
    readonly warnings: readonly string[];
  },
): Omit<PrunePlanResult, "schema"> {
  const { settings, samples, sample, first, latest, dropped, whole, after, empty, sparsity, warnings } = parts;
  const { structure, groups, costs, notes } = first.subject;
  const before = parts.before ?? costs.whole;
  const left = latest.planned.selection.after;
  const described = describeGroups(structure, first.planned.selection, first.planned.curves);
  const lastOf = new Map(
    describeGroups(latest.subject.structure, latest.planned.selection, []).map((group) => [group.name, group]),
  );
  const all = described.map((group): PrunedGroup => {
    const last = lastOf.get(group.name);
    if (first === latest || !last) return group;
    return {
      ...group,
      channels: { before: group.channels.before, after: last.channels.after },
      parameters: { before: group.parameters.before, after: last.parameters.after },
      why: last.why,
    };
  });
  const channels = (count: (group: PrunedGroup) => number) => all.reduce((sum, group) => sum + count(group), 0);
  return {
    versions: versionsOf(host),
    model: whole,
    settings,
    shapes: [...sample].map(([input, { shape }]) => ({ input, shape })),
    data: samples.data,
    parameters: { before: before.parameters, after: left.parameters, prunable: costs.prunable },
    flops: { before: before.flops, after: left.flops },
    channels: {
      before: channels((group) => group.channels.before),
      after: channels((group) => group.channels.after),
    },
    bytes: { before: place.source.bytes, after },
    groups: all,
    damage: first.planned.curves.length > 0 ? parts.damage : null,
    frozen: describeFrozen(structure, groups.frozen),
    layers: dropped?.layers ?? [],
    sparsity,
    notes: [
      ...[...notes, ...first.planned.notes, ...parts.notes],
      ...[...stateNotes(latest.subject.structure, empty), ...branchNotes(latest)],
    ],
    warnings: [...warnings],
  };
}
