import { describe, expect, it } from "@jest/globals";
import type { ModelProto } from "../../src/formats/onnx.js";
import { createCostModel } from "../../src/prune/costs.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { noise } from "./data-models.js";
import { networks } from "./networks.js";
import { pruneHalf } from "./prune-half.js";

/** The share of the parameters that can go, in percent, and how many groups of channels there are. */
const expected: Readonly<Record<string, readonly [share: number, groups: number]>> = {
  "gated feed-forward": [100, 2],
  "gated feed-forward in one product": [100, 2],
  "squeeze and excite": [99, 2],
  "channels shuffled": [100, 2],
  "channels shuffled after a split": [100, 5],
  "all earlier maps joined": [100, 4],
  "branches of several kernels": [100, 5],
  "down and up with skips": [100, 7],
  "split and joined again": [100, 5],
  "channels last for a normalisation": [100, 2],
  "inverted residuals with excitation": [100, 3],
  "channels into space and back": [100, 3],
  "maps flattened for a linear layer": [99, 1],
  "channels chosen and reversed": [100, 5],
  "halves cut where half of the length is computed": [99, 1],
  "channels repeated as far as a shape says": [98, 1],
  "letters for products": [100, 2],
};

/** Two samples. */
function feedsOf({ graph }: ModelProto): ReadonlyMap<string, Tensor> {
  const { name, type } = graph!.input[0]!;
  const shape = type?.value.case === "tensorType" ? (type.value.value.shape?.dim ?? []) : [];
  return new Map([
    [
      name,
      noise(
        shape.map(({ value }) => (value.case === "dimValue" ? Number(value.value) : 2)),
        5,
      ),
    ],
  ]);
}

describe("ways of joining channels", () => {
  it.each(Object.keys(networks))("prunes with zeros as its equal: %s", async (name) => {
    const model = networks[name]!();
    const { structure, groups, error, moved } = await pruneHalf(model, feedsOf(model));
    expect(error).toBeLessThan(1e-5);
    expect(moved).toBeGreaterThan(1e-3);
    const { prunable, whole } = createCostModel(structure);
    expect([Math.round((100 * prunable) / whole.parameters), groups.groups.length]).toEqual(expected[name]);
  });
});
