/** Does things at their times with one timer, however many there are: thousands of timers would be late for each other. */
export interface Pacer {
  /** In seconds on the clock; at once if that has passed, but never before `at` returns. */
  at(time: number, action: () => void): void;
  close(): void;
}

interface Due {
  readonly time: number;
  readonly order: number;
  readonly action: () => void;
}

const before = (a: Due, b: Due): boolean => a.time < b.time || (a.time === b.time && a.order < b.order);

export function pacer(now: () => number): Pacer {
  const heap: Due[] = [];
  let timer: NodeJS.Timeout | NodeJS.Immediate | null = null;
  let wakes = Number.POSITIVE_INFINITY;
  let order = 0;
  let running = false;

  const push = (due: Due): void => {
    let index = heap.push(due) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(due, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = due;
  };
  const pop = (): Due => {
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  };
  const stop = (): void => {
    if (timer === null) return;
    clearTimeout(timer as NodeJS.Timeout);
    clearImmediate(timer as NodeJS.Immediate);
    timer = null;
    wakes = Number.POSITIVE_INFINITY;
  };
  const arm = (): void => {
    const first = heap[0];
    if (first === undefined || first.time >= wakes) return;
    stop();
    wakes = first.time;
    const wait = (first.time - now()) * 1000;
    timer = wait > 0.05 ? setTimeout(run, Math.max(1, Math.floor(wait))) : setImmediate(run);
  };
  const run = (): void => {
    timer = null;
    wakes = Number.POSITIVE_INFINITY;
    running = true;
    // what actions add for now waits for the next turn, so that reads get theirs
    const until = now();
    for (let first = heap[0]; first !== undefined && first.time <= until; first = heap[0]) pop().action();
    running = false;
    arm();
  };
  return {
    at(time, action) {
      push({ time, order: order++, action });
      if (!running) arm();
    },
    close() {
      heap.length = 0;
      stop();
    },
  };
}
