import { create } from "@bufbuild/protobuf";
import { OperatorSetIdProtoSchema } from "onnx-buf";
import type { GraphProto, ModelProto, NodeProto, TensorProto } from "../formats/onnx.js";
import { type FreshName, freshNames } from "../graph/names.js";
import type { Scope } from "../graph/scope.js";
import { putAway, type StoreBytes } from "../graph/stored.js";

/** Edits of a model's graphs, collected while schemes are applied and carried out by `finish`. */
export interface GraphEdit {
  readonly fresh: FreshName;
  /** Adds an initializer to a scope's graph. */
  add(scope: Scope, tensor: TensorProto): void;
  /** Takes an initializer out, with what the file states of its value's shape. */
  drop(scope: Scope, tensor: TensorProto): void;
  /** Puts nodes at the head of a scope's graph, after those put there before. */
  prepend(scope: Scope, ...nodes: readonly NodeProto[]): void;
  /** Puts nodes behind the one that makes a value, or at the head where that is none of this scope's nodes. */
  follow(scope: Scope, value: string, ...nodes: readonly NodeProto[]): void;
  /** Puts nodes in the place of one. */
  replace(scope: Scope, node: NodeProto, nodes: readonly NodeProto[]): void;
  /** Declares that the model uses operators of another domain. */
  useDomain(domain: string, version: number): void;
  /** What was made under a key in a scope, or `make`s it: for what several weights share. */
  once<T>(scope: Scope, key: string, make: () => T): T;
  /** Carries everything out. */
  finish(): void;
}

interface Pending {
  readonly added: TensorProto[];
  readonly dropped: Set<TensorProto>;
  readonly head: NodeProto[];
  readonly followers: Map<string, NodeProto[]>;
  readonly replaced: Map<NodeProto, readonly NodeProto[]>;
  readonly made: Map<string, unknown>;
}

/**
 * Starts editing a model; its scopes must be those of a view made of it. The bytes of large tensors that are added go to
 * `store`, where there is one.
 */
export function editModel(model: ModelProto, store?: StoreBytes): GraphEdit {
  const pending = new Map<GraphProto, Pending>();
  const of = ({ graph }: Scope): Pending => {
    const found = pending.get(graph) ?? {
      added: [],
      dropped: new Set(),
      head: [],
      followers: new Map(),
      replaced: new Map(),
      made: new Map(),
    };
    pending.set(graph, found);
    return found;
  };
  return {
    fresh: freshNames(model),
    add(scope, tensor) {
      putAway(tensor, store);
      of(scope).added.push(tensor);
    },
    drop: (scope, tensor) => void of(scope).dropped.add(tensor),
    prepend: (scope, ...nodes) => void of(scope).head.push(...nodes),
    follow(scope, value, ...nodes) {
      const { followers, head } = of(scope);
      const made = scope.graph.node.some(({ output }) => output.includes(value));
      if (made) followers.set(value, [...(followers.get(value) ?? []), ...nodes]);
      else head.push(...nodes);
    },
    useDomain(domain, version) {
      if (model.opsetImport.some((entry) => entry.domain === domain)) return;
      model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }));
    },
    replace: (scope, node, nodes) => void of(scope).replaced.set(node, nodes),
    once<T>(scope: Scope, key: string, make: () => T): T {
      const { made } = of(scope);
      if (!made.has(key)) made.set(key, make());
      return made.get(key) as T;
    },
    finish() {
      for (const [graph, { added, dropped, head, followers, replaced }] of pending) {
        const names = new Set([...dropped].map(({ name }) => name));
        graph.initializer = [...graph.initializer.filter((tensor) => !dropped.has(tensor)), ...added];
        graph.valueInfo = graph.valueInfo.filter(({ name }) => !names.has(name));
        graph.node = [
          ...head,
          ...graph.node.flatMap((node) => [
            ...(replaced.get(node) ?? [node]),
            ...node.output.flatMap((value) => followers.get(value) ?? []),
          ]),
        ];
      }
    },
  };
}
