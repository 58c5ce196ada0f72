import { describe, expect, test } from "@jest/globals";
import {
  attentionDivergence,
  attentionSquare,
  attentionTransfer,
  cosineDistance,
  frameTargets,
  jensenShannon,
  type Loss,
  type LossOptions,
  meanSquare,
  relations,
  relativeSquare,
  reverseTargets,
  softTargets,
} from "../../src/distill/losses.js";
import { hardTargets, topTargets } from "../../src/distill/targets.js";
import type { Value } from "../../src/graph/builder.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { compute, floatTensor, intTensor } from "./run-loss.js";

const { log, sqrt } = Math;

/** A loss of these values; with a mask where there is one. */
function lossOf(loss: Loss, student: Tensor, teacher: Tensor, options: LossOptions = {}, mask?: Tensor) {
  return compute(mask ? [student, teacher, mask] : [student, teacher], (b, [s, t, m]) =>
    loss(b, s!, t!, { ...options, mask: m }),
  );
}

// probabilities: the student's (1/2, 1/2), the teacher's (1/4, 3/4)
const student = floatTensor([1, 2], [0, 0]);
const teacher = floatTensor([1, 2], [0, log(3)]);
const forward = 0.25 * log(0.5) + 0.75 * log(1.5);
const reverse = 0.5 * log(2) + 0.5 * log(2 / 3);

describe("losses between distributions, by hand", () => {
  test("soft targets, and their scale by the square of the temperature", async () => {
    expect(await lossOf(softTargets, student, teacher)).toBeCloseTo(forward, 6);
    // twice the logits at temperature 2 are the same distributions
    const doubled = floatTensor([1, 2], [0, 2 * log(3)]);
    expect(await lossOf(softTargets, student, doubled, { temperature: 2 })).toBeCloseTo(4 * forward, 6);
    expect(await lossOf(softTargets, teacher, teacher, { temperature: 3 })).toBeCloseTo(0, 6);
  });

  test("KL the other way round, and what lies between", async () => {
    expect(await lossOf(reverseTargets, student, teacher)).toBeCloseTo(reverse, 6);
    expect(await lossOf(jensenShannon, student, teacher, { beta: 0 })).toBeCloseTo(forward, 6);
    expect(await lossOf(jensenShannon, student, teacher, { beta: 1 })).toBeCloseTo(reverse, 6);
    // M = 0.3 P + 0.7 Q = (0.425, 0.575)
    const mixed =
      0.3 * (0.25 * log(0.25 / 0.425) + 0.75 * log(0.75 / 0.575)) +
      0.7 * (0.5 * log(0.5 / 0.425) + 0.5 * log(0.5 / 0.575));
    expect(await lossOf(jensenShannon, student, teacher, { beta: 0.3 })).toBeCloseTo(mixed, 6);
    expect(await lossOf(jensenShannon, teacher, teacher, { beta: 0.5 })).toBeCloseTo(0, 6);
  });

  test("is the mean over the positions that count, not over classes nor over padding", async () => {
    const tokens = floatTensor([2, 2, 2], [0, 0, 5, -5, 0, 0, 1, 2]);
    const wanted = floatTensor([2, 2, 2], [0, log(3), -5, 5, 0, 0, 7, 7]);
    const mask = intTensor([2, 2], [1, 0, 1, 0]);
    for (const loss of [softTargets, frameTargets]) {
      expect(await lossOf(loss, tokens, wanted, {}, mask)).toBeCloseTo(forward / 2, 6);
    }
    expect(await lossOf(softTargets, tokens, wanted, {}, intTensor([2, 2], [0, 0, 0, 0]))).toBe(0);
  });

  test("works along any axis", async () => {
    const maps = floatTensor([1, 2, 2], [0, 0, 0, 0]);
    const theirs = floatTensor([1, 2, 2], [0, 0, log(3), log(3)]);
    expect(await lossOf(softTargets, maps, theirs, { axis: 1 })).toBeCloseTo(forward, 6);
  });

  test("does not break down where probabilities are 0 in float32", async () => {
    const far = floatTensor([1, 3], [200, 0, -200]);
    const other = floatTensor([1, 3], [-200, 0, 200]);
    expect(await lossOf(softTargets, far, other)).toBeCloseTo(400, 3);
    expect(await lossOf(jensenShannon, far, other)).toBeCloseTo(log(2), 5);
  });

  test("frames in which the teacher is sure of a blank count less", async () => {
    const frames = floatTensor([1, 2, 2], [0, 0, 0, 0]);
    const wanted = floatTensor([1, 2, 2], [log(3), 0, 0, log(3)]);
    // the blank has 3/4 and 1/4: weights 1 - 0.75 * 0.8 and 1 - 0.25 * 0.8; both frames cost the same
    expect(await lossOf(frameTargets, frames, wanted, { blankWeight: 0.2 })).toBeCloseTo(forward, 6);
    const right = floatTensor([1, 2, 2], [log(3), 0, 0, 0]);
    const share = 0.8 / (0.4 + 0.8);
    expect(await lossOf(frameTargets, right, wanted, { blankWeight: 0.2 })).toBeCloseTo(share * forward, 6);
  });
});

describe("losses with labels", () => {
  const hard = (logits: Tensor, labels: Tensor, mask?: Tensor) =>
    compute(mask ? [logits, labels, mask] : [logits, labels], (b, [x, y, m]: readonly Value[]) =>
      hardTargets(b, x!, y!, { mask: m }),
    );

  test("cross-entropy over positions with a label", async () => {
    const logits = floatTensor([1, 3, 2], [0, log(3), 9, 1, 0, log(3)]);
    expect(await hard(logits, intTensor([1, 3], [1, -100, 0]))).toBeCloseTo((-log(0.75) - log(0.25)) / 2, 6);
    const mask = floatTensor([1, 3], [1, 1, 0]);
    expect(await hard(logits, intTensor([1, 3], [1, -100, 0]), mask)).toBeCloseTo(-log(0.75), 6);
  });

  test("of the likeliest classes of a teacher and one class for all others", async () => {
    // the student: (1/8, 1/8, 1/4, 1/2); the teacher: class 3 with 0.6, class 0 with 0.3, 0.1 for the others
    const logits = floatTensor([1, 4], [0, 0, log(2), log(4)]);
    const shares = floatTensor([1, 2], [0.6, 0.3]);
    const cost =
      (value: number) =>
      (b: Parameters<Loss>[0], [x, classes, p]: readonly Value[]) =>
        topTargets(b, x!, { classes: classes!, shares: p! }, { temperature: value });
    const expected = 0.6 * log(0.6 / 0.5) + 0.3 * log(0.3 / 0.125) + 0.1 * log(0.1 / 0.375);
    expect(await compute([logits, intTensor([1, 2], [3, 0]), shares], cost(1))).toBeCloseTo(expected, 6);
    // with all classes known it is KL
    const all = [floatTensor([1, 2], [0, 0]), intTensor([1, 2], [1, 0]), floatTensor([1, 2], [0.75, 0.25])];
    expect(await compute(all, cost(1))).toBeCloseTo(forward, 6);
    expect(await compute(all, cost(2))).toBeCloseTo(4 * forward, 6);
  });
});

describe("losses between layers, by hand", () => {
  test("squares and angles of what counts", async () => {
    const ours = floatTensor([1, 2, 2], [1, 0, 50, 50]);
    const theirs = floatTensor([1, 2, 2], [1, 1, -9, 9]);
    const mask = intTensor([1, 2], [1, 0]);
    expect(await lossOf(meanSquare, ours, theirs, {}, mask)).toBeCloseTo(0.5, 6);
    expect(await lossOf(relativeSquare, ours, theirs, {}, mask)).toBeCloseTo(0.5, 6);
    expect(await lossOf(cosineDistance, ours, theirs, {}, mask)).toBeCloseTo(1 - 1 / sqrt(2), 6);
    expect(await lossOf(relativeSquare, floatTensor([1, 2], [0, 0]), floatTensor([1, 2], [3, 400]))).toBeCloseTo(1, 6);
    expect(await lossOf(meanSquare, floatTensor([2], [1, 2]), floatTensor([2], [2, 4]))).toBeCloseTo(2.5, 6);
  });

  test("attention maps, heads averaged where their numbers differ, padded queries left out", async () => {
    const ours = floatTensor([1, 1, 2, 2], [0.5, 0.5, 1, 0]);
    const theirs = floatTensor([1, 2, 2, 2], [0.25, 0.75, 0, 1, 0.25, 0.75, 0, 1]);
    const mask = intTensor([1, 2], [1, 0]);
    expect(await lossOf(attentionSquare, ours, theirs, {}, mask)).toBeCloseTo(0.0625, 6);
    expect(await lossOf(attentionDivergence, ours, theirs, {}, mask)).toBeCloseTo(forward, 5);
  });

  test("relations need no common width, and padding has none", async () => {
    // inner products over sqrt(width): rows (ln 3, 0), (0, 0) of the teacher
    const side = sqrt(log(3) * sqrt(2));
    const theirs = floatTensor([1, 2, 2], [side, 0, 0, 0]);
    const ours = floatTensor([1, 2, 1], [0, 0]);
    expect(await lossOf(relations, ours, theirs)).toBeCloseTo((0.75 * log(1.5) + 0.25 * log(0.5)) / 2, 5);
    const same = floatTensor([1, 2, 1], [sqrt(log(3)), 0]);
    expect(await lossOf(relations, same, theirs)).toBeCloseTo(0, 5);
    // only the first position counts, and only it can be related to
    expect(await lossOf(relations, ours, theirs, {}, intTensor([1, 2], [1, 0]))).toBeCloseTo(0, 6);
    // heads side by side or already apart
    const apart = floatTensor([1, 2, 2, 1], [side, 0, 0, 0]);
    expect(await lossOf(relations, apart, theirs, { heads: 2 })).toBeCloseTo(0, 5);
  });

  test("feature maps are compared by where they are active", async () => {
    const ours = floatTensor([1, 1, 1, 2], [1, 0]);
    const theirs = floatTensor([1, 2, 1, 2], [2, 0, 0, 2]);
    expect(await lossOf(attentionTransfer, ours, theirs)).toBeCloseTo((1 - 1 / sqrt(2)) ** 2 + 0.5, 6);
    expect(await lossOf(attentionTransfer, floatTensor([1, 1, 1, 2], [5, -5]), theirs)).toBeCloseTo(0, 6);
  });
});
