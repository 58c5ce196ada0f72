import { graphsOf } from "../../formats/onnx.js";
import { sortNodes } from "../check.js";
import { counted, type Pass } from "./pass.js";

/** Nodes that stand before those whose values they read are moved behind them, as ONNX asks. */
export const orderPass: Pass = {
  name: "order",
  words: (changes) => `the nodes of ${counted(changes, "graph")} put in order`,
  run: (model) => sortNodes(graphsOf(model.graph!)),
};
