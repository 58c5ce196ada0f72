import type { Batch } from "../data/batch.js";
import { openSession, type Session } from "../engine/session.js";
import { encodeModel, type ModelProto, type ReadExternal } from "../formats/onnx.js";
import { shallowCopy } from "../graph/clone.js";
import { exposeValues } from "../graph/expose.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ModelOutput } from "./outputs.js";

/** The bytes of a model that puts out just these values of its main graph. */
export function valuesModel(
  model: ModelProto,
  values: readonly string[],
  readExternal: ReadExternal | undefined,
): Uint8Array<ArrayBuffer> {
  const outputs = new Set(model.graph!.output.map(({ name }) => name));
  const open = exposeValues(
    model,
    values.filter((name) => !outputs.has(name)),
  );
  const wanted = new Set(values);
  const graph = Object.assign(shallowCopy(open.graph!), {
    output: open.graph!.output.filter(({ name }) => wanted.has(name)),
  });
  return encodeModel(Object.assign(shallowCopy(open), { graph }), readExternal);
}

/** Opens that model. */
export async function openValues(
  model: ModelProto,
  values: readonly string[],
  readExternal: ReadExternal | undefined,
  threads = 1,
): Promise<Session> {
  return openSession(valuesModel(model, values, readExternal), { threads });
}

/** How far the outputs of changed copies of a model are from the model's own, on a few samples. */
export interface DamageMeter {
  /**
   * For classes the mean KL from the model's distribution to the copy's, in nats a position; for values the noise over the
   * signal. The mean over the outputs; Infinity for a copy that cannot be run.
   */
  measure(changed: ModelProto): Promise<number>;
}

/** What some outputs of two models differ by, added up over samples. */
export interface Damage {
  add(wanted: ReadonlyMap<string, Tensor>, found: ReadonlyMap<string, Tensor>): void;
  /** The mean over the outputs; Infinity where some of them is not a number. */
  mean(): number;
}

/** An empty sum over these outputs. `value` is the name they have in what is added: logits, or logarithms of shares. */
export function emptyDamage(outputs: readonly Pick<ModelOutput, "value" | "kind" | "axis">[]): Damage {
  const sums = outputs.map(() => ({ cost: 0, weight: 0 }));
  return {
    add(wanted, found) {
      outputs.forEach((output, i) => {
        addCost(sums[i]!, output, wanted.get(output.value)!, found.get(output.value)!);
      });
    },
    mean() {
      const costs = sums.map(({ cost, weight }) => (weight === 0 ? 0 : cost / weight));
      const mean = costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
      return Number.isNaN(mean) ? Number.POSITIVE_INFINITY : mean;
    },
  };
}

/** Runs the model on the samples once and remembers what came out. */
export async function createDamageMeter(
  model: ModelProto,
  outputs: readonly ModelOutput[],
  samples: readonly Batch[],
  readExternal: ReadExternal | undefined,
): Promise<DamageMeter> {
  const values = [...new Set(outputs.map(({ value }) => value))];
  const runAll = async (changed: ModelProto, each: (at: number, results: ReadonlyMap<string, Tensor>) => void) => {
    const session = await openValues(changed, values, readExternal);
    try {
      for (const [at, feeds] of samples.entries()) each(at, await session.run(feeds));
    } finally {
      await session.close();
    }
  };
  const reference: ReadonlyMap<string, Tensor>[] = [];
  await runAll(model, (_, results) => reference.push(results));
  return {
    async measure(changed) {
      const damage = emptyDamage(outputs);
      try {
        await runAll(changed, (at, results) => damage.add(reference[at]!, results));
      } catch {
        return Number.POSITIVE_INFINITY;
      }
      return damage.mean();
    },
  };
}

function addCost(
  sum: { cost: number; weight: number },
  { kind, axis }: Pick<ModelOutput, "kind" | "axis">,
  wanted: Tensor,
  found: Tensor,
) {
  const [p, q] = [numbersOf(wanted), numbersOf(found)];
  if (p.length !== q.length) throw new Error("an output of another shape");
  if (kind === "values") {
    for (let at = 0; at < p.length; at++) {
      sum.cost += (p[at]! - q[at]!) ** 2;
      sum.weight += p[at]! ** 2;
    }
    return;
  }
  const classes = wanted.shape[axis]!;
  const inner = wanted.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  for (let at = 0; at < p.length / classes; at++) {
    const start = Math.floor(at / inner) * inner * classes + (at % inner);
    sum.cost += divergence(p, q, start, inner, classes);
    sum.weight += 1;
  }
}

/** KL between the softmaxes of `count` logits, from `start` on in steps of `stride`. */
function divergence(p: ArrayLike<number>, q: ArrayLike<number>, start: number, stride: number, count: number): number {
  const logSum = (values: ArrayLike<number>) => {
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) most = Math.max(most, values[start + i * stride]!);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += Math.exp(values[start + i * stride]! - most);
    return most + Math.log(sum);
  };
  const [ofP, ofQ] = [logSum(p), logSum(q)];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const logP = p[start + i * stride]! - ofP;
    // what is hardly ever said costs next to nothing, but time
    const share = logP > -40 ? Math.exp(logP) : 0;
    if (share > 0) total += share * (logP - q[start + i * stride]! + ofQ);
  }
  return total;
}
