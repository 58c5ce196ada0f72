import { describe, expect, it } from "@jest/globals";
import { createCostModel } from "../../src/prune/costs.js";
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
  "letters for products": [100, 2],
};

describe("ways of joining channels", () => {
  it.each(Object.keys(networks))("prunes with zeros as its equal: %s", async (name) => {
    const { structure, groups, error, moved } = await pruneHalf(networks[name]!());
    expect(error).toBeLessThan(1e-5);
    expect(moved).toBeGreaterThan(1e-3);
    const { prunable, whole } = createCostModel(structure);
    expect([Math.round((100 * prunable) / whole.parameters), groups.groups.length]).toEqual(expected[name]);
  });
});
