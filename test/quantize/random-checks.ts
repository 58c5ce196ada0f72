import { openSession } from "../../src/engine/session.js";
import { sqnrDb } from "../../src/evaluate/metrics.js";
import { decodeModel, encodeModel, graphsOf, type ModelProto, makeTensor, readTensor } from "../../src/formats/onnx.js";
import { checkGraphs } from "../../src/graph/check.js";
import { cloneModel } from "../../src/graph/clone.js";
import { normalise } from "../../src/graph/normalise/index.js";
import { raiseOpset } from "../../src/graph/opset.js";
import { viewModel } from "../../src/graph/scope.js";
import { shortenNames } from "../../src/graph/short-names.js";
import { type AppliedTensor, applyPlan } from "../../src/quantize/apply.js";
import { type Milder, planQuantization } from "../../src/quantize/plan.js";
import type { WeightPlan } from "../../src/quantize/scheme.js";
import { halvesOf, leastHalved } from "../../src/quantize/schemes/unpack.js";
import { type Goal, type QuantizeSettings, schemeIds } from "../../src/quantize/settings.js";
import { siteKey, sitesOf } from "../../src/quantize/sites.js";
import type { StaticSettings } from "../../src/quantize/static/settings.js";
import type { Target } from "../../src/quantize/target.js";
import { startWeights } from "../../src/quantize/weights.js";
import { dequantize } from "../../src/tensor/dequantize.js";
import { halfBits, halfValue, numbersOf } from "../../src/tensor/numbers.js";
import type { QuantizedWeight } from "../../src/tensor/quantized.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { plainQuantizer } from "../plain-quantizer.js";
import { pick, type Random, type RandomModel, randomModel, randomOf } from "./random-graphs.js";
import { observe, quantized } from "./static/observe.js";

type Values = ReadonlyMap<string, Tensor>;

const noExternal = () => {
  throw new Error("no external data here");
};

async function runModel(
  model: ModelProto,
  feeds: Values,
  graphOptimization: "all" | "disabled" = "disabled",
): Promise<Values> {
  const session = await openSession(encodeModel(model), { graphOptimization });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** The least SQNR in dB over all outputs; infinite where they are equal, -Infinity where they cannot be compared. */
function likeness(reference: Values, other: Values): number {
  let least = Number.POSITIVE_INFINITY;
  for (const [name, tensor] of reference) {
    const found = other.get(name);
    if (!found || `${found.shape}` !== `${tensor.shape}`) return Number.NEGATIVE_INFINITY;
    const [one, two] = [numbersOf(tensor), numbersOf(found)];
    let peak = 0;
    let error = 0;
    for (let at = 0; at < one.length; at++) {
      peak = Math.max(peak, Math.abs(one[at]!));
      error = Math.max(error, Math.abs(one[at]! - two[at]!));
      if (Number.isFinite(one[at]!) && !Number.isFinite(two[at]!)) return Number.NEGATIVE_INFINITY;
    }
    if (error <= 1e-6 * peak + 1e-9) continue;
    least = Math.min(least, sqnrDb(one, two) ?? Number.POSITIVE_INFINITY);
  }
  return least;
}

/** Normalised and raised; `problem` where that changed what the model computes. */
async function prepared({ model, feeds, half }: RandomModel): Promise<{
  readonly base: ModelProto;
  readonly results: Values;
  readonly problem?: string;
}> {
  const results = await runModel(model, feeds);
  const base = decodeModel(encodeModel(model), "base");
  checkGraphs(base, "base");
  normalise(base, noExternal);
  checkGraphs(base, "normalised");
  const normal = likeness(results, await runModel(base, feeds));
  const least = half ? 40 : 90;
  if (normal < least) return { base, results, problem: `normalised it differs: ${normal} dB` };
  raiseOpset(base, "base");
  checkGraphs(base, "raised");
  const raised = likeness(results, await runModel(base, feeds));
  if (raised < least) return { base, results, problem: `raised it differs: ${raised} dB` };
  return { base, results };
}

function randomSettings(random: Random): QuantizeSettings {
  return {
    scheme: pick(random, ["auto", "auto", ...schemeIds.filter((id) => id !== "static")]),
    clip: pick(random, ["max", "mse"]),
    minElements: pick(random, [1, 1, 8, 64, 200]),
    halves: random() < 0.4,
    bits: random() < 0.3 ? 4 : 8,
    asymmetric: random() < 0.3,
    ...(random() < 0.3 ? { blockSize: pick(random, [16, 32, 64, 128]) } : {}),
    ...(random() < 0.1 ? { perTensor: true } : {}),
    ...(random() < 0.1 ? { signed: random() < 0.5 } : {}),
    goal: pick<Goal>(random, ["size", "size", "latency", "throughput"]),
    target: pick<Target>(random, ["avx2", "vnni", "arm64", "web"]),
    ...(random() < 0.3 ? { ortMin: pick(random, ["1.20", "1.22", "1.24", "1.30"] as const) } : {}),
    ...(random() < 0.2
      ? {
          overrides: [
            { pattern: "*1*", scheme: pick(random, ["float", "unpack", "qdq", "nbits", "gather", "dynamic"] as const) },
          ],
        }
      : {}),
  };
}

/** Quantizes with some settings and tells what is wrong with the result; nothing where all is well. */
async function problemsOf(
  base: ModelProto,
  results: Values,
  { feeds, half }: Pick<RandomModel, "feeds" | "half">,
  settings: QuantizeSettings,
  random: Random,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const milder: Milder =
    random() < 0.2
      ? new Map(
          sitesOf(viewModel(base))
            .filter(() => random() < 0.4)
            .map(({ scope, info }) => [
              siteKey(scope.path, info.name),
              { scheme: random() < 0.5 ? "half" : "unpack", why: "milder" } as const,
            ]),
        )
      : new Map();
  const before = encodeModel(base);
  const make = async () => {
    const copy = cloneModel(base);
    const plan = planQuantization(copy, settings, milder);
    const weights = startWeights(plainQuantizer(), noExternal, settings.clip, { keep: false });
    const made = new Map<string, { readonly weight: QuantizedWeight; readonly plan: WeightPlan }>();
    const tensors = await applyPlan(copy, plan, {
      quantizer: plainQuantizer(),
      readExternal: noExternal,
      weights: {
        ...weights,
        async quantized(site, weightPlan) {
          const weight = await weights.quantized(site, weightPlan);
          if (weight) made.set(siteKey(site.scope.path, site.info.name), { weight, plan: weightPlan });
          return weight;
        },
      },
    });
    return { copy, tensors, made };
  };
  const { copy, tensors, made } = await make();
  if (Buffer.compare(before, encodeModel(base)) !== 0) problems.push("the base was changed");
  const bytes = encodeModel(copy);
  if (Buffer.compare(bytes, encodeModel((await make()).copy)) !== 0) problems.push("made again it is another file");
  const done = tensors.filter(({ action }) => action === "quantize");
  const where = () => ` [${done.map(({ name, scheme, form }) => `${name}: ${scheme} ${JSON.stringify(form)}`)}]`;
  for (const { name, action, reason } of tensors)
    if (action === "leave" && !reason) problems.push(`${name}: left, no reason`);
  const result = decodeModel(bytes, "result");
  try {
    checkGraphs(result, "result");
    if (done.length > 0) checkBytes(base, result, tensors, problems);
    const plain = await runModel(result, feeds);
    const all = await runModel(result, feeds, "all");
    const reference = await runModel(withFloats(base, tensors, made), feeds);
    // kernels that round activations to 8 bits
    const rounds = done.some(({ scheme }) => scheme === "dynamic" || scheme === "nbits");
    const exact = likeness(reference, plain);
    if (exact < (half ? 25 : rounds ? 10 : 55))
      problems.push(`against its own integers: ${exact.toFixed(1)} dB${where()}`);
    const fused = rounds || done.some(({ scheme }) => scheme === "qdq");
    const optimised = likeness(plain, all);
    if (!(half && fused) && optimised < (half ? 25 : fused ? 10 : 60))
      problems.push(`optimised it differs: ${optimised.toFixed(1)} dB${where()}`);
    const total = likeness(results, plain);
    const few = done.some(({ form }) => form?.bits === 4) || settings.perTensor;
    if (!few && total < (half ? 0 : 10)) problems.push(`against the original: ${total.toFixed(1)} dB${where()}`);
    shortenNames(copy);
    const short = decodeModel(encodeModel(copy), "short");
    checkGraphs(short, "short");
    const renamed = likeness(plain, await runModel(short, feeds));
    if (renamed < 120) problems.push(`with short names it differs: ${renamed.toFixed(1)} dB${where()}`);
  } catch (error) {
    problems.push(`${(error as Error).message}${where()}`);
  }
  return problems;
}

/** Planned bytes are those in the file, apart from small constants that weights share. */
function checkBytes(base: ModelProto, result: ModelProto, tensors: readonly AppliedTensor[], problems: string[]): void {
  const stored = (model: ModelProto) =>
    [...graphsOf(model.graph!)]
      .flatMap(({ initializer }) => initializer)
      .filter(({ name }) => !/^(unpack_|nibbles|bias_shape_)|_alpha/.test(name))
      .reduce((sum, { rawData }) => sum + rawData.length, 0);
  const planned = tensors.reduce((sum, { bytes, bytesAfter }) => sum + bytesAfter - bytes, 0);
  const real = stored(result) - stored(base);
  if (planned !== real)
    problems.push(
      `planned ${planned} bytes more, are ${real}: ${tensors.map(({ name, scheme, bytes, bytesAfter, form, shape }) => `${name} ${scheme} ${shape} ${bytes}->${bytesAfter} ${JSON.stringify(form)}`)}`,
    );
}

/** The model with the floats that its integers stand for. */
function withFloats(
  base: ModelProto,
  tensors: readonly AppliedTensor[],
  made: ReadonlyMap<string, { readonly weight: QuantizedWeight; readonly plan: WeightPlan }>,
): ModelProto {
  const copy = cloneModel(base);
  const planned = new Map(tensors.map((tensor) => [siteKey(tensor.graph, tensor.name), tensor]));
  for (const { scope, info, tensor } of sitesOf(viewModel(copy))) {
    const key = siteKey(scope.path, info.name);
    const entry = planned.get(key);
    if (!entry || entry.action === "leave") continue;
    const found = made.get(key);
    const old = numbersOf(readTensor(tensor, noExternal));
    let values: Float32Array;
    if (!found) values = Float32Array.from(old, (value) => halfValue(halfBits(value)));
    else {
      const { weight, plan } = found;
      const halved = entry.scheme === "unpack" && weight.scales.length >= leastHalved;
      const { bits, exponent } = halvesOf(weight.scales);
      const scales = halved ? Float32Array.from(bits, (half) => halfValue(half) * 2 ** exponent) : weight.scales;
      values = dequantize({ ...weight, scales });
      if (plan.transpose) {
        const [rows, columns] = weight.shape as [number, number];
        const turned = values;
        values = turned.map((_, at) => turned[(at % rows) * columns + Math.floor(at / rows)]!);
      }
    }
    const stored =
      info.type === "float16"
        ? makeTensor(info.name, { dtype: "float16", shape: info.shape, data: Uint16Array.from(values, halfBits) })
        : makeTensor(info.name, { dtype: "float32", shape: info.shape, data: Float32Array.from(values) });
    scope.graph.initializer = scope.graph.initializer.map((one) => (one === tensor ? stored : one));
  }
  return copy;
}

/** Static quantization with some settings, on the ranges of just these inputs; tells what is wrong with the result. */
async function staticProblemsOf(
  base: ModelProto,
  results: Values,
  { feeds }: Pick<RandomModel, "feeds">,
  random: Random,
): Promise<readonly string[]> {
  const changed: Partial<StaticSettings> = {
    activationSigned: random() < 0.3,
    weightSigned: random() < 0.5,
    symmetric: random() < 0.3,
    matmulOfActivations: random() < 0.5,
    placement: random() < 0.8 ? "everywhere" : "cheapest",
  };
  const said = JSON.stringify(changed);
  try {
    const before = encodeModel(base);
    const { model, plan } = await quantized(base, await observe(base, [feeds]), changed);
    if (Buffer.compare(before, encodeModel(base)) !== 0) return [`static: the base was changed (${said})`];
    const nodes = [...plan.nodes.values()].filter(({ runs }) => runs === "int8").map(({ opType }) => opType);
    checkGraphs(model, "static");
    const plain = await runModel(model, feeds);
    const all = await runModel(model, feeds, "all");
    const [total, optimised] = [likeness(results, plain), likeness(plain, all)];
    const words = `(${nodes}; ${said})`;
    if (total < 8) return [`static: against the original ${total.toFixed(1)} dB ${words}`];
    if (optimised < 8) return [`static: optimised it differs: ${optimised.toFixed(1)} dB ${words}`];
    return [];
  } catch (error) {
    return [`static: ${(error as Error).message} (${said})`];
  }
}

/** Draws a model from a seed and quantizes it in `ways` random ways, and statically; tells all that is wrong. */
export async function problemsOfSeed(seed: number, ways: number): Promise<readonly string[]> {
  const drawn = randomModel(seed);
  const words = (text: string) => `seed ${seed}: ${text} (opset ${drawn.opset}: ${drawn.layers})`;
  const { base, results, problem } = await prepared(drawn);
  if (problem) return [words(problem)];
  const random = randomOf(seed);
  const problems: string[] = [];
  for (let count = 0; count < ways; count++) {
    const settings = randomSettings(random);
    const found = await problemsOf(base, results, drawn, settings, random);
    problems.push(...found.map((text) => `${words(text)} ${JSON.stringify(settings)}`));
  }
  if (!drawn.half) problems.push(...(await staticProblemsOf(base, results, drawn, random)).map(words));
  return problems;
}
