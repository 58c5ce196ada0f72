import { readFashion, side, varied } from "./fashion.js";
import { hardLoss, learn } from "./learn.js";

const { train } = readFashion()!;
const { count, label, picture } = varied(train, 20, 1);
const from = "bench-work/train/files/fashion/teacher.onnx";
const to = "bench-work/distil/teacher-moved.onnx";
await learn(
  from,
  to,
  { count, label, row: (at) => new Map([["x", { dtype: "float32", shape: [1, 1, side, side], data: picture(at) }]]) },
  hardLoss,
  { steps: 6000, batchSize: 64, rate: 1e-3, threads: 1, seed: 1 },
);
console.log("done");
