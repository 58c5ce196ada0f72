/**
 * A label for each index of one axis of a value: indices with one label can only be removed together. Null for an axis
 * that stays as long as it is.
 */
export type Axis = Int32Array | null;

/** Why labels are not to be removed. */
export interface Freeze {
  /** The operator that holds them; `graph input`, `graph output` for the ends of the model. */
  readonly operator: string;
  /** The node (its name, else its first output), or the input or output. */
  readonly node: string;
  readonly why: string;
}

/** Disjoint sets of labels. */
export interface Labels {
  /** An axis of new labels, one an index. */
  fresh(size: number): Int32Array;
  /** Joins the sets of two labels; what freezes one of them freezes both. */
  join(a: number, b: number): void;
  /** Joins index by index. Axes of unequal length, or one that stays, freeze the other. */
  unify(a: Axis, b: Axis, cause: Freeze): void;
  /** Labels that stay. The first cause is the one that is told. */
  freeze(axis: Axis, cause: Freeze): void;
  /** The label that stands for the set. */
  find(label: number): number;
  /** Why the set stays; undefined where it may go. */
  frozenBy(label: number): Freeze | undefined;
}

/** No labels yet. */
export function createLabels(): Labels {
  let parents = new Int32Array(1024);
  let count = 0;
  const causes = new Map<number, Freeze>();
  const find = (label: number): number => {
    let root = label;
    while (parents[root] !== root) root = parents[root]!;
    for (let at = label; parents[at] !== root; ) {
      const next = parents[at]!;
      parents[at] = root;
      at = next;
    }
    return root;
  };
  const join = (a: number, b: number): void => {
    const [x, y] = [find(a), find(b)];
    if (x === y) return;
    // the older one stands for both, so that sets come in the order of the graph
    const [kept, gone] = x < y ? [x, y] : [y, x];
    parents[gone] = kept;
    const cause = causes.get(kept) ?? causes.get(gone);
    causes.delete(gone);
    if (cause) causes.set(kept, cause);
  };
  const freeze = (axis: Axis, cause: Freeze): void => {
    if (!axis) return;
    for (const label of axis) {
      const root = find(label);
      if (!causes.has(root)) causes.set(root, cause);
    }
  };
  return {
    fresh(size) {
      if (count + size > parents.length) {
        const larger = new Int32Array(Math.max(2 * parents.length, count + size));
        larger.set(parents);
        parents = larger;
      }
      const axis = new Int32Array(size);
      for (let at = 0; at < size; at++) {
        parents[count] = count;
        axis[at] = count++;
      }
      return axis;
    },
    join,
    unify(a, b, cause) {
      if (a === b) return;
      if (!a || !b || a.length !== b.length) {
        freeze(a, cause);
        freeze(b, cause);
        return;
      }
      for (let at = 0; at < a.length; at++) join(a[at]!, b[at]!);
    },
    freeze,
    find,
    frozenBy: (label) => causes.get(find(label)),
  };
}
