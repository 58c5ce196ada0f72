import { type ModelProto, makeTensor, type NodeProto, type ReadExternal, readTensor } from "../../formats/onnx.js";
import { cloneModel } from "../../graph/clone.js";
import { freshNames } from "../../graph/names.js";
import { intAttribute, isStandard } from "../../graph/node.js";
import type { FoldedNorm } from "../../graph/normalise/pass.js";
import { viewModel } from "../../graph/scope.js";
import { numbersOf } from "../../tensor/numbers.js";
import { elementCount } from "../../tensor/tensor.js";
import { batchStatisticsOf } from "../../train/decompose/batch-normalization.js";
import type { ParameterKind } from "../../train/graph.js";
import type { RunningStatistics } from "../../train/prepare.js";
import { startNodes } from "./fake-quantize.js";
import type { Twin } from "./twin.js";

type Parameters = ReadonlyMap<string, { readonly data: Float32Array }>;

/** A twin whose BatchNormalizations are alive: its weights are folded anew at each step. */
export interface LiveNorms {
  /** As it is measured and exported: weights times the gain over the running deviation, then rounded. */
  readonly model: ModelProto;
  /** The same weights, but behind each the statistics of the batch, which move the running ones. */
  readonly early: ModelProto;
  readonly statistics: readonly RunningStatistics[];
  /** What changes beside weights and biases, which keep their names; what a bias holds is the shift of its norm. */
  readonly kinds: ReadonlyMap<string, ParameterKind>;
  readonly count: number;
  /** Puts what the running variances came to into the factors of the weights. */
  refresh(parameters: Parameters): void;
  /** Weights and biases of the plain twin that computes the same bit for bit, beside all else; copies. */
  folded(parameters: Parameters): Parameters;
}

/** One of them: names of initializers, and numbers a channel. */
interface LiveNorm {
  readonly weight: string;
  readonly bias: string;
  /** 1 at first. */
  readonly gain: string;
  /** The deviation at first over the running one. */
  readonly factor: string;
  readonly mean: string;
  readonly variance: string;
  readonly epsilon: number;
  readonly deviation: Float64Array;
  /** What the weight was multiplied with when it was folded; 1 where that was 0. */
  readonly scale: Float32Array;
  /** Elements of the weight in a row that are of one channel. */
  readonly inner: number;
}

/**
 * Takes a twin apart again where a BatchNormalization was folded into a weight that is rounded, as ConvBn of torch.ao has
 * it: what is rounded is w * gamma / sqrt(running variance + epsilon); its products are divided by that factor and
 * normalised by the batch. Gamma trains as a gain on what it was, so that no channel changes its sign, and one that was
 * switched off stays so. Undefined where nothing can be taken apart.
 */
export function liveNorms(
  twin: Twin,
  base: ModelProto,
  norms: ReadonlyMap<string, FoldedNorm>,
  trained: ReadonlySet<string>,
  readExternal: ReadExternal,
): LiveNorms | undefined {
  const model = cloneModel(twin.model);
  const graph = model.graph!;
  const { root, usesOf } = viewModel(base);
  const stored = new Map(base.graph!.initializer.map((tensor) => [tensor.name, tensor]));
  const readers = new Map(graph.node.map((node) => [node.input[1] ?? "", node]));
  const work = startNodes(freshNames(model));
  const lives: LiveNorm[] = [];
  const products: {
    readonly node: NodeProto;
    readonly live: LiveNorm;
    readonly divisor: string;
    readonly scale: string;
  }[] = [];
  const renamed = new Map<string, string>();
  const kinds = new Map<string, ParameterKind>();
  const begin = new Map<string, Float32Array>();
  const add = (name: string, kind: ParameterKind, data: Float32Array): string => {
    kinds.set(name, kind);
    begin.set(name, data);
    return name;
  };
  for (const { name: weight, rounded } of twin.weights) {
    const norm = norms.get(weight);
    const [use, another] = usesOf(root, weight);
    const bias = use?.node.input[2];
    if (!norm || !use || another || !bias || !trained.has(weight) || !trained.has(bias)) continue;
    const layout = channelLayout(use.node, stored.get(weight)!.dims.map(Number));
    const node = readers.get(rounded);
    // what reads a bias twice is no shift of one norm; a product that became something else has no place for it
    if (!layout || usesOf(root, bias).length !== 1 || node?.opType !== use.node.opType || !node.input[2]) continue;
    const deviation = norm.variance.map((variance) => Math.sqrt(variance + norm.epsilon));
    const scale = Float32Array.from(norm.scale, (one, at) => one / deviation[at]! || 1);
    const shift = Float32Array.from(norm.shift);
    const present = numbersOf(readTensor(stored.get(bias)!, readExternal));
    // running statistics give just the bias there is, corrected as it may be; what is switched off makes zeros
    const mean = shift.map((one, at) => (norm.scale[at] === 0 ? 0 : (one - present[at]!) / scale[at]!));
    const own = (hint: string, kind: ParameterKind, data: Float32Array) =>
      add(work.fresh(`${weight}_${hint}`), kind, data);
    const live: LiveNorm = {
      weight,
      bias,
      gain: own("gain", "norm", new Float32Array(shift.length).fill(1)),
      factor: own("factor", "statistic", new Float32Array(shift.length).fill(1)),
      mean: own("mean", "statistic", mean),
      variance: own("variance", "statistic", Float32Array.from(norm.variance)),
      epsilon: norm.epsilon,
      deviation,
      scale,
      inner: layout.inner,
    };
    lives.push(live);
    begin.set(bias, shift);
    const channels = [shift.length];
    const constant = (data: Float32Array<ArrayBuffer>) => work.constant({ dtype: "float32", shape: channels, data });
    const ratio = work.put("Mul", [live.gain, live.factor], weight);
    const spread = work.put("Reshape", [ratio, work.ints(layout.weight)], weight);
    renamed.set(weight, work.put("Mul", [weight, spread], weight));
    const divisor = work.put("Mul", [ratio, constant(scale as Float32Array<ArrayBuffer>)], weight);
    renamed.set(bias, work.put("Sub", [bias, work.put("Mul", [divisor, live.mean], bias)], bias));
    products.push({
      ...{ node, live },
      divisor: work.put("Reshape", [divisor, work.ints(layout.output)], weight),
      scale: work.put("Mul", [live.gain, constant(Float32Array.from(norm.scale))], weight),
    });
  }
  if (lives.length === 0) return undefined;
  for (const node of graph.node) node.input = node.input.map((name) => renamed.get(name) ?? name);
  graph.node = [...work.nodes, ...graph.node];
  graph.initializer = [
    ...graph.initializer.map((tensor) => {
      const data = begin.get(tensor.name);
      return data ? makeTensor(tensor.name, { dtype: "float32", shape: tensor.dims.map(Number), data }) : tensor;
    }),
    ...work.initializers,
    ...[...kinds.keys()].map((name) => {
      const data = begin.get(name)!;
      return makeTensor(name, { dtype: "float32", shape: [data.length], data });
    }),
  ];
  const early = cloneModel(model);
  const places = new Map(products.map((product) => [product.node.output[0]!, product]));
  const after = startNodes(freshNames(early));
  early.graph!.node = early.graph!.node.flatMap((node) => {
    const product = places.get(node.output[0]!);
    if (!product) return [node];
    const { live, divisor, scale } = product;
    const [output] = node.output as [string];
    node.input.splice(2);
    node.output = [after.fresh(`${output}_product`)];
    const plain = after.put("Div", [node.output[0]!, divisor], output);
    const inputs = [plain, scale, live.bias, live.mean, live.variance];
    after.put("BatchNormalization", inputs, output, output, { epsilon: { float: live.epsilon } });
    return [node, ...after.nodes.splice(0)];
  });
  return {
    model,
    early,
    statistics: products.map(({ node, live }) => ({
      mean: live.mean,
      variance: live.variance,
      ...batchStatisticsOf(node.output[0]!),
      momentum: norms.get(live.weight)!.momentum,
    })),
    kinds,
    count: lives.length,
    refresh(parameters) {
      for (const { factor, variance, deviation, epsilon } of lives) {
        const [to, from] = [parameters.get(factor)!.data, parameters.get(variance)!.data];
        for (let at = 0; at < to.length; at++) to[at] = deviation[at]! / Math.sqrt(from[at]! + epsilon);
      }
    },
    folded(parameters) {
      const result = new Map([...parameters].map(([name, { data }]) => [name, { data: data.slice() }] as const));
      for (const { weight, bias, gain, factor, mean, scale, inner } of lives) {
        const [gains, factors, means] = [gain, factor, mean].map((name) => parameters.get(name)!.data) as [
          Float32Array,
          Float32Array,
          Float32Array,
        ];
        // as the graph's nodes round: each product to a float32
        const ratio = gains.map((one, at) => one * factors[at]!);
        const weights = result.get(weight)!.data;
        for (let at = 0; at < weights.length; at++) weights[at]! *= ratio[Math.floor(at / inner) % ratio.length]!;
        const biases = result.get(bias)!.data;
        const pulled = ratio.map((one, at) => one * scale[at]!).map((one, at) => one * means[at]!);
        for (let at = 0; at < biases.length; at++) biases[at]! -= pulled[at]!;
        for (const name of [gain, factor, mean]) result.delete(name);
      }
      return result;
    },
  };
}

/** How the channels of a product lie in its weight and its output: shapes that broadcast over them; undefined for others. */
function channelLayout(node: NodeProto, shape: readonly number[]) {
  if (!isStandard(node)) return undefined;
  const axis =
    node.opType === "Conv"
      ? 0
      : node.opType === "ConvTranspose" && intAttribute(node, "group", 1) === 1
        ? 1
        : node.opType === "Gemm"
          ? 1 - intAttribute(node, "transB", 0)
          : undefined;
  if (axis === undefined) return undefined;
  const spread = (place: number) => shape.map((_, at) => (at === place ? shape[axis]! : 1));
  return { weight: spread(axis), output: spread(1), inner: elementCount(shape.slice(axis + 1)) };
}

/**
 * Norms as they are for a model whose channels were scaled since they were folded: by what factor, the biases tell.
 * `model` has its biases not corrected yet.
 */
export function scaledNorms(
  norms: ReadonlyMap<string, FoldedNorm>,
  model: ModelProto,
  readExternal: ReadExternal,
): ReadonlyMap<string, FoldedNorm> {
  const { root, usesOf } = viewModel(model);
  const stored = new Map(model.graph!.initializer.map((tensor) => [tensor.name, tensor]));
  return new Map(
    [...norms].map(([weight, norm]) => {
      const tensor = stored.get(usesOf(root, weight)[0]?.node.input[2] ?? "");
      if (!tensor) return [weight, norm];
      const present = numbersOf(readTensor(tensor, readExternal));
      const { scale, shift, mean, variance, epsilon } = norm;
      const factors = shift.map((one, at) => {
        const pulled = (mean[at]! * scale[at]!) / Math.sqrt(variance[at]! + epsilon);
        const before = one - pulled;
        const factor = present[at]! / before;
        // a difference of almost nothing tells nothing; the running statistics find it by themselves
        const tells = Math.abs(before) > 1e-4 * (Math.abs(one) + Math.abs(pulled)) && factor > 0;
        return tells && Math.abs(factor - 1) > 1e-4 ? factor : 1;
      });
      const times = (numbers: Float64Array) => numbers.map((one, at) => one * factors[at]!);
      return [weight, { ...norm, scale: times(scale), shift: times(shift) }];
    }),
  );
}
