import { describe, expect, test } from "@jest/globals";
import { Chalk } from "chalk";
import type { AppliedTensor } from "../../src/quantize/apply.js";
import { compressForms } from "../../src/render/compress.js";
import { decisionsOf, formWords, nodeWords } from "../../src/render/compress-decisions.js";
import { warningsOf } from "../../src/render/compress-loss.js";
import type { CompressResult, Verification } from "../../src/render/compress-result.js";

const hostile = `<script>alert("1")</script>|a\`b`;

function tensor(name: string, rest: Partial<AppliedTensor> = {}): AppliedTensor {
  return {
    name,
    graph: "main",
    type: "float32",
    shape: [100, 10],
    elements: 1000,
    bytes: 4000,
    bytesAfter: 1040,
    usedBy: ["MatMul"],
    action: "quantize",
    scheme: "unpack",
    form: { bits: 8, signed: true, symmetric: true, granularity: "channel", axis: 1 },
    reason: "a long reason that goes on and on, as reasons do where much has to be explained to a reader",
    sqnrDb: 40,
    storedAs: name,
    ...rest,
  };
}

const left: Partial<AppliedTensor> = {
  action: "leave",
  scheme: null,
  form: null,
  sqnrDb: null,
  storedAs: null,
  bytesAfter: 4000,
};

const summary = {
  elements: 10,
  identical: false,
  sqnrDb: 35,
  cosine: 0.9,
  maxAbsError: 0.1,
  nonFinite: { reference: 0, candidate: 0 },
};

const checked: Extract<Verification, { checked: true }> = {
  checked: true,
  source: "samples",
  split: "1 sample, used for calibration and for the check alike",
  notes: ["a.npz: float64 converted to float32"],
  synthetic: false,
  agreement: { samples: 1, outputs: [{ name: "y", ...summary }], total: summary },
  drop: { kind: "metric", name: "accuracy", reference: 0.9, candidate: 0.89, value: 0.0111 },
  runtime: null,
  fused: [],
  unoptimizedDb: null,
  speed: null,
};

function result(rest: Partial<CompressResult> = {}): CompressResult {
  const tensors = rest.tensors ?? [tensor("w"), tensor("b", { ...left, reason: "no weight: read by Add" })];
  return {
    schema: "deepseek/compress@2",
    versions: { "deepseek-compat": "1", onnxruntime: "2", node: "3" },
    model: { path: "model.onnx", bytes: 10_000, sha256: "aa" },
    opset: { from: 13, to: 13, irFrom: 8, irTo: 8, rewritten: {} },
    normalised: [],
    output: {
      path: "out.onnx",
      bytes: 2600,
      ratio: 0.26,
      float32Bytes: 10_000,
      float32Ratio: 0.26,
      files: [{ name: "out.onnx", bytes: 2600, sha256: "bb" }],
    },
    settings: { scheme: "auto", clip: "mse", minElements: 1024 },
    seed: 7,
    decisions: [],
    tensors,
    correctedBiases: 0,
    correctedOn: null,
    namesShortened: true,
    calibration: undefined,
    nodes: [],
    accuracy: { smoothings: [], equalised: [], rounded: [] },
    choices: [],
    verification: checked,
    noiseLimit: null,
    gate: null,
    warnings: [],
    ...rest,
  };
}

const text = (one: CompressResult, columns = 80) => compressForms(one).text(new Chalk({ level: 0 }), columns);
const page = async (one: CompressResult) => compressForms(one).html!();

describe("on a terminal", () => {
  test("size, loss, seed and hashes are said, and notes of samples", () => {
    const words = text(result());
    expect(words).toMatch(/wrote out\.onnx: 10\.0 kB -> 2\.60 kB \(0\.260 of it\)/);
    expect(words).toMatch(/loss 1\.11 %: accuracy \(90\.00 % before, 89\.00 % after\)/);
    expect(words).toMatch(/used for calibration and for the check alike; a\.npz: float64 converted to float32/);
    expect(words).toMatch(/seed 7; .*onnxruntime 2/);
    expect(words).toMatch(/SHA-256 aa {2}model\.onnx\nSHA-256 bb {2}out\.onnx/);
  });

  test("of a float16 source, both sizes are compared", () => {
    const base = result().output;
    const words = text(result({ output: { ...base, ratio: 0.52, float32Bytes: 20_000, float32Ratio: 0.26 } }));
    expect(words).toMatch(/0\.520 of it, 0\.260 of it in float32/);
    expect(words).toMatch(/file .*0\.520 +20\.0 kB +0\.260/);
  });

  test("reasons are wrapped to its width, and no line is longer", () => {
    const tables = text(result(), 70).split("\n\n").slice(1, 3).join("\n").split("\n");
    expect(Math.max(...tables.map((line) => line.length))).toBeLessThanOrEqual(70);
  });

  test("hundreds of tensors and outputs stay on one screen", () => {
    const many = Array.from({ length: 300 }, (_, at) => tensor(`w${at}`, { reason: `reason ${at}` }));
    const outputs = Array.from({ length: 50 }, (_, at) => ({ name: `y${at}`, ...summary }));
    const verification = { ...checked, agreement: { ...checked.agreement, outputs } };
    const lines = text(result({ tensors: many, verification }), 120).split("\n");
    expect(lines.length).toBeLessThan(50);
    expect(lines.join("\n")).toMatch(/292 tensors more in 292 kinds.*\n[\s\S]*44 better outputs are not shown/);
  });
});

describe("the page", () => {
  test("shows names as they are, whatever is in them", async () => {
    const html = await page(
      result({ tensors: [tensor(hostile), tensor("z", { name: hostile, ...left, reason: hostile })] }),
    );
    expect(html).not.toContain("<script>alert");
    expect(html).toContain("&#60;script&#62;alert");
  });

  test("has bars of every weight that lost something, worst first, in the colour of its scheme", async () => {
    const tensors = [tensor("good", { sqnrDb: 50 }), tensor("bad", { sqnrDb: 5, scheme: "qdq" })];
    const html = await page(result({ tensors }));
    const bars = [...html.matchAll(/title="(\w+)".*?class="tone-(\d)" width="([\d.]+)%"/g)].map((match) =>
      match.slice(1),
    );
    expect(bars).toEqual([
      ["bad", "0", "8.33"],
      ["good", "1", "83.33"],
    ]);
  });

  test("has sizes by operator, trials against the limit, and ranges", async () => {
    const gate = {
      reached: true,
      floats: ["main:w"],
      drop: 0.01,
      trials: [
        { floats: 0, drop: 0.3 },
        { floats: 1, drop: 0.01 },
      ],
      maxDrop: 0.02,
      ranking: [{ key: "main:w", noise: 0.1, how: "measured" as const }],
      rankedWhole: true,
      mildest: "half" as const,
    };
    const widest = [
      {
        name: "h",
        min: -1,
        max: 3,
        zeros: 0,
        histogram: { low: -1, high: 3, counts: [1, 0, 9, 2] },
        range: { min: 0, max: 3 },
      },
    ];
    const calibration = { source: "samples", samples: 1, values: 1, ranges: "minmax", widest };
    const html = await page(result({ tensors: [tensor("w")], gate, calibration }));
    expect(html).toMatch(/MatMul: 4\.00 kB -&#62; 1\.04 kB/);
    expect(html).toMatch(/<title>0 taken back: loss 30\.00 %/);
    expect(html).toMatch(/limit 2\.00 %/);
    expect(html).toMatch(/<rect class="inside" x="1" y="0" width="3"/);
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("of a result without weights, samples or speed has no empty charts", async () => {
    const html = await page(result({ tensors: [], verification: { checked: false, reason: "--no-verify" } }));
    expect(html).not.toMatch(/NaN|undefined|Infinity|<svg/);
    expect(html).toContain("not checked");
  });
});

test("tensors are grouped by what is done and why, what is left last", () => {
  const tensors = [
    tensor("a", { reason: "4 rows at a time: fast" }),
    tensor("b", { reason: "8 rows at a time: fast" }),
    tensor("c", { ...left, reason: "no weight: read by Add", bytes: 1e6 }),
    tensor("d", { ...left, reason: "no weight: read by Mul" }),
  ];
  expect(decisionsOf(tensors).map(({ way, reason, tensors: own }) => [way, reason, own.length])).toEqual([
    ["unpack", "few rows at a time: fast", 2],
    ["left", "no weight", 2],
  ]);
});

test("forms have words", () => {
  const form = { bits: 4, signed: false, symmetric: false, granularity: "block", axis: 0, blockSize: 32 } as const;
  expect(formWords(form)).toBe("uint4 in blocks of 32, with zero points");
});

test("nodes under static quantization are counted by operator, and those left have a reason", () => {
  const node = (opType: string, runs: "int8" | "float", reason = "") => ({
    name: "",
    opType,
    output: "",
    runs,
    reason,
  });
  const nodes = [node("Conv", "int8"), node("Conv", "float", "no range of x is known"), node("Shape", "float", "")];
  expect(nodeWords(nodes)).toEqual(["as int8: 1 of 2 Conv", "left in floats: 1 Conv: no range of its values is known"]);
});

test("a slower result is warned of, one without a measurement is not", () => {
  const speed = { ratio: 1.3, interval: { lower: 1.2, upper: 1.4, coverage: 0.95 }, verdict: "slower" as const };
  expect(warningsOf(result({ verification: { ...checked, speed } }))).toEqual([
    "takes 1.30 times the original's CPU time",
  ]);
  expect(warningsOf(result())).toEqual([]);
});

test("nodes that were planned in 8 bits and run as floats are counted by operator", () => {
  const fused = [
    { opType: "Conv", planned: 40, fused: 37 },
    { opType: "Add", planned: 2, fused: 2 },
  ];
  expect(text(result({ tensors: [tensor("w")], verification: { ...checked, fused } }), 200)).toContain(
    "39 of 42 nodes run as 8-bit kernels; as floats between conversions: 3 Conv",
  );
});
