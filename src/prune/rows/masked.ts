import { makeTensor } from "../../formats/onnx.js";
import { copy } from "../../graph/clone.js";
import { makeNode } from "../../graph/node.js";
import type { MaskAt, Row } from "../row.js";

/** Axes by the number of the input or output; from the end where negative. */
export type AxesOf = Readonly<Record<number, number>>;

/**
 * A node that sees only the kept indices of these axes of its inputs, and whose outputs get their length back: what stands
 * at the other indices is that of some kept one.
 */
export function withKeptOnly({ node, labels, kept, fresh }: MaskAt, inputs: AxesOf, outputs: AxesOf): MaskedForm {
  const indices = (base: string, of: readonly number[]) =>
    makeTensor(fresh(base), { dtype: "int64", shape: [of.length], data: BigInt64Array.from(of, BigInt) });
  const places = new Map(kept.map((index, at) => [index, at]));
  const taken = indices(`${node.output[0]}_kept`, kept);
  const back = indices(
    `${node.output[0]}_back`,
    [...labels.keys()].map((index) => places.get(index) ?? 0),
  );
  const small = copy(node);
  const gather = (from: string, by: string, to: string, axis: number) =>
    makeNode("Gather", "", [from, by], [to], { axis });
  const before = Object.entries(inputs).flatMap(([position, axis]) => {
    const name = node.input[Number(position)];
    if (!name) return [];
    small.input[Number(position)] = fresh(`${name}_kept`);
    return [gather(name, taken.name, small.input[Number(position)]!, axis)];
  });
  const after = Object.entries(outputs).flatMap(([position, axis]) => {
    const name = node.output[Number(position)];
    if (!name) return [];
    small.output[Number(position)] = fresh(`${name}_kept`);
    return [gather(small.output[Number(position)]!, back.name, name, axis)];
  });
  return { nodes: [...before, small, ...after], initializers: [taken, back] };
}

type MaskedForm = ReturnType<NonNullable<Row["masked"]>>;
