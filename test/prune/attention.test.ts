import { describe, expect, it } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { type Attention, attentionModel, type Operator, operatorModel } from "./attention-models.js";
import { noise } from "./data-models.js";
import { pruneHalf } from "./prune-half.js";

const fed = (batch: number, length: number) => new Map([["x", noise([batch, length, 24], 3)]]);

async function run(model: ModelProto, feeds: ReadonlyMap<string, Tensor>): Promise<Float32Array> {
  const session = await openSession(encodeModel(model));
  const [found] = [...(await session.run(feeds)).values()];
  await session.close();
  return found!.data as Float32Array;
}

function distance(a: Float32Array, b: Float32Array): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((worst, value, at) => Math.max(worst, Math.abs(value - b[at]!)), 0);
}

/** How many channels the group on the first axis of the output projection has, and how wide each is there. */
async function heads(model: ModelProto) {
  const halved = await pruneHalf(model, fed(2, 5));
  expect(halved.error).toBeLessThan(1e-5);
  expect(halved.moved).toBeGreaterThan(1e-3);
  const found = halved.groups.groups.filter(({ axes }) => axes.some(({ tensor }) => tensor.name === "out.w"));
  const group = found.find(({ axes }) => axes.some(({ tensor, axis }) => tensor.name === "out.w" && axis === 0));
  const axis = group?.axes.find((each) => each.tensor.name === "out.w" && each.axis === 0);
  return { ...halved, count: group?.channels.length, width: axis?.width };
}

const plain = { heads: 4, dim: 6, projection: "separate" } as const;

describe("attention as exporters write it", () => {
  it.each<[string, Attention, number, number]>([
    ["separate projections", plain, 4, 6],
    ["one projection split into three", { ...plain, projection: "split" }, 4, 6],
    ["one projection, gathered", { ...plain, projection: "fused 3hd", take: "gather" }, 4, 6],
    ["one projection, split on a new axis", { ...plain, projection: "fused 3hd", take: "split" }, 4, 6],
    ["one projection, sliced", { ...plain, projection: "fused 3hd", take: "slice" }, 4, 6],
    ["one projection with heads outside", { ...plain, projection: "fused h3d", take: "slice" }, 4, 6],
    ["a table of position biases", { ...plain, bias: true }, 4, 6],
    ["rotary positions", { ...plain, rotary: true }, 4, 6],
    ["batch and heads in one axis", { ...plain, merged: true }, 4, 6],
    ["groups of heads, expanded", { ...plain, groups: 2, repeat: "expand" }, 2, 12],
    ["groups of heads, gathered", { ...plain, groups: 2, repeat: "gather" }, 2, 12],
    ["groups of heads, tiled", { ...plain, groups: 2, repeat: "tile" }, 2, 12],
    ["groups of heads with rotary positions", { ...plain, groups: 2, repeat: "expand", rotary: true }, 2, 12],
  ])("prunes whole heads: %s", async (_, how, count, width) => {
    expect(await heads(attentionModel(how))).toMatchObject({ count, width });
    expect(await heads(attentionModel({ ...how, dynamic: true }))).toMatchObject({ count, width });
  });

  it("prunes what heads are made of where there is one for all", async () => {
    const { count, width } = await heads(attentionModel({ ...plain, groups: 1, repeat: "expand" }));
    expect({ count, width }).toEqual({ count: 6, width: 4 });
  });

  it.each<[string, Attention]>([
    ["sizes as numbers", plain],
    ["the width of a head as a quotient", { ...plain, width: "divided" }],
    ["batch and heads in one axis", { ...plain, merged: true }],
    ["one projection and a quotient", { ...plain, width: "divided", projection: "split" }],
    ["groups of heads", { ...plain, groups: 2, repeat: "expand" }],
  ])("gives the same for other batches and lengths: %s", async (_, how) => {
    const { small, zeroed, count } = await heads(attentionModel({ ...how, dynamic: true }));
    expect(count).toBe(how.groups ?? how.heads);
    for (const feeds of [fed(1, 3), fed(3, 7)]) {
      expect(distance(await run(small, feeds), await run(zeroed, feeds))).toBeLessThan(1e-5);
    }
  });
});

describe("attention as one operator", () => {
  it.each<[Operator, number, number]>([
    ["com.microsoft Attention", 4, 8],
    ["Attention of other widths", 4, 8],
    ["MultiHeadAttention", 4, 8],
    ["GroupQueryAttention", 2, 16],
    ["RotaryEmbedding", 4, 8],
    ["grouped", 2, 16],
    ["one for all", 4, 8],
    ["four axes", 4, 8],
  ])("prunes whole heads: %s", async (operator, count, width) => {
    expect(await heads(operatorModel(operator))).toMatchObject({ count, width });
  });
});
