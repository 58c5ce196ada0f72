import { type GraphProto, makeTensor, type NodeProto, readTensor, type TensorProto } from "../formats/onnx.js";
import type { FreshName } from "../graph/names.js";
import { isStandard, makeNode } from "../graph/node.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { NewSize } from "./computed-sizes.js";

const nothingElsewhere = (): never => {
  throw new Error("sizes are held by the model");
};

/** A node of the model that is being mended, and the graph it lies in. */
export interface SizeReader {
  readonly graph: GraphProto;
  readonly node: NodeProto;
  readonly fresh: FreshName;
  /** How long the vector `name` is, for one of the model as it was. */
  lengthOf(name: string): number | undefined;
  /** Elements of a stored constant of the model as it was. */
  constant(name: string): Tensor | undefined;
}

/**
 * Changes element `at` of the vector of `length` sizes that a node reads, by a vector of its own: what other nodes read
 * stays as it is.
 */
export function setComputedSize(
  { graph, node, fresh, lengthOf, constant }: SizeReader,
  input: number,
  length: number,
  at: number,
  size: NewSize,
): void {
  const name = node.input[input]!;
  const store = (values: readonly number[]): string => {
    const stored = fresh(`${name}_size`);
    graph.initializer.push(
      makeTensor(stored, { dtype: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) }),
    );
    return stored;
  };
  const storedOf = new Map<string, TensorProto>(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const pieceLength = (piece: string) =>
    storedOf.has(piece) ? elementCount(storedOf.get(piece)!.dims.map(Number)) : lengthOf(piece);
  const maker = graph.node.find(({ output }) => output[0] === name);
  const given = maker && isStandard(maker) && maker.opType === "Concat" ? maker.input : [name];
  const pieces = given.every((piece) => pieceLength(piece) !== undefined) ? given : [name];
  const added: NodeProto[] = [];
  const make = (operator: string, inputs: readonly string[], attributes = {}): string => {
    const made = fresh(`${name}_${operator.toLowerCase()}`);
    added.push(makeNode(operator, fresh(made), inputs, [made], attributes));
    return made;
  };
  const part = (piece: string, from: number, to: number): string => {
    return make("Slice", [piece, store([from]), store([to]), store([0])]);
  };
  // a name that the model did not have is of an earlier change
  const constantOf = (piece: string): Tensor | undefined => {
    const stored = lengthOf(piece) === undefined ? storedOf.get(piece) : undefined;
    return stored ? readTensor(stored, nothingElsewhere) : constant(piece);
  };
  const whole = typeof size === "number" ? constantOf(name) : undefined;
  if (whole) {
    node.input[input] = store(
      Array.from(whole.data as BigInt64Array, (value, index) => (index === at ? Number(size) : Number(value))),
    );
    return;
  }
  let first = 0;
  const parts = pieces.flatMap((piece) => {
    const count = pieces.length === 1 && piece === name ? length : pieceLength(piece)!;
    const place = at - first;
    first += count;
    if (place < 0 || place >= count) return [piece];
    const known = constantOf(piece);
    if (known && typeof size === "number") {
      return [
        store(Array.from(known.data as BigInt64Array, (value, index) => (index === place ? size : Number(value)))),
      ];
    }
    const one = (): string => (count === 1 ? piece : part(piece, place, place + 1));
    const element =
      typeof size === "number"
        ? store([size])
        : make("Mul", [make("Div", [one(), store([size.over])]), store([size.times])]);
    return [
      ...(place > 0 ? [part(piece, 0, place)] : []),
      element,
      ...(place < count - 1 ? [part(piece, place + 1, count)] : []),
    ];
  });
  node.input[input] = make("Concat", parts, { axis: 0 });
  graph.node.splice(graph.node.indexOf(node), 0, ...added);
  // a vector that an earlier change made is read by this node alone
  if (maker && pieces === given && lengthOf(name) === undefined) graph.node.splice(graph.node.indexOf(maker), 1);
}
