import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { parameterCount, withoutParts } from "../../src/distill/edit.js";
import { symmetricEigen } from "../../src/distill/eigen.js";
import { type RankBasis, rankBases, withRanks } from "../../src/distill/low-rank.js";
import { describeOutputs } from "../../src/distill/outputs.js";
import { extraTime } from "../../src/distill/product-time.js";
import { chooseRanks, type RankOption } from "../../src/distill/rank-choice.js";
import { applyStudent, layersOf, planStudent, type StudentSettings } from "../../src/distill/student.js";
import { type ThickWeight, thickWeights } from "../../src/distill/thick-weights.js";
import type { ModelProto } from "../../src/formats/onnx.js";
import { makeModel } from "../onnx-model.js";
import { noFiles, outputOf, residualModel, rowsOf, sketch, transformerModel } from "./models.js";
import { floatTensor } from "./run-loss.js";

const samples = rowsOf(6, [1, 8]);

function settingsOf(model: ModelProto, over: Partial<StudentSettings>): StudentSettings {
  const outputs = describeOutputs(model, new Map([["y", [1, 5]]]), undefined);
  const common = { model, outputs, samples, readExternal: noFiles, name: "t.onnx" };
  return { ...common, target: { kind: "layers", keep: 2 }, ...over };
}

function expectNear(found: Float32Array, expected: Float32Array, digits = 5) {
  expect(found.length).toBe(expected.length);
  for (let at = 0; at < found.length; at++) expect(found[at]).toBeCloseTo(expected[at]!, digits);
}

describe("the layers of a graph", () => {
  test("are its residual blocks", async () => {
    const { layers } = await layersOf(residualModel([1, 1, 1]), noFiles, samples[0]!);
    // the stem too keeps the shape: it could go as well
    expect(layers.map(({ start, end, parameters }) => [start, end, parameters])).toEqual([
      ["x", "h", 64],
      ["h", "r0", 256],
      ["r0", "r1", 256],
      ["r1", "r2", 256],
    ]);
  });

  test("hold attention and feed-forward together, whatever a mask brings in", async () => {
    const feeds = rowsOf(1, [1, 3, 8], 3, new Map([["mask", floatTensor([1, 3], [1, 1, 0])]]))[0]!;
    const { layers } = await layersOf(transformerModel(3), noFiles, feeds);
    const blocks = layers.filter(({ parts }) => parts.length === 2);
    expect(blocks.map(({ start, end }) => [start, end])).toEqual([
      ["h", "f0"],
      ["f0", "f1"],
      ["f1", "f2"],
    ]);
    expect(blocks[0]!.parts.map(({ end }) => end)).toEqual(["a0", "f0"]);
    const without = withoutParts(transformerModel(3), [blocks[1]!]);
    expect(without.graph!.initializer.some(({ name }) => name === "wo1")).toBe(false);
    expect(parameterCount(transformerModel(3)) - parameterCount(without)).toBe(blocks[1]!.parameters);
    expect(await outputOf(without, feeds)).toHaveLength(18);
  });

  test("are found on a branch beside which the data go on", async () => {
    const s = sketch();
    s.node("MatMul", ["x", s.weight("stem", [8, 6])], "h");
    s.node("MatMul", ["h", s.weight("in", [6, 4])], "b");
    s.node("Add", ["b", s.node("MatMul", ["b", s.weight("inner", [4, 4])], "m")], "b1");
    s.node("Concat", ["h", "b1"], "joined", { axis: -1 });
    s.node("MatMul", ["joined", s.weight("head", [10, 5])], "y");
    const model = makeModel({
      inputs: [["x", "float32", ["N", 8]]],
      outputs: [["y", "float32", ["N", 5]]],
      nodes: s.nodes,
      initializers: s.initializers,
    });
    const { layers } = await layersOf(model, noFiles, samples[0]!);
    expect(layers.map(({ start, end }) => [start, end])).toEqual([["b", "b1"]]);
  });
});

describe("a student of fewer layers", () => {
  // block 1 adds nothing, block 3 hardly anything
  const teacher = residualModel([1, 0, 1, 0.01]);

  test("leaves out what the outputs miss least", async () => {
    const plan = await planStudent(settingsOf(teacher, { target: { kind: "layers", keep: 3 } }));
    expect(plan.dropped.map(({ end }) => end).sort()).toEqual(["r1", "r3"]);
    expect(plan.damage).toBeLessThan(1e-3);
    expect(plan.layers.filter(({ kept }) => kept).map(({ name }) => name)).toEqual(["h", "r0", "r2"]);
    const before = parameterCount(teacher);
    const student = applyStudent(teacher, plan);
    expect(parameterCount(student)).toBe(before - 512);
    expectNear(await outputOf(student, samples[0]!), await outputOf(teacher, samples[0]!), 2);
    expect(parameterCount(teacher)).toBe(before);
  });

  test("gets as small as asked by leaving out what costs least for its size", async () => {
    const settings = settingsOf(teacher, { target: { kind: "parameters", share: 0.8 } });
    const plan = await planStudent(settings);
    expect(plan.dropped.map(({ end }) => end)).toEqual(["r1"]);
    expect(parameterCount(applyStudent(teacher, plan))).toBeLessThanOrEqual(0.8 * parameterCount(teacher));
  });

  test("refuses what cannot be", async () => {
    const plan = (target: StudentSettings["target"], model = teacher) => planStudent(settingsOf(model, { target }));
    await expect(plan({ kind: "layers", keep: 5 })).rejects.toThrow(
      "--student-layers 5: t.onnx has 5 layers that could be left out; keep 1 to 4 of them",
    );
    await expect(plan({ kind: "layers", keep: 0 })).rejects.toThrow("keep 1 to 4");
    await expect(plan({ kind: "parameters", share: 1.5 })).rejects.toThrow("between 0 and 100 %");
    await expect(plan({ kind: "parameters", share: 0.004 })).rejects.toThrow(/^--student-params 0\.4%: t\.onnx gets/);
    const stem = planStudent(settingsOf(residualModel([]), { target: { kind: "parameters", share: 0.01 } }));
    await expect(stem).rejects.toThrow(/t\.onnx (gets no smaller than|has no parts)/);
  });

  test("names the smallest share that there is, which can be had", async () => {
    await reachesLeast(settingsOf(teacher, {}));
  });
});

/** The refusal of far too small a student names a share that succeeds. */
async function reachesLeast(settings: StudentSettings): Promise<void> {
  const plan = (share: number) => planStudent({ ...settings, target: { kind: "parameters", share } });
  const refusal = await plan(0.01).catch((error: Error) => error.message);
  const [, least] = /t\.onnx gets no smaller than ([\d.]+)% .*; ask for \1% or more/.exec(refusal as string) ?? [];
  const share = Number(least) / 100;
  const size = parameterCount(applyStudent(settings.model, await plan(share))) / parameterCount(settings.model);
  expect(size).toBeLessThanOrEqual(share);
  expect(size).toBeGreaterThan(share - 0.002);
}

describe("a student of thinner products", () => {
  test("eigenvectors make the matrix again", () => {
    const n = 7;
    const values = rowsOf(1, [n, n])[0]!.get("x")!.data as Float32Array;
    const matrix = Float64Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      return values[i * n + j]! + values[j * n + i]!;
    });
    const { values: found, vectors } = symmetricEigen(matrix, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const sum = vectors.reduce((total, v, r) => total + found[r]! * v[i]! * v[j]!, 0);
        expect(sum).toBeCloseTo(matrix[i * n + j]!, 10);
      }
    }
    expect([...found]).toEqual([...found].sort((a, b) => b - a));
  });

  // weights of rank 6 at most, in every form; the last one with more outputs than are looked at
  const low = (): ModelProto => {
    const s = sketch(4);
    const thin = (name: string, rows: number, columns: number, shape: readonly number[]) => {
      const [a, b] = [rowsOf(1, [rows, 6], 1)[0]!, rowsOf(1, [6, columns], 2)[0]!].map(
        (batch) => batch.get("x")!.data as Float32Array,
      );
      const data = Array.from({ length: rows * columns }, (_, at) => {
        let sum = 0;
        for (let r = 0; r < 6; r++) sum += a![Math.floor(at / columns) * 6 + r]! * b![r * columns + (at % columns)]!;
        return sum / 10;
      });
      s.weight(name, shape);
      s.initializers.at(-1)!.rawData = new Uint8Array(Float32Array.from(data).buffer);
      return name;
    };
    s.node("Conv", ["x", thin("conv", 64, 64 * 3, [64, 64, 1, 3]), s.weight("bias", [64])], "c", {
      pads: [0, 1, 0, 1],
      kernel_shape: [1, 3],
      strides: [1, 2],
    });
    s.node("GlobalAveragePool", ["c"], "p");
    s.node("Flatten", ["p"], "flat");
    s.node("Gemm", ["flat", thin("gemm", 80, 64, [80, 64]), s.weight("gemm_bias", [80])], "g", { transB: 1 });
    s.node("Gemm", ["g", thin("gemm2", 80, 64, [80, 64])], "g2");
    s.node("MatMul", ["g2", thin("wide", 64, 1100, [64, 1100])], "y");
    return makeModel({
      inputs: [["x", "float32", ["N", 64, 1, 8]]],
      outputs: [["y", "float32", ["N", 1100]]],
      nodes: s.nodes,
      initializers: s.initializers,
    });
  };

  test.each([
    ["principal directions of outputs", 4],
    ["the weights alone", 0],
  ] as const)("loses nothing where the weights have no higher rank: %s", async (_, seen) => {
    const model = low();
    const feeds = rowsOf(5, [1, 64, 1, 8], 5);
    const weights = thickWeights(model);
    expect(weights.map(({ name, kind }) => [name, kind])).toEqual([
      ["conv", "Conv"],
      ["gemm", "Gemm"],
      ["gemm2", "Gemm"],
      ["wide", "MatMul"],
    ]);
    const bases = await rankBases(model, weights, feeds.slice(0, seen), noFiles);
    // unseen directions: fewer samples than ranks for what is looked at once a sample
    const known = seen > 0 ? bases.slice(0, 1) : bases;
    const thin = withRanks(
      model,
      known.map((basis) => ({ basis, rank: 6 })),
    );
    expect(parameterCount(thin)).toBeLessThan(parameterCount(model));
    expectNear(await outputOf(thin, feeds[4]!), await outputOf(model, feeds[4]!), 2);
  });

  test("is not decided by the few samples that pooled values were seen in", async () => {
    // what is pooled is seen once a sample: two samples would fit two directions exactly
    const s = sketch(6);
    s.node("GlobalAveragePool", ["x"], "p");
    s.node("Conv", ["p", s.weight("squeeze", [64, 64, 1, 1])], "y");
    const model = makeModel({
      inputs: [["x", "float32", ["N", 64, 1, 8]]],
      outputs: [["y", "float32", ["N", 64, 1, 1]]],
      nodes: s.nodes,
      initializers: s.initializers,
    });
    const feeds = rowsOf(12, [1, 64, 1, 8], 9);
    const errorAt = async (seen: number) => {
      const [basis] = await rankBases(model, thickWeights(model), feeds.slice(0, seen), noFiles);
      const thin = withRanks(model, [{ basis: basis!, rank: 24 }]);
      let error = 0;
      for (const one of feeds.slice(4)) {
        const [found, wanted] = [await outputOf(thin, one), await outputOf(model, one)];
        error += found.reduce((sum, value, at) => sum + (value - wanted[at]!) ** 2, 0);
      }
      return error;
    };
    expect(await errorAt(2)).toBeLessThan(1.2 * (await errorAt(0)));
    // nor is what ranks leave out judged by the samples they fit
    const lostAt = async (judged: readonly Batch[]) => {
      const [basis] = await rankBases(model, thickWeights(model), feeds.slice(0, 2), noFiles, judged);
      return basis!.power.slice(2).reduce((sum, one) => sum + one, 0);
    };
    expect(await lostAt(feeds.slice(0, 2))).toBeLessThan(0.01);
    expect(await lostAt(feeds.slice(4))).toBeGreaterThan(0.3);
  });

  test("gets as small as asked", async () => {
    const model = low();
    const feeds = rowsOf(24, [1, 64, 1, 8], 6);
    const outputs = describeOutputs(model, new Map([["y", [1, 1100]]]), undefined);
    const plan = await planStudent({
      ...settingsOf(model, { target: { kind: "parameters", share: 0.5 } }),
      outputs,
      samples: feeds,
    });
    expect(plan.method).toBe("rank");
    expect(parameterCount(applyStudent(model, plan))).toBeLessThanOrEqual(0.5 * parameterCount(model));
    expect(plan.damage).toBeLessThan(1e-4);
    await reachesLeast({ ...settingsOf(model, {}), outputs, samples: feeds });
  });

  /** A weight [size, size] at so many positions a sample, with what each rank costs and does. */
  const weightOf = (name: string, size: number, positions: number, damages: Readonly<Record<number, number>>) => {
    const weight: ThickWeight = {
      ...{ name, kind: "MatMul", turned: true, out: size, inner: size, parameters: size ** 2, shape: [size, size] },
      ...{ input: "x", output: name, bias: undefined },
    };
    const none = new Float64Array(0);
    const basis: RankBasis = { weight, left: none, right: none, size, power: none, positions };
    return Object.entries(damages).map(([text, damage]): RankOption => {
      const rank = Number(text);
      const saved = weight.parameters - 2 * rank * size;
      return { basis, rank, saved, damage, time: extraTime(weight, rank, positions) };
    });
  };
  const chosenOf = (options: readonly (readonly RankOption[])[], wanted: number) =>
    chooseRanks(options, wanted)?.map(({ basis, rank }) => [basis.weight.name, rank]);

  test("does not split a product that two in a row would be slower than", () => {
    // few elements less, at many positions: what lies between them has to be written and read
    const thick = weightOf("thick", 64, 10_000, { 24: 0.1, 31: 0.01 });
    expect(thick.map(({ time }) => time < 0)).toEqual([true, false]);
    const other = weightOf("other", 64, 10_000, { 24: 0.3 });
    expect(chosenOf([thick, other], 100)).toEqual([["thick", 24]]);
    // unless the parameters cannot be saved otherwise
    expect(chosenOf([weightOf("thick", 64, 10_000, { 31: 0.01 })], 100)).toEqual([["thick", 31]]);
    expect(chosenOf([thick, other], 5000)).toBeUndefined();
  });

  test("splits small products where others make up for the calls", () => {
    const small = weightOf("small", 64, 1, { 8: 0.01 });
    expect(small[0]!.time).toBeGreaterThan(0);
    const large = weightOf("large", 256, 1000, { 64: 0.1 });
    expect(chosenOf([small, large], 34_000)).toEqual([
      ["small", 8],
      ["large", 64],
    ]);
    // alone it would only be a call more
    expect(chosenOf([small, large], 2000)).toEqual([["large", 64]]);
  });
});
