import { intAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { NotFollowed, type Row, type Rows } from "../row.js";
import { broadcastAxes } from "./elementwise.js";

/** A [..., n, k] B [..., k, m]. */
const matMul: Row = {
  axes(at) {
    const [a, b] = [at.required(0), at.required(1)];
    const [p, q] = [a.shape.length, b.shape.length];
    if (p < 2 || q < 2) throw new NotFollowed("a factor has one axis");
    at.contracts({ input: 0, axis: p - 1 }, { input: 1, axis: q - 2 });
    const batch = broadcastAxes(at, [
      { shape: a.shape.slice(0, -2), axes: a.axes.slice(0, -2) },
      { shape: b.shape.slice(0, -2), axes: b.axes.slice(0, -2) },
    ]);
    return [[...batch, a.axes[p - 2]!, b.axes[q - 1]!]];
  },
};

const gemm: Row = {
  axes(at) {
    const [a, b, c] = [at.required(0), at.required(1), at.input(2)];
    const [transA, transB] = [intAttribute(at.node, "transA", 0), intAttribute(at.node, "transB", 0)];
    at.contracts({ input: 0, axis: transA ? 0 : 1 }, { input: 1, axis: transB ? 1 : 0 });
    const axes: readonly Axis[] = [a.axes[transA ? 1 : 0]!, b.axes[transB ? 0 : 1]!];
    if (!c) return [axes];
    return [broadcastAxes(at, [{ shape: at.outputShape(0), axes }, c])];
  },
};

export const matrix: Rows = { MatMul: matMul, Gemm: gemm };
