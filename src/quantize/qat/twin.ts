import {
  type ModelProto,
  makeTensor,
  type NodeProto,
  type ReadExternal,
  readTensor,
  type TensorProto,
} from "../../formats/onnx.js";
import { cloneModel } from "../../graph/clone.js";
import { freshNames } from "../../graph/names.js";
import { type ModelView, viewModel } from "../../graph/scope.js";
import { numbersOf } from "../../tensor/numbers.js";
import { dequantizeLinear } from "../../tensor/quantize-linear.js";
import type { QuantizedWeight, Quantizer } from "../../tensor/quantized.js";
import { applyPlan } from "../apply.js";
import type { PlannedTensor, QuantizationPlan } from "../plan.js";
import type { WeightPlan } from "../scheme.js";
import { siteKey, sitesOf } from "../sites.js";
import { applyStatic } from "../static/apply.js";
import { largestBias } from "../static/bias.js";
import type { StoredBias } from "../static/conversions.js";
import type { StaticPlan } from "../static/plan.js";
import type { Weights } from "../weights.js";
import { fakeBias, fakeQuantizeLinear, fakeWeight, type NodeWriter, startNodes, stepLayout } from "./fake-quantize.js";
import { asHalves, holdsHalves, unitsOf } from "./rounding.js";
import { type ScaleOwner, scaleOwners } from "./scale-owners.js";

/** What PTQ makes a quantized model of. */
export interface PtqParts {
  /** The float model, normalised and with its biases corrected; it stays as it is. */
  readonly base: ModelProto;
  readonly plan: QuantizationPlan;
  /** Static quantization of activations, where there is some. */
  readonly activations: StaticPlan | undefined;
  readonly weights: Weights;
  readonly quantizer: Quantizer;
  readonly readExternal: ReadExternal;
}

/** Step sizes in training: a parameter, and the powers of two that it is multiplied with. */
export interface TwinSteps {
  /** The parameter's name. */
  readonly name: string;
  readonly units: Float32Array<ArrayBuffer>;
  /** The scales to begin with. */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** A weight in training: a float parameter under its own name, rounded anew at each step. */
interface TwinWeight {
  readonly name: string;
  /** As PTQ stored it: its form, shape and zero points stay. */
  readonly ptq: QuantizedWeight;
  readonly plan: PlannedTensor & WeightPlan;
  readonly steps: TwinSteps;
  /** The value that the rounded weight is. */
  readonly rounded: string;
}

/** An activation with a scale of its own. */
interface TwinActivation {
  readonly value: string;
  readonly steps: TwinSteps;
}

/** A float model that computes what a quantized one does, rounding included, and what of it can be trained. */
export interface Twin {
  readonly model: ModelProto;
  readonly weights: readonly TwinWeight[];
  readonly activations: readonly TwinActivation[];
  /** Biases that are rounded to 32 bits. */
  readonly biases: readonly StoredBias[];
  /** Tensors that the file holds as float16. */
  readonly halves: readonly string[];
  /** The initializers that may change: floats of the base model, and step sizes. Others belong to what stays as PTQ has it. */
  readonly trainable: ReadonlySet<string>;
}

/**
 * Makes the twin of what PTQ makes of these parts: initializers have their floats again, under their own names; each
 * stored weight is followed by its rounding, and QuantizeLinear and DequantizeLinear become the same arithmetic in
 * floats, so that run operator by operator it equals the quantized file bit for bit. Weights of nested graphs, of
 * other types than float32, and those that are outputs themselves stay as PTQ has them.
 */
export async function makeTwin(parts: PtqParts): Promise<Twin> {
  const { base, plan, activations, weights, quantizer, readExternal } = parts;
  const model = cloneModel(base);
  const tensors = plan.tensors.map(withFloats);
  const applied = await applyPlan(model, { ...plan, tensors }, { quantizer, readExternal, weights });
  const statics = activations && applyStatic(model, activations, readExternal);
  const { root, usesOf } = viewModel(model);
  const sites = new Map(
    sitesOf(viewModel(cloneModel(base))).map((site) => [siteKey(site.scope.path, site.info.name), site]),
  );
  const originals = new Map(base.graph!.initializer.map((tensor) => [tensor.name, tensor]));
  const work = startNodes(freshNames(model));
  const restored = new Set<string>();
  const halves: string[] = [];
  const twinWeights: TwinWeight[] = [];
  const scaleOf = new Map<string, string>();
  const makers = new Map(root.graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const gone = new Set<NodeProto>();
  for (const tensor of applied) {
    const { name } = tensor;
    const maker = makers.get(name);
    if (tensor.storedAs === null || tensor.graph !== root.path || tensor.type !== "float32" || !maker) continue;
    if (root.outputs.has(name)) continue;
    gone.add(maker);
    restored.add(name);
    if (tensor.scheme === "half") {
      halves.push(name);
      continue;
    }
    const own = plan.tensors.find((one) => one.name === name && one.graph === root.path) as PlannedTensor & WeightPlan;
    const ptq = (await weights.quantized(sites.get(siteKey(root.path, name))!, own))!;
    const scales = holdsHalves(own.scheme, ptq) ? asHalves(grownScales(name, ptq)) : grownScales(name, ptq);
    const steps = addSteps(work, name, scales, stepLayout(ptq).steps);
    scaleOf.set(name, steps.scale);
    const rounded = work.fresh(`${name}_rounded`);
    const source = own.transpose ? work.put("Transpose", [name], name, undefined, { perm: [1, 0] }) : name;
    fakeWeight(work, source, steps.scale, ptq, rounded);
    for (const { node, input } of usesOf(root, name)) node.input[input] = rounded;
    twinWeights.push({ name, ptq, plan: own, steps, rounded });
  }
  const head = work.nodes.splice(0);

  const twinActivations: TwinActivation[] = [];
  const owners = activations ? scaleOwners(base, activations) : new Map<string, ScaleOwner>();
  const scaleOfValue = (value: string): string => {
    const found = scaleOf.get(`value ${value}`);
    if (found !== undefined) return found;
    const { from, factor } = owners.get(value)!;
    let scale: string;
    if (from !== value) {
      const source = scaleOfValue(from);
      scale = factor === 1 ? source : work.put("Mul", [source, work.scalar(factor)], value);
    } else {
      const steps = addSteps(work, value, Float32Array.of(activations!.values.get(value)!.scale), []);
      twinActivations.push({ value, steps });
      ({ scale } = steps);
    }
    scaleOf.set(`value ${value}`, scale);
    return scale;
  };
  const biases: StoredBias[] = [];
  const body: NodeProto[] = [];
  for (const node of root.graph.node) {
    if (gone.has(node)) continue;
    const conversion = statics?.converting.get(node);
    const bias = statics?.biases.get(node);
    const before = work.nodes.length;
    if (conversion) {
      const scale = scaleOfValue(conversion.value);
      head.push(...work.nodes.splice(before));
      const { zeroPoint, signed } = activations!.values.get(conversion.value)!;
      const low = (signed ? -128 : 0) - zeroPoint;
      const [source, output] = [node.input[0]!, node.output[0]!];
      if (node.opType === "QuantizeLinear") {
        fakeQuantizeLinear(work, source, scale, { low, high: low + 255 }, output);
      } else {
        const { factor } = conversion;
        const step = factor === 1 ? scale : work.put("Mul", [scale, work.scalar(factor)], output);
        work.put("Mul", [source, step], output, output);
      }
      body.push(...work.nodes.splice(before));
    } else if (bias && scaleOf.has(bias.weight)) {
      const scale = scaleOfValue(bias.input);
      head.push(...work.nodes.splice(before));
      const channels = twinWeights.find(({ name }) => name === bias.weight)!.steps.units.length;
      fakeBias(work, bias.bias, scaleOf.get(bias.weight)!, scale, channels, node.output[0]!);
      body.push(...work.nodes.splice(before));
      biases.push(bias);
      restored.add(bias.bias);
    } else body.push(node);
  }
  root.graph.node = [...head, ...body];
  const { graph } = root;
  graph.initializer = [
    ...graph.initializer.filter(({ name }) => !restored.has(name)),
    ...[...restored].map((name) => originals.get(name)!),
    ...work.initializers,
  ];
  foldConstants(viewModel(model), readExternal);
  dropDead(model);
  const steps = new Set([...twinWeights, ...twinActivations].map((one) => one.steps.name));
  const trainable = new Set(
    graph.initializer
      .filter(({ name, dataType }) => dataType === 1 && (steps.has(name) || originals.has(name)))
      .map(({ name }) => name),
  );
  return { model, weights: twinWeights, activations: twinActivations, biases, halves, trainable };

  /** Scales such that no bias in 32 bits meets its limit, with room for the scales to shrink. */
  function grownScales(name: string, { scales }: QuantizedWeight): Float32Array<ArrayBuffer> {
    const result = scales.map((scale) => (scale > 0 ? scale : 1));
    for (const { bias, weight, input } of statics?.biases.values() ?? []) {
      if (weight !== name) continue;
      const numbers = numbersOf(readTensor(originals.get(bias)!, readExternal));
      const { scale } = activations!.values.get(input)!;
      for (let at = 0; at < result.length; at++) {
        // a channel whose weights are next to nothing has the smallest scale there is: times the input's it is 0 where denormals are
        const least = Math.max((4 * Math.abs(numbers[at]!)) / largestBias, 1e-30);
        result[at] = Math.max(result[at]!, least / scale);
      }
    }
    return result;
  }
}

/** A weight as training takes it, whatever kernel the file has for it: integers that become floats. */
function withFloats(tensor: PlannedTensor): PlannedTensor {
  if (tensor.scheme === null || tensor.scheme === "half" || tensor.scheme === "static") return tensor;
  // what stays as it is must keep its scales, which only some schemes store as halves
  if (tensor.scheme === "qdq") return tensor;
  return { ...tensor, scheme: tensor.transpose ? "qdq" : "unpack" };
}

/** Writes the parameter of step sizes and the scales it gives. */
function addSteps(
  work: NodeWriter,
  hint: string,
  scales: Float32Array<ArrayBuffer>,
  shape: readonly number[],
): TwinSteps & { readonly scale: string } {
  const units = unitsOf(scales);
  const name = work.fresh(`${hint}_step`);
  const data = scales.map((scale, at) => scale / units[at]!);
  work.initializers.push(makeTensor(name, { dtype: "float32", shape, data }));
  const unit = work.constant({ dtype: "float32", shape, data: units });
  return { name, units, scales, scale: work.put("Mul", [name, unit], hint) };
}

/** Constants that are stored in 8 bits (operands of sums) as the floats they stand for. */
function foldConstants({ root }: ModelView, readExternal: ReadExternal): void {
  const { graph } = root;
  const tensorOf = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const added: TensorProto[] = [];
  graph.node = graph.node.filter(({ opType, input, output }) => {
    const [values, scale, zero] = input.map((name) => tensorOf.get(name));
    if (opType !== "DequantizeLinear" || !values || !scale || scale.dims.length > 0) return true;
    // only what readTensor knows: bytes
    if (values.dataType !== 2 && values.dataType !== 3) return true;
    const { shape, data } = readTensor(values, readExternal);
    const zeroPoints = zero ? numbersOf(readTensor(zero, readExternal)) : null;
    const scales = numbersOf(readTensor(scale, readExternal));
    const floats = dequantizeLinear(data as Int8Array, shape, { scales, zeroPoints });
    added.push(makeTensor(output[0]!, { dtype: "float32", shape, data: floats }));
    return false;
  });
  graph.initializer.push(...added);
}

/** Takes out what only led to the integers: nodes of the main graph and initializers that nothing reads any more. */
function dropDead(model: ModelProto): void {
  for (let changed = true; changed; ) {
    const { root, usesOf } = viewModel(model);
    const { graph } = root;
    const isRead = (name: string) => root.outputs.has(name) || usesOf(root, name).length > 0;
    const nodes = graph.node.filter(({ output }) => output.some((name) => name && isRead(name)));
    changed = nodes.length < graph.node.length;
    graph.node = nodes;
    if (!changed) graph.initializer = graph.initializer.filter(({ name }) => root.inputs.has(name) || isRead(name));
  }
}
