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
import { project } from "../../src/distill/projection.js";
import { hardTargets, topTargets } from "../../src/distill/targets.js";
import type { GraphBuilder, Value } from "../../src/graph/builder.js";
import {
  between,
  type CaseInput,
  fed,
  type GradientCase,
  given,
  ints,
  normal,
  testGradients,
} from "../train/finite-differences.js";

const mask: CaseInput = fed({ ...ints([1, 1, 0, 1, 0, 0], [2, 3]), role: "fed" });

const row = (
  op: string,
  inputs: readonly CaseInput[],
  write: (b: GraphBuilder, inputs: readonly Value[]) => Value,
): GradientCase => ({ op, inputs, forward: (b, values) => [write(b, values)], float64: false });

/** A loss of values [2, 3, 5] with and without a mask; the teacher's are only fed. */
const both = (op: string, loss: Loss, options: LossOptions, draw = normal): readonly GradientCase[] => [
  row(op, [draw([2, 3, 5]), fed(draw([2, 3, 5], 2))], (b, [s, t]) => loss(b, s!, t!, options)),
  row(`${op} with a mask`, [draw([2, 3, 5]), fed(draw([2, 3, 5], 2)), mask], (b, [s, t, m]) =>
    loss(b, s!, t!, { ...options, mask: m }),
  ),
];

const maps = [fed(between([2, 2, 3, 3], 0.1, 1)), mask] as const;

testGradients("losses of distillation", [
  ...both("soft targets", softTargets, { temperature: 2 }),
  ...both("reverse KL", reverseTargets, { temperature: 1.5 }),
  ...both("JSD", jensenShannon, { temperature: 2, beta: 0.3 }),
  ...both("frames", frameTargets, { blankWeight: 0.2 }),
  ...both("MSE", meanSquare, {}),
  ...both("MSE over the teacher's", relativeSquare, {}),
  ...both("cosine", cosineDistance, {}),
  ...both("relations", relations, {}),
  row("soft targets over channels", [normal([2, 4, 3]), fed(normal([2, 4, 3]))], (b, [s, t]) =>
    softTargets(b, s!, t!, { axis: 1 }),
  ),
  row("relations in heads of keys", [normal([2, 2, 3, 4]), fed(normal([2, 3, 6])), mask], (b, [s, t, m]) =>
    relations(b, s!, t!, { heads: 2, mask: m }),
  ),
  row("attention MSE", [between([2, 1, 3, 3], 0.1, 1), ...maps], (b, [s, t, m]) =>
    attentionSquare(b, s!, t!, { mask: m }),
  ),
  row("attention KL", [between([2, 2, 3, 3], 0.1, 1), ...maps], (b, [s, t, m]) =>
    attentionDivergence(b, s!, t!, { mask: m }),
  ),
  row("attention transfer", [normal([2, 3, 2, 4]), fed(normal([2, 5, 2, 4]))], (b, [s, t]) =>
    attentionTransfer(b, s!, t!),
  ),
  row(
    "a projected hidden state",
    [normal([2, 3, 4]), normal([4, 5]), fed(normal([2, 3, 5])), mask],
    (b, [s, w, t, m]) => relativeSquare(b, project(b, s!, w!), t!, { mask: m }),
  ),
  row(
    "a projected feature map",
    [normal([2, 3, 2, 2]), normal([4, 3, 1, 1]), fed(normal([2, 4, 2, 2]))],
    (b, [s, w, t]) => relativeSquare(b, project(b, s!, w!), t!, { axis: 1 }),
  ),
  row("labels", [normal([2, 3, 5]), { ...ints([1, -100, 4, 0, 2, 2], [2, 3]), role: "fed" }, mask], (b, [x, y, m]) =>
    hardTargets(b, x!, y!, { mask: m }),
  ),
  row(
    "likeliest classes",
    [normal([2, 5]), { ...ints([3, 0, 1, 4], [2, 2]), role: "fed" }, fed(given([0.6, 0.3, 0.5, 0.45], [2, 2]))],
    (b, [x, classes, shares]) => topTargets(b, x!, { classes: classes!, shares: shares! }, { temperature: 2 }),
  ),
]);
