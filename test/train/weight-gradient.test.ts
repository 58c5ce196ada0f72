import { expect, test } from "@jest/globals";
import { normal } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type Value } from "../../src/graph/builder.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import type { ConvGeometry } from "../../src/train/rules/geometry.js";
import { unfoldForm, type WeightForm, weightGradient, windowForm } from "../../src/train/rules/weight-gradient.js";
import { plainNames } from "./small-network.js";

/** The gradient of the weights of a 3x3 convolution of random pictures, and how many products it was made with. */
async function run(form: WeightForm, [rows, inner, out, side]: readonly number[], stride: number) {
  const small = Math.floor((side! - 1) / stride) + 1;
  const value = (name: string, channels: number, size: number): Value => ({
    name,
    dtype: "float32",
    shape: [rows!, channels, size, size],
  });
  const inputs = [value("x", inner!, side!), value("g", out!, small)] as const;
  const both = (n: number) => [n, n];
  const geometry: ConvGeometry = {
    ...{ kernel: both(3), strides: both(stride), dilations: both(1), begin: both(1), end: both(1) },
    ...{ group: 1, large: both(side!), small: both(small) },
  };
  const b = createBuilder(plainNames());
  const made = form(b, ...inputs, geometry);
  expect(made.shape).toEqual([out, inner, 3, 3]);
  const model = assembleModel({ nodes: b.nodes, initializers: b.initializers, inputs, outputs: [made] });
  const session = await openSession(encodeModel(model));
  const next = normal(5);
  const feeds = inputs.map(({ name, shape }): [string, Tensor] => [
    name,
    { dtype: "float32", shape, data: Float32Array.from({ length: elementCount(shape) }, next) },
  ]);
  const results = await session.run(new Map(feeds));
  await session.close();
  const products = b.nodes.filter(({ opType }) => opType === "FusedMatMul").length;
  return { gradient: results.get(made.name)!.data as Float32Array, products };
}

/** Of the largest element. */
function difference(one: Float32Array, other: Float32Array): number {
  expect(one.length).toBe(other.length);
  const largest = one.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return one.reduce((most, value, at) => Math.max(most, Math.abs(value - other[at]!)), 0) / largest;
}

test.each([
  { title: "one row after another", shape: [3, 16, 8, 12], stride: 1 },
  { title: "every other place", shape: [5, 32, 16, 9], stride: 2 },
  { title: "an even side", shape: [2, 17, 3, 10], stride: 2 },
  { title: "few places", shape: [2, 64, 64, 3], stride: 1 },
])("a window of all places gives what patches give: $title", async ({ shape, stride }) => {
  const [patches, window] = [await run(unfoldForm, shape, stride), await run(windowForm, shape, stride)];
  expect(window.products).toBe(0);
  expect(difference(patches.gradient, window.gradient)).toBeLessThan(1e-5);
});

test("patches made part by part give what they give at once", async () => {
  // 12 MB of patches of 20 rows, in parts of three rows and a last one of two
  const shape = [20, 4, 5, 64];
  const [atOnce, byParts] = [await run(unfoldForm, shape, 1), await run(weightGradient, shape, 1)];
  expect(atOnce.products).toBe(1);
  expect(byParts.products).toBe(7);
  expect(difference(atOnce.gradient, byParts.gradient)).toBeLessThan(1e-5);
});
