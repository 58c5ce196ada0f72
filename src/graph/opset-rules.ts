import type { NodeProto } from "../formats/onnx.js";
import type { DType } from "../tensor/tensor.js";
import {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  removeAttributes,
  setAttribute,
  stringAttribute,
} from "./node.js";

/** What a rule may ask and do besides changing its node. */
export interface RaiseContext {
  /** Whether any node reads a value, or a graph puts it out. */
  isUsed(name: string): boolean;
  /** Rank of a value where the file states it. */
  rankOf(name: string): number | undefined;
  /** Values of a float constant, where a name stands for one. */
  floatsOf(name: string): readonly number[] | undefined;
  /** Adds an int64 vector to the node's graph and returns its name. */
  ints(hint: string, values: readonly bigint[]): string;
  /** Adds a float32 vector; the name is returned. */
  floats(hint: string, values: readonly number[]): string;
  /** Adds a scalar of the element type of value `like`; refuses where that can be more than one. */
  scalarLike(like: string, hint: string, value: number): string;
  /** A name no value of the model has. */
  fresh(hint: string): string;
  make(
    opType: string,
    input: readonly string[],
    output: readonly string[],
    attributes?: Record<string, number | string>,
  ): NodeProto;
  /** Element type of a value, where the file states it. */
  dtypeOf(name: string): DType | undefined;
  /** Ends the raise: this node cannot keep its meaning. */
  refuse(why: string): never;
}

/** How an operator must change when the default opset passes `since`. */
export interface OpsetRule {
  readonly opType: string;
  /** The version whose definition is incompatible with the ones before it. */
  readonly since: number;
  /** Changes the node in place, or returns the nodes that take its place. */
  raise(node: NodeProto, context: RaiseContext): readonly NodeProto[] | undefined;
}

/** Moves a list-of-ints attribute to input number `slot`. */
function intsToInput(attribute: string, slot: number) {
  return (node: NodeProto, { ints }: RaiseContext): undefined => {
    const values = intsAttribute(node, attribute);
    if (!values) return;
    removeAttributes(node, attribute);
    setInput(node, slot, ints(attribute, values));
  };
}

/** Sets an input, filling optional ones before it with the empty name. */
function setInput(node: NodeProto, slot: number, name: string): void {
  while (node.input.length <= slot) node.input.push("");
  node.input[slot] = name;
}

/**
 * Up to opset 12 the input is flattened to two dimensions at `axis` (default 1) first; from 13 on only `axis`
 * (default -1) counts. Both agree on the last axis. (A tensor without elements cannot take the long way round:
 * Reshape learns to keep zeros only with opset 14.)
 */
function softmax(node: NodeProto, context: RaiseContext): readonly NodeProto[] | undefined {
  const axis = intAttribute(node, "axis", 1);
  const [input, output] = [node.input[0]!, node.output[0]!];
  if (axis === -1 || context.rankOf(input) === axis + 1) {
    setAttribute(node, "axis", -1);
    return undefined;
  }
  const [shape, flat, result] = ["shape", "flat", "flat_result"].map((part) => context.fresh(`${output}_${part}`));
  node.input = [flat!];
  node.output = [result!];
  setAttribute(node, "axis", -1);
  return [
    context.make("Shape", [input], [shape!]),
    context.make("Flatten", [input], [flat!], { axis }),
    node,
    context.make("Reshape", [result!, shape!], [output]),
  ];
}

/** Upsample and Resize-10 map pixels "asymmetric"; nearest takes the floor when growing, the ceiling when shrinking. */
function resize(node: NodeProto, context: RaiseContext): undefined {
  let scales = node.input[1];
  const attribute = floatsAttribute(node, "scales");
  if (!scales && attribute) scales = context.floats("scales", attribute);
  if (!scales) return context.refuse("it has no scales");
  const values = attribute ?? context.floatsOf(scales);
  const nearest = stringAttribute(node, "mode", "nearest") === "nearest";
  let rounding = "floor";
  if (nearest && node.opType === "Resize") {
    if (!values) return context.refuse("its scales are computed at run time, and its rounding depends on them");
    if (values.some((scale) => scale < 1)) {
      if (values.some((scale) => scale > 1)) return context.refuse("it shrinks one axis and grows another");
      rounding = "ceil";
    }
  }
  node.opType = "Resize";
  node.input = [node.input[0]!, "", scales];
  removeAttributes(node, "scales");
  setAttribute(node, "coordinate_transformation_mode", "asymmetric");
  if (nearest) setAttribute(node, "nearest_mode", rounding);
}

const reductions = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"].map(
  (kind) => `Reduce${kind}`,
);

/**
 * The operators whose meaning or form changed incompatibly between opset 7 and 21, those of one operator in the order of
 * their versions; all others of that span only gained types, inputs or attributes. Source: ONNX Operators.md and
 * Changelog.md, and the adapters of ONNX's version converter; each row is held against onnxruntime by a test.
 */
export const opsetRules: readonly OpsetRule[] = [
  ...["Softmax", "LogSoftmax", "Hardmax"].map((opType) => ({ opType, since: 13, raise: softmax })),
  { opType: "Squeeze", since: 13, raise: intsToInput("axes", 1) },
  { opType: "Unsqueeze", since: 13, raise: intsToInput("axes", 1) },
  { opType: "ReduceSum", since: 13, raise: intsToInput("axes", 1) },
  { opType: "Split", since: 13, raise: intsToInput("split", 1) },
  {
    opType: "Dropout",
    since: 12,
    raise(node, { isUsed, refuse }) {
      // the mask's type changed with opset 10, and onnxruntime fills it the other way round from 12 on
      if (node.output[1] && isUsed(node.output[1])) return refuse("its mask output, which changed meaning, is used");
      node.output.splice(1);
      removeAttributes(node, "ratio");
      return undefined;
    },
  },
  {
    opType: "Clip",
    since: 11,
    raise(node, { scalarLike }) {
      for (const [slot, bound] of ["min", "max"].entries()) {
        const value = floatAttribute(node, bound, undefined);
        if (value !== undefined) setInput(node, slot + 1, scalarLike(node.input[0]!, bound, value));
      }
      removeAttributes(node, "min", "max");
      return undefined;
    },
  },
  {
    opType: "Pad",
    since: 11,
    raise(node, { ints, scalarLike }) {
      setInput(node, 1, ints("pads", intsAttribute(node, "pads") ?? []));
      const value = floatAttribute(node, "value", 0);
      if (value !== 0) setInput(node, 2, scalarLike(node.input[0]!, "value", value));
      removeAttributes(node, "pads", "value");
      return undefined;
    },
  },
  {
    opType: "Scatter",
    since: 11,
    raise(node) {
      node.opType = "ScatterElements";
      return undefined;
    },
  },
  { opType: "Resize", since: 11, raise: resize },
  { opType: "Upsample", since: 10, raise: resize },
  {
    opType: "Slice",
    since: 10,
    raise(node, { ints }) {
      for (const [slot, name] of ["starts", "ends", "axes"].entries()) {
        const values = intsAttribute(node, name);
        if (values) setInput(node, slot + 1, ints(name, values));
      }
      removeAttributes(node, "starts", "ends", "axes");
      return undefined;
    },
  },
  {
    opType: "TopK",
    since: 10,
    raise(node, { ints }) {
      setInput(node, 1, ints("k", [BigInt(intAttribute(node, "k", 1))]));
      removeAttributes(node, "k");
      return undefined;
    },
  },
  {
    opType: "BatchNormalization",
    since: 9,
    raise(node, { refuse }) {
      if (intAttribute(node, "spatial", 1) !== 1) return refuse("it normalises per activation (spatial = 0)");
      removeAttributes(node, "spatial");
      return undefined;
    },
  },
  ...["Affine", "Crop", "DynamicSlice", "ImageScaler", "ParametricSoftplus", "Scale", "ScaledTanh"].map((opType) => ({
    opType,
    since: 10,
    raise: (_: NodeProto, { refuse }: RaiseContext) => refuse("ONNX dropped this experimental operator"),
  })),
  {
    opType: "MeanVarianceNormalization",
    since: 9,
    raise(node, { refuse }) {
      const old = ["across_channels", "normalize_variance"];
      return node.attribute.some(({ name }) => old.includes(name)) ? refuse("its attributes were replaced") : undefined;
    },
  },
  {
    opType: "Scan",
    since: 9,
    raise: (_, { refuse }) => refuse("the Scan of opset 8 works on batches and has no successor"),
  },
  ...reductions.map((opType) => ({ opType, since: 18, raise: intsToInput("axes", 1) })),
  {
    opType: "Split",
    since: 18,
    raise(node) {
      // equal parts have to be counted from here on
      if (!node.input[1]) setAttribute(node, "num_outputs", node.output.length);
      return undefined;
    },
  },
  {
    opType: "BatchNormalization",
    since: 14,
    raise: (node, { refuse }) => (node.output.length > 1 ? refuse("it is in training mode") : undefined),
  },
  {
    opType: "RoiAlign",
    since: 16,
    raise(node) {
      setAttribute(node, "coordinate_transformation_mode", "output_half_pixel");
      return undefined;
    },
  },
  {
    opType: "AveragePool",
    since: 19,
    raise(node, { refuse }) {
      // windows that hang over the edge are divided by another count since
      const both = intAttribute(node, "ceil_mode", 0) === 1 && intAttribute(node, "count_include_pad", 0) === 1;
      return both ? refuse("it counts padding in windows that hang over the edge (ceil_mode)") : undefined;
    },
  },
  {
    opType: "GridSample",
    since: 20,
    raise(node) {
      const mode = stringAttribute(node, "mode", "bilinear");
      if (mode === "bilinear") setAttribute(node, "mode", "linear");
      if (mode === "bicubic") setAttribute(node, "mode", "cubic");
      return undefined;
    },
  },
  {
    opType: "DFT",
    since: 20,
    raise: (_, { refuse }) => refuse("its axis became an input and counts from the other end"),
  },
  {
    opType: "GroupNormalization",
    since: 21,
    // scale and bias went from one per group to one per channel: with groups for channels it is another operator's affair
    raise(node, { dtypeOf, fresh, ints, make, refuse }) {
      const [x, scale, bias] = node.input as [string, string, string];
      if (dtypeOf(scale) === "float16") return refuse("its scale and bias are one per group, in float16");
      const groups = intAttribute(node, "num_groups", 1);
      const [shape, grouped, normed] = [fresh(`${x}_shape`), fresh(`${x}_groups`), fresh(`${x}_normed`)];
      const norm = make("InstanceNormalization", [grouped, scale, bias], [normed]);
      setAttribute(norm, "epsilon", { float: floatAttribute(node, "epsilon", 1e-5) });
      return [
        make("Shape", [x], [shape]),
        make("Reshape", [x, ints("groups", [0n, BigInt(groups), -1n])], [grouped]),
        norm,
        make("Reshape", [normed, shape], [node.output[0]!]),
      ];
    },
  },
];
