import { intAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { broadcastAxes } from "./elementwise.js";

/** A [..., n, k] B [..., k, m]; either may be a vector [k]. `flipped` tells which factor has its last two axes swapped. */
function product(at: NodeAt, flipped: { readonly a: boolean; readonly b: boolean }): readonly Axis[] {
  const [a, b] = [at.required(0), at.required(1)];
  const [p, q] = [a.shape.length, b.shape.length];
  const summed = [p - (flipped.a && p > 1 ? 2 : 1), q - (flipped.b || q === 1 ? 1 : 2)] as const;
  at.contracts({ input: 0, axis: summed[0] }, { input: 1, axis: summed[1] });
  const batch = broadcastAxes(at, [
    { shape: a.shape.slice(0, -2), axes: a.axes.slice(0, -2) },
    { shape: b.shape.slice(0, -2), axes: b.axes.slice(0, -2) },
  ]);
  const rows = p === 1 ? [] : [a.axes[2 * p - 3 - summed[0]]!];
  const columns = q === 1 ? [] : [b.axes[2 * q - 3 - summed[1]]!];
  return [...batch, ...rows, ...columns];
}

const matMul: Row = { axes: (at) => [product(at, { a: false, b: false })] };

/** With factors that may be transposed, and a factor before it. */
const fusedMatMul: Row = {
  axes(at) {
    const on = (name: string) => intAttribute(at.node, name, 0) === 1;
    if (on("transBatchA") || on("transBatchB")) throw new NotFollowed("its batches are transposed");
    return [product(at, { a: on("transA"), b: on("transB") })];
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

export const matrix: Rows = {
  MatMul: matMul,
  Gemm: gemm,
  "com.microsoft:FusedMatMul": fusedMatMul,
  "com.microsoft:FusedGemm": gemm,
};
