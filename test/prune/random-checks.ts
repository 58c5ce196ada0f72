import { expect } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { operatorOf } from "../../src/prune/node-names.js";
import type { Structure } from "../../src/prune/structure.js";
import fc from "../property.js";
import { pruneHalf } from "./prune-half.js";
import { attentionBlocks } from "./random-attention.js";
import { elementwiseBlocks, productBlocks } from "./random-blocks.js";
import { type Block, randomGraph } from "./random-graphs.js";
import { normalisationBlocks, poolingBlocks, reductionBlocks } from "./random-norms.js";
import { placeBlocks } from "./random-places.js";

const blocks: Readonly<Record<string, Block>> = {
  ...elementwiseBlocks,
  ...normalisationBlocks,
  ...placeBlocks,
  ...attentionBlocks,
  ...poolingBlocks,
  ...productBlocks,
  ...reductionBlocks,
};
const operators = Object.keys(blocks);

/** Operators that need an opset for which onnxruntime lacks others. */
const [late, lacking] = [
  ["Attention", "RMSNormalization", "RotaryEmbedding", "Swish", "com.microsoft:RotaryEmbedding"],
  ["GlobalLpPool", "MaxRoiPool", "RoiAlign"],
];

/** A graph to be made: its operators in their order. */
interface Recipe {
  readonly chosen: readonly string[];
  readonly seed: number;
}

/** Operators in any order, so many at most. */
export const recipes = (maxLength: number): fc.Arbitrary<Recipe> =>
  fc.tuple(fc.array(fc.nat(operators.length - 1), { minLength: 2, maxLength }), fc.nat()).map(([chosen, seed]) => {
    const names = chosen.map((at) => operators[at]!);
    const isLate = names.some((name) => late.includes(name));
    return { chosen: names.filter((name) => !isLate || !lacking.includes(name)), seed };
  });

/** Each operator once, in graphs of five. */
export const everyOperator: readonly Recipe[] = Array.from({ length: Math.ceil(operators.length / 5) }, (_, at) => ({
  chosen: operators.slice(5 * at, 5 * at + 5),
  seed: at,
}));

/**
 * Removes a share of the channels of a graph: the rest must compute what the whole does with zeros, onnxruntime must
 * load it with all optimizations, and what surely can go must not be frozen. Returns the operators that were followed,
 * and could lose something.
 */
export async function checkGraph({ chosen, seed }: Recipe, share?: number): Promise<ReadonlySet<string>> {
  const made = chosen.map((name) => blocks[name]!);
  const { model, feeds, free } = randomGraph(made, seed);
  const { structure, groups, small, error, rounding } = await pruneHalf(model, feeds, 1, share);
  // a channel that is nearly constant, divided by its spread, shows rounding more than that
  expect(error).toBeLessThan(Math.min(1e-3, Math.max(1e-5, 10 * rounding)));
  const session = await openSession(encodeModel(small), { graphOptimization: "all" });
  await session.close();
  const stays = groups.frozen.flatMap(({ tensor, axis, cause }) =>
    free.some((one) => one.tensor === tensor.name && one.axis === axis) ? [cause] : [],
  );
  expect(stays).toEqual([]);
  return exercisedBy(structure);
}

function exercisedBy({ view, ranks, axedValue, labels }: Structure): ReadonlySet<string> {
  const exercised = new Set<string>();
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      if (!ranks.has(node)) continue;
      const axes = node.input.flatMap((name) => (name && axedValue(scope, name)?.axes) || []);
      if (axes.some((axis) => axis?.some((label) => !labels.frozenBy(label)))) exercised.add(operatorOf(node));
    }
  }
  return exercised;
}
