import { describe, expect, test } from "@jest/globals";
import { ocrModels } from "../bench/train/real-models.js";
import { checkGradients } from "./gradient-check.js";

describe("gradients of the OCR models", () => {
  test.each(ocrModels)("$id", async ({ id, load, feeds, tolerance }) => {
    // fewer tensors than `npm run bench:gradients` looks at
    const found = await checkGradients(id, load()!, feeds, { tensors: 6 });
    expect(found.reached).toBe(found.parameters);
    expect(found.forwardError).toBeLessThan(tolerance);
    const sorted = found.errors.map(({ error }) => error).sort((one, other) => one - other);
    // kinks of Relu and Clip spoil differences along some tensors
    expect(sorted[sorted.length >> 1]).toBeLessThan(5e-3);
    expect(sorted.at(-1)).toBeLessThan(0.1);
  });
});
