import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type Value } from "../../src/graph/builder.js";
import { gradient } from "../../src/train/gradient.js";
import type { TrainingGraph } from "../../src/train/graph.js";
import { differentiableOperators } from "../../src/train/rules/index.js";

describe("gradient", () => {
  test("of a small network with a broadcast bias that is used twice", async () => {
    const taken = new Set<string>();
    const b = createBuilder((base) => {
      let name = base;
      for (let at = 1; taken.has(name); at++) name = `${base}_${at}`;
      taken.add(name);
      return name;
    });
    const x: Value = { name: "x", dtype: "float32", shape: [2, 3] };
    const w: Value = { name: "w", dtype: "float32", shape: [3, 2] };
    const bias: Value = { name: "bias", dtype: "float32", shape: [2] };
    const graph: TrainingGraph = {
      nodes: [],
      values: new Map([x, w, bias].map((value) => [value.name, value])),
      constants: new Map(),
      inputs: [x],
      outputs: [],
    };
    const hidden = b.map("Relu", b.add(b.matmul(x, w), bias));
    const ones = (shape: readonly number[]) => b.filled(1, { dtype: "float32", shape });
    const loss = b.matmul(b.matmul(ones([1, 2]), b.mul(hidden, bias)), ones([2, 1]));
    const found = gradient(graph, loss, ["w", "bias", "x"], b);
    const outputs = [...found.values()].map((value) => value!);
    const model = assembleModel({ nodes: b.nodes, initializers: b.initializers, inputs: [x, w, bias], outputs });
    const session = await openSession(encodeModel(model));
    const result = await session.run(
      new Map([
        ["x", { dtype: "float32" as const, shape: [2, 3], data: Float32Array.of(1, 2, 3, -1, 0.5, 2) }],
        ["w", { dtype: "float32" as const, shape: [3, 2], data: Float32Array.of(1, 0, 0, 1, -1, 1) }],
        ["bias", { dtype: "float32" as const, shape: [2], data: Float32Array.of(0.5, 2) }],
      ]),
    );
    await session.close();
    // by hand: before Relu [[-1.5, 7], [-2.5, 4.5]], so only the second column passes
    const read = (name: string) => [...(result.get(found.get(name)!.name)!.data as Float32Array)];
    expect(read("w")).toEqual([0, 0, 0, 5, 0, 10]);
    expect(read("bias")).toEqual([0, 11.5 + 4]);
    expect(read("x")).toEqual([0, 2, 2, 0, 2, 2]);
  });
  test("has no rule that no test names", async () => {
    const folder = new URL("./", import.meta.url);
    const files = (await readdir(folder)).filter((name) => name.endsWith(".test.ts"));
    const text = (await Promise.all(files.map((name) => readFile(new URL(name, folder), "utf8")))).join("\n");
    expect(differentiableOperators().filter((operator) => !text.includes(`"${operator}"`))).toEqual([]);
  });
});
