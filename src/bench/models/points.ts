/** How models are fed and run in one part of a benchmark. */
export interface ModelPoint {
  /** `batch 8, 2 threads, seq 128`; empty where nothing is varied. */
  readonly label: string;
  /** Samples a run; null where they are fed as they are. */
  readonly batch: number | null;
  /** Sizes of dynamic axes, by name. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly threads: number;
}

/** What is to be varied. */
export interface Sweep {
  readonly batches: readonly number[];
  readonly threads: readonly number[];
  /** Sizes by axis. */
  readonly axes: ReadonlyMap<string, readonly number[]>;
}

/** Every combination, in the order given; labels name only what is varied or asked for. */
export function pointsOf({ batches, threads, axes }: Sweep): readonly ModelPoint[] {
  let sizes: readonly Readonly<Record<string, number>>[] = [{}];
  for (const [axis, values] of axes) {
    sizes = sizes.flatMap((own) => values.map((value) => ({ ...own, [axis]: value })));
  }
  return threads.flatMap((count) =>
    sizes.flatMap((own) =>
      (batches.length > 0 ? batches : [null]).map((batch) => {
        const words = [
          ...(batch === null ? [] : [`batch ${batch}`]),
          ...Object.entries(own).map(([axis, value]) => `${axis} ${value}`),
          ...(threads.length > 1 ? [`${count} ${count === 1 ? "thread" : "threads"}`] : []),
        ];
        return { label: words.join(", "), batch, sizes: own, threads: count };
      }),
    ),
  );
}
