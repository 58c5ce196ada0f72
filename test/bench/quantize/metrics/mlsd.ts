// For `--metric`: whether M-LSD finds the segments that the float32 model finds; the labels are those, as JSON. Stands alone, as
// such modules must: what a user would write.

interface Sample {
  readonly outputs: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>;
  readonly label: string;
}

/** Score, then x and y of both ends in cells of the output map. */
export type Segment = readonly [number, number, number, number, number];

/** What counts as a segment, and what counts as one that the other model must also see. */
const faint = 0.1;
const clear = 0.2;
/** On a grid of 128, as in the sAP10 measure of wireframe parsing: the squared distances of both ends, summed. */
const maxDistance = 10;

export const metric = {
  name: "F1 of segments against those of the labels",
  higherIsBetter: true,
  score({ outputs, label }: Sample) {
    const [theirs, seen, ours, right] = countMatches(JSON.parse(label), segmentsOf(outputs), sideOf(outputs));
    const weight = theirs + ours;
    return { value: weight === 0 ? 1 : (seen + right) / weight, weight };
  },
};

/** Clear segments of the reference, how many of them are found, clear ones of the candidate, how many are true. */
export function countMatches(truth: readonly Segment[], found: readonly Segment[], side: number) {
  const isClear = ([score]: Segment) => score >= clear;
  const theirs = truth.filter(isClear);
  const ours = found.filter(isClear);
  const seen = theirs.filter((one) => found.some((other) => isNear(one, other, side)));
  const right = ours.filter((one) => truth.some((other) => isNear(one, other, side)));
  return [theirs.length, seen.length, ours.length, right.length] as const;
}

/** Cells whose score is the highest among their neighbours; the offsets lead from there to both ends. */
export function segmentsOf(outputs: Sample["outputs"]): readonly Segment[] {
  const scores = outputs.get("scores")!.data;
  const offsets = outputs.get("offsets")!.data;
  const side = sideOf(outputs);
  const found: Segment[] = [];
  for (let at = 0; at < scores.length; at++) {
    const score = scores[at]!;
    if (!(score >= faint)) continue;
    const x = at % side;
    const y = Math.floor(at / side);
    let highest = true;
    for (let v = Math.max(0, y - 1); v <= Math.min(side - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(side - 1, x + 1); u++) {
        if (scores[v * side + u]! > score) highest = false;
      }
    }
    if (!highest) continue;
    const end = (axis: number) => offsets[4 * at + axis]!;
    found.push([score, x + end(0), y + end(1), x + end(2), y + end(3)]);
  }
  return found;
}

/** Cells on a side of the output map. */
export function sideOf(outputs: Sample["outputs"]): number {
  return outputs.get("scores")!.shape[1]!;
}

function isNear(a: Segment, b: Segment, side: number): boolean {
  const squares = (order: readonly number[]) =>
    order.reduce((sum, at, own) => sum + ((128 / side) * (a[own + 1]! - b[at]!)) ** 2, 0);
  return Math.min(squares([1, 2, 3, 4]), squares([3, 4, 1, 2])) <= maxDistance;
}
