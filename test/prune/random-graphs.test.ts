import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { rows } from "../../src/prune/rows/index.js";
import { operatorOf, type Structure } from "../../src/prune/structure.js";
import { pruneHalf } from "./prune-half.js";
import { attentionBlocks } from "./random-attention.js";
import { elementwiseBlocks, productBlocks } from "./random-blocks.js";
import { type Block, type RandomGraph, randomGraph } from "./random-graphs.js";
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

/** Rows that no graph of such an opset has, or that keep all they touch here; see rows-basic.test.ts. */
const elsewhere = ["LRN", "Upsample"];

/** Operators that need an opset for which onnxruntime lacks others. */
const [late, lacking] = [
  ["Attention", "RMSNormalization", "RotaryEmbedding", "Swish", "com.microsoft:RotaryEmbedding"],
  ["GlobalLpPool", "MaxRoiPool", "RoiAlign"],
];

/** Operators that were followed, and lost something. */
const exercised = new Set<string>();

function noteExercised({ view, ranks, axedValue, labels }: Structure): void {
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      if (!ranks.has(node)) continue;
      const axes = node.input.flatMap((name) => (name && axedValue(scope, name)?.axes) || []);
      if (axes.some((axis) => axis?.some((label) => !labels.frozenBy(label)))) exercised.add(operatorOf(node));
    }
  }
}

async function check({ model, feeds, free }: RandomGraph): Promise<void> {
  const { structure, groups, small, error } = await pruneHalf(model, feeds);
  noteExercised(structure);
  expect(error).toBeLessThan(1e-5);
  const session = await openSession(encodeModel(small), { graphOptimization: "all" });
  await session.close();
  const stays = groups.frozen.flatMap(({ tensor, axis, cause }) =>
    free.some((one) => one.tensor === tensor.name && one.axis === axis) ? [cause] : [],
  );
  expect(stays).toEqual([]);
}

const graphs = fc
  .tuple(fc.array(fc.nat(operators.length - 1), { minLength: 2, maxLength: 7 }), fc.nat())
  .map(([chosen, seed]) => {
    const names = chosen.map((at) => operators[at]!);
    const isLate = names.some((name) => late.includes(name));
    return { chosen: names.filter((name) => !isLate || !lacking.includes(name)), seed };
  });

/** Each operator once, in graphs of five. */
const each = Array.from({ length: Math.ceil(operators.length / 5) }, (_, at) => ({
  chosen: operators.slice(5 * at, 5 * at + 5),
  seed: at,
}));

test("what is pruned from a graph of any operators computes what the graph with zeros in its place does", async () => {
  await fc.assert(
    fc.asyncProperty(graphs, async ({ chosen, seed }) => {
      await check(
        randomGraph(
          chosen.map((name) => blocks[name]!),
          seed,
        ),
      );
    }),
    { seed: 7, numRuns: 110, examples: each.map((one) => [one]) },
  );
});

test("every row of the table was exercised", () => {
  const missing = Object.keys(rows).filter((name) => !exercised.has(name) && !elsewhere.includes(name));
  expect(missing).toEqual([]);
});
