import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type GraphBuilder, type Value } from "../../src/graph/builder.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { gradient } from "../../src/train/gradient.js";
import { plainNames } from "./small-network.js";

const float = (values: readonly number[]): Tensor => ({
  dtype: "float32",
  shape: [values.length],
  data: Float32Array.from(values),
});

/** The gradient at x of the sum of what `write` makes of it, and other values that are fetched beside it. */
async function gradientAt(
  elements: readonly number[],
  write: (b: GraphBuilder, x: Value) => readonly Value[],
): Promise<{ readonly gradient: readonly number[] | undefined; readonly values: readonly Tensor[] }> {
  const fresh = plainNames();
  const b = createBuilder(fresh);
  const x: Value = { name: fresh("x"), dtype: "float32", shape: [elements.length] };
  const [y, ...more] = write(b, x);
  const loss = b.reduce("ReduceSum", y!, undefined, false);
  const graph = { nodes: [], values: new Map([["x", x]]), constants: new Map(), inputs: [x], outputs: [] };
  const found = gradient(graph, loss, ["x"], b).get("x");
  const outputs = [loss, ...more, ...(found ? [found] : [])];
  const model = assembleModel({ nodes: b.nodes, initializers: b.initializers, inputs: [x], outputs });
  const session = await openSession(encodeModel(model));
  const results = await session.run(new Map([["x", float(elements)]]));
  await session.close();
  return {
    gradient: found && [...(results.get(found.name)!.data as Float32Array)],
    values: more.map(({ name }) => results.get(name)!),
  };
}

describe("gradients where differences say nothing", () => {
  test.each(["Round", "Floor", "Ceil"])("%s is taken for the identity", async (op) => {
    const { gradient } = await gradientAt([-1.2, 0.4, 2.6], (b, x) => [b.mul(b.map(op, x), 3)]);
    expect(gradient).toEqual([3, 3, 3]);
  });

  test("Mod and Sign pass nothing on, and what stands beside them its own", async () => {
    const { gradient } = await gradientAt([-1.2, 0.4, 2.6], (b, x) => [
      b.add(b.add(b.op("Mod", [x, b.scalar(1)], x, { fmod: 1 }), b.map("Sign", x)), b.mul(x, 5)),
    ]);
    expect(gradient).toEqual([5, 5, 5]);
  });

  test("a loss that depends on a value through integers alone has no gradient of it", async () => {
    const { gradient } = await gradientAt([-1.2, 0.4], (b, x) => [b.cast(b.cast(x, "int32"), "float32")]);
    expect(gradient).toBeUndefined();
  });

  test("quantizing and dequantizing pass on what lies in the range of the integers", async () => {
    const { gradient } = await gradientAt([-3, -0.52, 0.4, 12.26, 12.3], (b, x) => {
      const zero = b.constant({ dtype: "uint8", shape: [], data: Uint8Array.of(10) });
      const [scale, { shape }] = [b.scalar(0.05), x];
      const q = b.op("QuantizeLinear", [x, scale, zero], { dtype: "uint8", shape });
      return [b.op("DequantizeLinear", [q, scale, zero], { dtype: "float32", shape })];
    });
    // from 0.05 (0 - 10) to 0.05 (255 - 10), and half a step more that rounds to the ends
    expect(gradient).toEqual([0, 1, 1, 1, 0]);
  });

  test("Dropout passes on what it keeps, scaled as it scales", async () => {
    const elements = Array.from({ length: 40 }, () => 1);
    const { gradient, values } = await gradientAt(elements, (b, x) => {
      const training = b.constant({ dtype: "bool", shape: [], data: Uint8Array.of(1) });
      const forms = [x, { dtype: "bool" as const, shape: x.shape }];
      return b
        .node("Dropout", [x, b.scalar(0.75), training], forms, { seed: 3 })
        .slice(0, 1)
        .flatMap((y) => [y, y]);
    });
    // x is 1 everywhere, so that the output is the gradient
    expect(gradient).toEqual([...(values[0]!.data as Float32Array)]);
    expect(new Set(gradient)).toEqual(new Set([0, 4]));
  });
});

describe("what has no gradient is refused by name", () => {
  const refusal = (write: (b: GraphBuilder, x: Value) => readonly Value[]) => gradientAt([1, 2], write);

  test("an operator without a rule", async () => {
    await expect(
      refusal((b, x) => [
        b.node("Det", [b.reshape(b.concat([x, x], 0), [2, 2])], [{ dtype: "float32", shape: [] }])[0]!,
      ]),
    ).rejects.toThrow(/^node Det_node \(Det\): this operator has no gradient here/);
  });

  test("statistics of a norm that are used", async () => {
    await expect(
      refusal((b, x) => {
        const scale = b.constant(float([1, 1]));
        const one = { dtype: "float32" as const, shape: [1] };
        const [y, mean] = b.node("LayerNormalization", [x, scale, undefined], [x, one]);
        return [b.add(y!, mean!)];
      }),
    ).rejects.toThrow("node LayerNormalization_node (LayerNormalization): no gradient: its statistics are used");
  });

  test("an equation with the same letter twice in one operand", async () => {
    await expect(
      refusal((b, x) => {
        const square = b.mul(b.reshape(x, [2, 1]), x);
        return [b.op("Einsum", [square], { dtype: "float32", shape: [2] }, { equation: "ii->i" })];
      }),
    ).rejects.toThrow('no gradient: the equation "ii->i"');
  });
});
