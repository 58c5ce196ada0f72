import type { TensorProto } from "../formats/onnx.js";
import type { Freeze } from "./labels.js";
import { operatorOf } from "./node-names.js";
import type { StateEnd } from "./states.js";
import type { Structure } from "./structure.js";

/** Indices of one axis of a stored tensor that go with one channel. */
interface Slice {
  readonly tensor: TensorProto;
  readonly axis: number;
  /** Ascending. */
  readonly indices: readonly number[];
}

/** The smallest that can be removed: a channel, neuron, attention head, hidden unit. */
interface Channel {
  /** The label that stands for all of its indices. */
  readonly label: number;
  readonly slices: readonly Slice[];
}

/** Channels alike: they lie on the same axes. */
export interface ChannelGroup {
  /** From 0, in the order of the graph. */
  readonly index: number;
  /** After the tensor that makes the channels: the first one they lie on. */
  readonly name: string;
  readonly channels: readonly Channel[];
  /** The axes of stored tensors that get shorter, with the indices a channel has there. */
  readonly axes: readonly { readonly tensor: TensorProto; readonly axis: number; readonly width: number }[];
  /** How many statistics of normalisations, and means, run over these channels. */
  readonly normalisations: number;
  /** The ends of the model that keep their length, where these channels are a state that callers hand back. */
  readonly states: readonly StateEnd[];
}

/** Weights that stay as long as they are. */
export interface FrozenAxis {
  readonly tensor: TensorProto;
  readonly axis: number;
  readonly cause: Freeze;
}

export interface Groups {
  readonly groups: readonly ChannelGroup[];
  /** Axes of which no index can be removed. */
  readonly frozen: readonly FrozenAxis[];
}

/** Sorts what can be removed into groups. */
export function groupChannels({ labels, tensors, vectors, contractions, statistics, states }: Structure): Groups {
  // the axes a label lies on: channels on the same ones are alike
  const vectorIds = new Map<number, number[]>();
  let id = 0;
  for (const vector of vectors) {
    const roots = new Set<number>();
    for (const label of vector) roots.add(labels.find(label));
    for (const root of roots) {
      const list = vectorIds.get(root);
      if (list) list.push(id);
      else vectorIds.set(root, [id]);
    }
    id += 1;
  }
  const slices = new Map<number, Slice[]>();
  const frozen: FrozenAxis[] = [];
  for (const [tensor, axes] of tensors) {
    axes.forEach((axis, at) => {
      if (!axis) return;
      const own = new Map<number, number[]>();
      for (let index = 0; index < axis.length; index++) {
        const root = labels.find(axis[index]!);
        if (labels.frozenBy(root)) continue;
        const list = own.get(root);
        if (list) list.push(index);
        else own.set(root, [index]);
      }
      if (own.size === 0) frozen.push({ tensor, axis: at, cause: labels.frozenBy(axis[0]!)! });
      for (const [root, indices] of own) {
        const list = slices.get(root);
        const slice = { tensor, axis: at, indices };
        if (list) list.push(slice);
        else slices.set(root, [slice]);
      }
    });
  }
  const byKey = new Map<string, Channel[]>();
  for (const [label, own] of [...slices].sort(([a], [b]) => a - b)) {
    const key = vectorIds.get(label)!.join();
    const list = byKey.get(key);
    const channel = { label, slices: own };
    if (list) list.push(channel);
    else byKey.set(key, [channel]);
  }
  const normalised = new Map<number, number>();
  // written by hand, a normalisation begins with a mean
  const means = contractions.filter(({ node }) => operatorOf(node) === "ReduceMean");
  for (const { labels: axis } of [...statistics, ...means]) {
    for (const root of new Set([...axis].map((label) => labels.find(label)))) {
      normalised.set(root, (normalised.get(root) ?? 0) + 1);
    }
  }
  const groups = [...byKey.values()].map((channels, index): ChannelGroup => {
    const [first] = channels as [Channel];
    return {
      index,
      name: first.slices[0]!.tensor.name,
      channels,
      axes: first.slices.map(({ tensor, axis, indices }) => ({ tensor, axis, width: indices.length })),
      normalisations: normalised.get(first.label) ?? 0,
      states: states.filter(({ axes }) =>
        axes.some((axis) => axis?.some((label) => labels.find(label) === first.label)),
      ),
    };
  });
  return { groups, frozen };
}
