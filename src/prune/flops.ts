import type { NodeProto } from "../formats/onnx.js";
import { intAttribute, intsAttribute, stringAttribute } from "../graph/node.js";
import { operatorOf } from "./node-names.js";
import type { AxedValue } from "./row.js";
import { einsumTerms } from "./rows/einsum.js";
import type { Structure } from "./structure.js";

/** A product: a fixed part times the lengths of axes. */
export interface Term {
  readonly fixed: number;
  readonly axes: readonly Int32Array[];
}

/** The length of an axis: a number where nothing of it can go. */
type Length = number | Int32Array;

export function termOf(factors: readonly Length[], fixed = 1): Term {
  return {
    fixed: factors.reduce<number>(
      (product, factor) => (typeof factor === "number" ? product * factor : product),
      fixed,
    ),
    axes: factors.filter((factor) => typeof factor !== "number"),
  };
}

/** A node and the values it reads and puts out, as far as their shapes are known. */
interface NodeValues {
  readonly node: NodeProto;
  readonly inputs: readonly (AxedValue | undefined)[];
  readonly y: AxedValue;
}

/** Products that a node sums, in FLOPs: 2 for each. */
type Products = (values: NodeValues) => readonly Term[];

/** Products that the nodes of a model sum, in FLOPs. */
export function productsOf({ view, axedValue }: Structure): readonly Term[] {
  return view.scopes.flatMap((scope) =>
    scope.graph.node.flatMap((node): readonly Term[] => {
      // with an activation or a factor, what is summed is the same
      const products = operators[operatorOf(node).replace(/^com\.microsoft:Fused/, "")];
      if (!products) return [];
      const inputs = node.input.map((name) => (name ? axedValue(scope, name) : undefined));
      const y = node.output[0] ? axedValue(scope, node.output[0]) : undefined;
      return inputs[0] && y ? products({ node, inputs, y }) : [];
    }),
  );
}

const lengthsOf = ({ shape, axes }: AxedValue): readonly Length[] => shape.map((size, at) => axes[at] ?? size);

/** For operators with a second factor. */
const withFactor =
  (products: (x: AxedValue, w: AxedValue, values: NodeValues) => readonly Term[]): Products =>
  (values) => {
    const [x, w] = values.inputs;
    return x && w ? products(x, w, values) : [];
  };

/** W and R are read once a position of a sequence. */
const recurrent = withFactor((x, w, { inputs }) =>
  [w, ...(inputs[2] ? [inputs[2]] : [])].map((weight) =>
    termOf([...lengthsOf(x).slice(0, 2), ...lengthsOf(weight)], 2),
  ),
);

/** Two inputs after the other, each step summing over what neither the rest nor the output has. */
const einsum: Products = ({ node, inputs, y }) => {
  if (inputs.length < 2 || inputs.some((value) => !value)) return [];
  const ranks = inputs.map((value) => value!.shape.length);
  const { inputs: terms, output } = einsumTerms(stringAttribute(node, "equation", ""), ranks, y.shape.length);
  const sizes = new Map<string, Length>();
  terms.forEach((letters, input) => {
    const { shape } = inputs[input]!;
    // one of 1 is repeated
    letters.forEach((letter, at) => {
      if (!sizes.has(letter) || shape[at] !== 1) sizes.set(letter, lengthsOf(inputs[input]!)[at]!);
    });
  });
  const found: Term[] = [];
  let here = new Set(terms[0]);
  for (const [at, letters] of terms.entries()) {
    if (at === 0) continue;
    const both = new Set([...here, ...letters]);
    const later = new Set([...output, ...terms.slice(at + 1).flat()]);
    here = new Set([...both].filter((letter) => later.has(letter)));
    if (here.size < both.size)
      found.push(
        termOf(
          [...both].map((letter) => sizes.get(letter)!),
          2,
        ),
      );
  }
  return found;
};

/** How many keys there are: of this run and of earlier ones, [batch, heads, length, width]. */
function keyCount(key: AxedValue | undefined, past: AxedValue | undefined, own: number): number {
  const here = !key ? own : key.shape.length === 4 ? key.shape[2]! : key.shape[1]!;
  return here + (past?.shape[2] ?? 0);
}

/** softmax(Q K) V by heads, all keys for each query; `past` is the number of the input with earlier keys. */
const attention =
  (past: number): Products =>
  ({ inputs: [query, key, ...others], y }) => {
    const length = y.shape.length === 4 ? y.shape[2]! : y.shape[1]!;
    const keys = keyCount(key, others[past - 2], length);
    // packed ones are as wide as what comes out
    const queries = key && query ? query : y;
    return [termOf([...lengthsOf(queries), keys], 2), termOf([...lengthsOf(y), keys], 2)];
  };

/** With its projections; earlier keys and values are one input, [2, batch, heads, length, width]. */
const projectingAttention = withFactor((x, w, { node, inputs, y }) => {
  const [batch, length] = lengthsOf(x) as [Length, Length];
  const keys = x.shape[1]! + (inputs[4]?.shape[3] ?? 0);
  const width = Number(intsAttribute(node, "qkv_hidden_sizes")?.[0] ?? w.shape[1]! / 3);
  const queries = w.axes[1]?.slice(0, width) ?? width;
  return [
    termOf([...lengthsOf(x), lengthsOf(w)[1]!], 2),
    termOf([batch, length, queries, keys], 2),
    termOf([...lengthsOf(y), keys], 2),
  ];
});

const operators: Readonly<Record<string, Products>> = {
  // every output channel sums over the input channels of its group
  Conv: withFactor((_, w, { y }) => [termOf([...lengthsOf(y), ...lengthsOf(w).slice(1)], 2)]),
  ConvTranspose: withFactor((x, w) => [termOf([...lengthsOf(x), ...lengthsOf(w).slice(1)], 2)]),
  MatMul: withFactor((x, _, { node, y }) => {
    if (x.shape.length === 0) return [];
    const swapped = intAttribute(node, "transA", 0) === 1 && x.shape.length > 1;
    return [termOf([...lengthsOf(y), lengthsOf(x).at(swapped ? -2 : -1)!], 2)];
  }),
  Gemm: withFactor((x, _, { node, y }) => [
    termOf([...lengthsOf(y), lengthsOf(x)[intAttribute(node, "transA", 0) ? 0 : 1]!], 2),
  ]),
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  Einsum: einsum,
  Attention: attention(4),
  "com.microsoft:MultiHeadAttention": attention(6),
  "com.microsoft:GroupQueryAttention": attention(3),
  "com.microsoft:Attention": projectingAttention,
};
