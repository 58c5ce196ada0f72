import { describe, expect, test } from "@jest/globals";
import { describeOutputs } from "../../src/distill/outputs.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type Value } from "../../src/graph/builder.js";
import { raiseOpset } from "../../src/graph/opset.js";

const shape = [2, 3, 5];
const logits: Value = { name: "logits", dtype: "float32", shape };

/** logits -> softmax along `axis` as a model of opset 11 has it, raised to 21. */
function raised(axis: number) {
  const taken = new Map<string, number>();
  const b = createBuilder((base) => {
    const count = taken.get(base) ?? 0;
    taken.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  });
  b.node("Softmax", [logits], [logits], { axis }, { names: ["y"] });
  const model = assembleModel({ nodes: b.nodes, initializers: [], inputs: [], outputs: [{ ...logits, name: "y" }] });
  // a value whose rank the file does not say, as behind most nodes
  for (const output of model.graph!.output) delete output.type;
  model.opsetImport[0]!.version = 11n;
  raiseOpset(model, "model", 21, () => {
    throw new Error("no files");
  });
  return model;
}

describe("describeOutputs", () => {
  test("finds the logits of a softmax that raising the opset has flattened", () => {
    const model = raised(2);
    expect(model.graph!.node.map(({ opType }) => opType)).toEqual(["Shape", "Flatten", "Softmax", "Reshape"]);
    expect(describeOutputs(model, new Map([["y", shape]]), undefined)).toEqual([
      { name: "y", value: "logits", kind: "classes", axis: 2, shape },
    ]);
  });

  test.each([
    [[3, 1, 0], "y"],
    [[9, 0, 1], "wide"],
    // as many labels as positions
    [[[0, 1, 0]], "places"],
    // none fits: what is wrong is told of the first
    [[99], "z"],
  ])("labels %j are for the output that they fit", (labels, name) => {
    const output = (own: string, ...sizes: number[]): Value => ({ name: own, dtype: "float32", shape: sizes });
    const outputs = [output("z", 1, 16), output("y", 1, 4), output("wide", 1, 10), output("places", 1, 3, 2)];
    const model = assembleModel({ nodes: [], initializers: [], inputs: [], outputs });
    const found = describeOutputs(model, new Map(outputs.map((one) => [one.name, one.shape])), labels);
    expect(found.map((one) => [one.name, one.kind, one.labelled === true])).toEqual(
      outputs.map((one) => [one.name, one.name === name ? "classes" : "values", one.name === name]),
    );
  });

  test("sees no classes where the flattened softmax ran over two axes", () => {
    expect(describeOutputs(raised(1), new Map([["y", shape]]), undefined)).toMatchObject([
      { kind: "values", value: "y" },
    ]);
  });
});
