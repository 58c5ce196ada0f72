import { expect, test } from "@jest/globals";
import { createBuilder, type Value } from "../../src/graph/builder.js";
import { productsIn, threadsFor } from "../../src/train/work.js";
import { plainNames } from "./small-network.js";

test("counts the products of matrices and convolutions, and gives small steps one thread", () => {
  const b = createBuilder(plainNames());
  const value = (name: string, ...shape: number[]): Value => ({ name, dtype: "float32", shape });
  const [x, w, v] = [value("x", 5, 3), value("w", 3, 7), value("v", 5, 7)];
  const [image, kernel] = [value("image", 2, 4, 6, 6), value("kernel", 8, 2, 3, 3)];
  b.map("Relu", b.matmul(x, w));
  b.matmul(x, v, { transX: true });
  b.op("Conv", [image, kernel], { dtype: "float32", shape: [2, 8, 4, 4] }, { group: 2 });
  const given = [x, w, v, image, kernel].map((one) => [one.name, one] as const);
  const products = productsIn({ nodes: b.nodes, values: new Map([...b.values, ...given]) });
  expect(products).toBe(5 * 3 * 7 + 3 * 5 * 7 + 2 * 8 * 4 * 4 * 2 * 3 * 3);
  expect(threadsFor(products, 8)).toBe(1);
  expect(threadsFor(1e9, 8)).toBe(8);
});
