/** A directed graph with capacities, whose cheapest cut between two vertices is sought. */
export interface Cut {
  /** Adds a vertex. */
  vertex(): number;
  /** Adds capacity from one vertex to another: what it costs to have `from` on the source's side and `to` on the sink's. */
  edge(from: number, to: number, capacity: number): void;
  /** The vertices on the source's side of a cheapest cut; of several, the one with the fewest. */
  sourceSide(): ReadonlySet<number>;
  readonly source: number;
  readonly sink: number;
}

interface Edge {
  readonly to: number;
  left: number;
  readonly back: number;
}

/** Minimum cut by maximum flow (Dinic 1970): augmenting along shortest ways, level by level. */
export function newCut(): Cut {
  const edges: Edge[][] = [[], []];
  const [source, sink] = [0, 1];
  const level: number[] = [];
  const next: number[] = [];

  const layered = (): boolean => {
    level.length = 0;
    level[source] = 0;
    const queue = [source];
    for (const from of queue) {
      for (const { to, left } of edges[from]!) {
        if (left <= 0 || level[to] !== undefined) continue;
        level[to] = level[from]! + 1;
        queue.push(to);
      }
    }
    return level[sink] !== undefined;
  };
  // sends flow along one way of the layers; ways are long in deep models, so no recursion
  const augment = (): number => {
    const way: Edge[] = [];
    let at = source;
    while (at !== sink) {
      const list = edges[at]!;
      let step: Edge | undefined;
      for (; next[at]! < list.length; next[at]!++) {
        const edge = list[next[at]!]!;
        if (edge.left > 0 && level[edge.to] === level[at]! + 1) {
          step = edge;
          break;
        }
      }
      if (step) {
        way.push(step);
        at = step.to;
        continue;
      }
      const last = way.pop();
      if (!last) return 0;
      at = edges[last.to]![last.back]!.to;
      next[at]!++;
    }
    const flow = Math.min(...way.map(({ left }) => left));
    for (const edge of way) {
      edge.left -= flow;
      edges[edge.to]![edge.back]!.left += flow;
    }
    return flow;
  };
  return {
    source,
    sink,
    vertex: () => edges.push([]) - 1,
    edge(from, to, capacity) {
      edges[from]!.push({ to, left: capacity, back: edges[to]!.length });
      edges[to]!.push({ to: from, left: 0, back: edges[from]!.length - 1 });
    },
    sourceSide() {
      while (layered()) {
        next.length = 0;
        for (let at = 0; at < edges.length; at++) next[at] = 0;
        while (augment() > 0);
      }
      return new Set(level.flatMap((depth, at) => (depth === undefined ? [] : [at])));
    },
  };
}
