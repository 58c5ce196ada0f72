import { ints, normal, testGradients } from "./finite-differences.js";

testGradients("reductions", [
  { op: "ReduceSum", note: "axis kept", inputs: [normal([2, 3, 4]), ints([1])] },
  { op: "ReduceSum", note: "axes gone", inputs: [normal([2, 3, 4]), ints([0, -1])], attributes: { keepdims: 0 } },
  { op: "ReduceMean", note: "all axes", inputs: [normal([2, 3, 4])] },
]);
