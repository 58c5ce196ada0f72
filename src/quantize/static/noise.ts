import { type ModelProto, makeTensor } from "../../formats/onnx.js";
import { cloneModel } from "../../graph/clone.js";
import { freshNames } from "../../graph/names.js";
import { makeNode } from "../../graph/node.js";
import { ownScales, type StaticPlan, type StaticWishes } from "./plan.js";
import type { ActivationScale } from "./scale.js";

/** A model in which one value of the main graph is rounded to 8 bits and everything else stays in floats. */
function roundOne(model: ModelProto, name: string, { scale, zeroPoint, signed }: ActivationScale): ModelProto {
  const copy = cloneModel(model);
  const graph = copy.graph!;
  const fresh = freshNames(copy);
  const [floats, integers, scaleName, zeroName] = ["float", "integers", "scale", "zero_point"].map((part) =>
    fresh(`${name}_${part}`),
  ) as [string, string, string, string];
  graph.initializer.push(
    makeTensor(scaleName, { dtype: "float32", shape: [], data: Float32Array.of(scale) }),
    signed
      ? makeTensor(zeroName, { dtype: "int8", shape: [], data: Int8Array.of(zeroPoint) })
      : makeTensor(zeroName, { dtype: "uint8", shape: [], data: Uint8Array.of(zeroPoint) }),
  );
  const maker = graph.node.findIndex(({ output }) => output.includes(name));
  let source = name;
  let target = floats;
  if (maker >= 0) {
    const node = graph.node[maker]!;
    node.output = node.output.map((output) => (output === name ? floats : output));
    source = floats;
    target = name;
  } else {
    // an input of the model: its readers in the main graph take the rounded form
    for (const node of graph.node) node.input = node.input.map((input) => (input === name ? floats : input));
  }
  graph.node.splice(
    maker + 1,
    0,
    makeNode("QuantizeLinear", fresh(`${name}_quantize`), [source, scaleName, zeroName], [integers]),
    makeNode("DequantizeLinear", fresh(`${name}_dequantize`), [integers, scaleName, zeroName], [target]),
  );
  return copy;
}

/**
 * Measures the noise that the 8-bit form of each value of a plan brings into the outputs: `measure` runs a changed model
 * and gives noise power over signal power. The plan should have everything in 8 bits that can be. Values for which there
 * is no time any more are left out.
 */
export async function measureNoise(
  model: ModelProto,
  plan: StaticPlan,
  measure: (changed: ModelProto) => Promise<number>,
  hasTime: () => boolean = () => true,
  onValue: (done: number, total: number) => void = () => {},
): Promise<ReadonlyMap<string, number>> {
  const names = ownScales(plan);
  const found = new Map<string, number>();
  for (const name of names) {
    if (!hasTime()) break;
    const noise = await measure(roundOne(model, name, plan.values.get(name)!));
    // outputs that are not finite any more are as bad as can be
    found.set(name, Number.isFinite(noise) ? noise : 1e6);
    onValue(found.size, names.length);
  }
  return found;
}

/** The noise of a plan: what each of its 8-bit values brings in, as if they were independent. */
export function noiseOf(plan: StaticPlan, noise: ReadonlyMap<string, number>): number {
  return ownScales(plan).reduce((sum, name) => sum + (noise.get(name) ?? 0), 0);
}

/**
 * The cheapest plan whose noise stays within a limit (power over signal power): the price of noise is searched by
 * bisection, and for each price the placement that costs least in time and noise together is an exact minimum cut.
 * `plan` makes a plan for a price. Where no price suffices, the plan with the least noise is returned.
 */
export function planWithin(
  plan: (noisePrice: number) => StaticPlan,
  noise: NonNullable<StaticWishes["noise"]>,
  limit: number,
): StaticPlan {
  const free = plan(0);
  if (noiseOf(free, noise) <= limit) return free;
  // nanoseconds: from nothing to an hour for noise as strong as the outputs
  let [low, high] = [0, Math.log2(3.6e12)];
  let best = plan(2 ** high);
  while (high - low > 0.05) {
    const middle = (low + high) / 2;
    const tried = plan(2 ** middle);
    if (noiseOf(tried, noise) <= limit) {
      high = middle;
      best = tried;
    } else low = middle;
  }
  return best;
}
