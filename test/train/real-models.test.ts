import { describe, expect, test } from "@jest/globals";
import { ocrModels } from "../bench/train/real-models.js";
import { checkGradients } from "./gradient-check.js";

describe("gradients of the OCR models", () => {
  test.each(ocrModels)("$id", async ({ id, load, runs, tolerance }) => {
    // fewer tensors than `npm run bench:gradients` looks at
    const found = await checkGradients(id, load()!, runs[0]!, { tensors: 3, precision: "float64" });
    expect(found.reached).toHaveLength(found.parameters);
    expect(found.forwardError).toBeLessThan(tolerance);
    for (const { name, error, single } of found.precise) {
      expect({ name, error, isNear: error < 1e-4 && single! < 1e-2 }).toEqual({ name, error, isNear: true });
    }
  });
});
