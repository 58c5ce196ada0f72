import type { PrunedGroup, PrunePlanResult, PruneResult, Recovery, Stage } from "../../src/render/prune-result.js";
import type { TrainingCourse } from "../../src/render/training-result.js";

/** A group of `before` channels of which `after` are left, each with 9 parameters. */
export function group(name: string, before: number, after: number, rest: Partial<PrunedGroup> = {}): PrunedGroup {
  return {
    name,
    tensors: [name, `${name}.bias`],
    operators: [`Conv_${name}`],
    channels: { before, after },
    width: 1,
    normalisations: 0,
    why: before === after ? "--keep" : "score",
    parameters: { before: 9 * before, after: 9 * after },
    curve: null,
    ...rest,
  };
}

const faster = { ratio: 0.62, interval: { lower: 0.6, upper: 0.65, coverage: 0.95 }, verdict: "faster" as const };

export const stages: readonly Stage[] = [
  {
    stage: "original",
    parameters: 100_000,
    bytes: 400_000,
    metric: 0.92,
    agreement: null,
    speed: null,
    flops: 2e8,
    seconds: null,
  },
  {
    stage: "pruned",
    parameters: 70_000,
    bytes: 280_000,
    metric: 0.71,
    agreement: { topOne: 0.74, sqnrDb: 4.5 },
    speed: faster,
    flops: 1.2e8,
    seconds: 3,
  },
  {
    stage: "recovered",
    parameters: 70_000,
    bytes: 280_000,
    metric: 0.915,
    agreement: { topOne: 0.95, sqnrDb: 14.2 },
    speed: faster,
    flops: 1.2e8,
    seconds: 600,
  },
];

export const course: TrainingCourse = {
  steps: 200,
  ended: "done",
  bestStep: 150,
  finalLoss: 0.1,
  seconds: 600,
  resumedAt: 0,
  curve: Array.from({ length: 20 }, (_, at) => ({
    step: 10 * (at + 1),
    loss: 2 / (at + 1),
    terms: { soft: 1.5 / (at + 1), hard: 0.5 / (at + 1) },
    rate: 1e-3 * (1 - at / 20),
    gradientNorm: 1 / (at + 1),
  })),
  evaluations: [50, 100, 150, 200].map((step) => ({ step, value: 0.7 + step / 800, best: step === 150 })),
  measure: { name: "accuracy", higherIsBetter: true },
};

export const recovery: Recovery = {
  words: "the original as teacher",
  settings: {
    steps: 200,
    batchSize: 32,
    accumulate: 1,
    optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    schedule: { kind: "cosine", rate: 5e-4, warmUp: 10, floor: 0, at: [] },
    weightDecay: 0.01,
    clipNorm: 1,
    ema: 0,
    seed: 1,
    threads: 1,
    evaluateEvery: 50,
    patience: 0,
    checkpointEvery: 50,
  },
  losses: [{ term: "soft", weight: 1, words: "outputs softened", pairs: [{ student: "y", teacher: "y" }] }],
  courses: [course],
};

/** What plan and result share. */
const pruned: Omit<PrunePlanResult, "schema"> = {
  versions: { "deepseek-compat": "1", onnxruntime: "2", node: "3" },
  model: { path: "model.onnx", bytes: 400_000, sha256: "aa" },
  settings: {
    ratio: 0.3,
    by: "flops",
    criterion: "l2",
    reduction: "mean",
    spread: "global",
    round: 8,
    minChannels: 8,
    limit: 0.9,
    limits: [{ pattern: "head.*", share: 0.5 }],
    keep: ["stem.*"],
    only: [],
    hidden: false,
    steps: 1,
    seed: 7,
  },
  shapes: [{ input: "x", shape: [1, 3, 48, 320] }],
  data: {
    source: "samples.npz",
    samples: 1000,
    heldOut: 200,
    labelled: true,
    notes: ["float64 converted to float32"],
  },
  parameters: { before: 100_000, after: 70_000, prunable: 90_000 },
  flops: { before: 2e8, after: 1.2e8 },
  channels: { before: 320, after: 200 },
  bytes: { before: 400_000, after: 280_000 },
  groups: [group("stem.weight", 32, 32), group("block.1.weight", 64, 40), group("block.2.weight", 128, 64)],
  damage: null,
  frozen: [
    { operator: "NonZero", node: "nz_1", why: "is not in the table", tensors: ["a", "b"], parameters: 9_000 },
    { operator: "graph output", node: "y", why: "outputs keep their shapes", tensors: ["head"], parameters: 1_000 },
    { operator: "NonZero", node: "nz_2", why: "is not in the table", tensors: ["c"], parameters: 500 },
  ],
  layers: [],
  sparsity: null,
  notes: [],
  warnings: [],
};

export function pruneResult(rest: Partial<PruneResult> = {}): PruneResult {
  return {
    schema: "deepseek/prune@1",
    ...pruned,
    latency: null,
    verification: {
      exactness: { maxAbs: 2.1e-6, relative: 3.4e-7 },
      agreement: null,
      drop: null,
      speed: faster,
    },
    stages,
    metric: { name: "accuracy", higherIsBetter: true },
    recovery,
    quantization: null,
    output: { path: "out.onnx", bytes: 280_000, files: [{ name: "out.onnx", bytes: 280_000, sha256: "bb" }] },
    kept: "recovered",
    written: true,
    missed: false,
    ...rest,
  };
}

export function prunePlan(rest: Partial<PrunePlanResult> = {}): PrunePlanResult {
  return { schema: "deepseek/prune-plan@1", ...pruned, ...rest };
}
