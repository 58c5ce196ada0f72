import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { listedSamples } from "../../src/data/sample-set.js";
import { type DistillationSettings, distil, prepareDistillation } from "../../src/distill/distil.js";
import { parameterCount } from "../../src/distill/edit.js";
import { matchPlaces, parsePairs, placesOf } from "../../src/distill/match.js";
import { defaultMix, formatMix, parseMix } from "../../src/distill/mix.js";
import { describeOutputs } from "../../src/distill/outputs.js";
import { applyStudent, layersOf, planStudent } from "../../src/distill/student.js";
import { topOneAccuracy } from "../../src/evaluate/metric.js";
import type { ModelProto } from "../../src/formats/onnx.js";
import type { TrainingHooks, TrainingRecord, TrainingSettings } from "../../src/train/task.js";
import { makeModel } from "../onnx-model.js";
import { noFiles, residualModel, rowsOf, sketch, transformerModel } from "./models.js";
import { floatTensor } from "./run-loss.js";

const named = (model: ModelProto, name: string) => ({ model, name, readExternal: noFiles });

function settingsOf(
  teacher: ModelProto,
  student: ModelProto,
  samples: readonly Batch[],
  over: Partial<DistillationSettings> = {},
): DistillationSettings {
  const half = samples.length / 2;
  return {
    teacher: named(teacher, "big.onnx"),
    student: named(student, "small.onnx"),
    training: { samples: listedSamples(samples.slice(0, half), "made up", false), labels: undefined },
    heldOut: { samples: listedSamples(samples.slice(half), "made up", false), labels: undefined },
    pairs: "auto",
    objective: { temperature: 2, beta: 0.5, smoothing: 0, blankWeight: 1, heads: 1, seed: 1 },
    topShare: 1,
    half: false,
    frozen: [],
    batchNorm: "frozen",
    threads: 1,
    ...over,
  };
}

const training: TrainingSettings = {
  steps: 120,
  batchSize: 16,
  accumulate: 1,
  optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  schedule: { kind: "cosine", rate: 1e-2, warmUp: 5, floor: 0.05, at: [] },
  weightDecay: 0,
  clipNorm: 5,
  ema: 0,
  seed: 1,
  threads: 1,
  evaluateEvery: 60,
  patience: 0,
  checkpointEvery: 0,
};

function recorded() {
  const records: TrainingRecord[] = [];
  const hooks: TrainingHooks = {
    log: (record) => void records.push(record),
    keep: () => {},
    stopRequested: () => false,
    progress: () => {},
  };
  return { records, hooks };
}

/** Sequences of 3 and 5 positions, the last of which is padding. */
const sequences = (count: number): readonly Batch[] =>
  Array.from({ length: count }, (_, at) => {
    const length = at % 2 === 0 ? 3 : 5;
    const mask = floatTensor(
      [1, length],
      Array.from({ length }, (_, i) => (i < length - 1 ? 1 : 0)),
    );
    return rowsOf(1, [1, length, 8], at + 1, new Map([["mask", mask]]))[0]!;
  });

describe("distillation", () => {
  test("brings a student of half the layers back to the teacher, from its outputs alone", async () => {
    const teacher = residualModel([1, 0.3, 1, 0.3]);
    const samples = rowsOf(128, [1, 8]);
    const plan = await planStudent({
      ...named(teacher, "big.onnx"),
      outputs: describeOutputs(teacher, new Map([["y", [1, 5]]]), false),
      samples: samples.slice(0, 8),
      target: { kind: "layers", keep: 3 },
      method: "auto",
      choice: "outputs",
    });
    const { hooks, records } = recorded();
    const settings = settingsOf(teacher, applyStudent(teacher, plan), samples);
    const { before, after, student, outcome, teacher: big } = await distil(settings, training, hooks);
    expect(outcome.ended).toBe("done");
    const agreed = (score: typeof before) => score.agreement.total.topOne!.agree;
    expect(agreed(after)).toBeGreaterThan(agreed(before));
    expect(after.agreement.total.sqnrDb).toBeGreaterThan(before.agreement.total.sqnrDb + 5);
    expect(parameterCount(student)).toBe(plan.parametersAfter);
    expect(big.parameters).toBe(plan.parametersBefore);
    const losses = records.flatMap((record) => (record.kind === "step" ? [record.loss] : []));
    expect(losses.at(-1)!).toBeLessThan(0.3 * losses[0]!);
  });

  test("mixes labels in, and the likeliest classes stand for all", async () => {
    const teacher = residualModel([1, 1]);
    const samples = rowsOf(64, [1, 8]);
    const labels = samples.map((_, at) => at % 5);
    const settings = settingsOf(teacher, residualModel([1], 5), samples, {
      topShare: 0.8,
      metric: topOneAccuracy,
    });
    const given = {
      ...settings,
      training: { ...settings.training, labels: labels.slice(0, 32) },
      heldOut: { ...settings.heldOut, labels: labels.slice(32) },
    };
    const prepared = await prepareDistillation(given);
    expect(formatMix(prepared.mix)).toBe("soft=0.9,hard=0.1");
    const sample = await prepared.data.read(2);
    expect([...sample.keys()]).toEqual(["x", "teacher:logits:classes", "teacher:logits:shares", "label"]);
    expect(sample.get("label")!.data).toEqual(BigInt64Array.of(2n));
    await prepared.close();
    const { hooks } = recorded();
    const { before, after } = await distil(given, { ...training, steps: 60 }, hooks);
    expect(before.metric).not.toBeNull();
    expect(before.teacherMetric).not.toBeNull();
    expect(after.agreement.total.topOne!.agree).toBeGreaterThan(before.agreement.total.topOne!.agree);
    const wrong = { ...given, training: { ...given.training, labels: given.training.labels.map(() => 9) } };
    await expect(distil(wrong, training, hooks)).rejects.toThrow(
      '--labels: sample 1 has class 9; output "y" has classes 0 to 4',
    );
  });

  test("of a transformer: layers, attention and relations, padding left out, another width", async () => {
    const teacher = transformerModel(3);
    const student = transformerModel(2, 4, 8);
    const mix = parseMix("mse=1,hidden=1,cosine=0.5,attention=1,attention-kl=0.5,relations=1");
    const { hooks, records } = recorded();
    const prepared = await prepareDistillation(settingsOf(teacher, student, sequences(32), { mix }));
    expect(prepared.mask).toBe("mask");
    expect(prepared.layers.filter(({ role }) => role === "hidden").map((pair) => [pair.student, pair.teacher])).toEqual(
      [
        ["f0", "f0"],
        ["f1", "f2"],
      ],
    );
    expect(prepared.objective.parameters.map(({ shape }) => shape)).toEqual([
      [4, 8],
      [4, 8],
    ]);
    await prepared.close();
    const settings = settingsOf(teacher, student, sequences(32), { mix });
    await distil(settings, { ...training, batchSize: 4, steps: 80 }, hooks);
    const steps = records.flatMap((record) => (record.kind === "step" ? [record] : []));
    const mean = (from: number, term: string) =>
      steps.slice(from, from + 10).reduce((sum, { terms }) => sum + terms[term]!, 0);
    for (const term of ["mse", "hidden", "cosine", "relations"]) expect(mean(70, term)).toBeLessThan(mean(0, term));
  });

  test("refuses models that do not fit each other, naming both", async () => {
    const s = sketch();
    s.node("MatMul", ["x", s.weight("w", [8, 7])], "z");
    const other = makeModel({
      inputs: [["x", "float32", ["N", 8]]],
      outputs: [["z", "float32", ["N", 7]]],
      nodes: s.nodes,
      initializers: s.initializers,
    });
    const samples = rowsOf(4, [1, 8]);
    await expect(prepareDistillation(settingsOf(residualModel([1]), other, samples))).rejects.toThrow(
      'teacher big.onnx and student small.onnx have different outputs: on the same sample the teacher\'s "y" is 1x5, the student\'s "z" 1x7',
    );
    const hard = { mix: parseMix("hard") };
    await expect(
      prepareDistillation(settingsOf(residualModel([1]), residualModel([1]), samples, hard)),
    ).rejects.toThrow("--loss hard: needs class labels");
    await expect(
      prepareDistillation(settingsOf(residualModel([1]), residualModel([1]), samples, { mix: parseMix("attention") })),
    ).rejects.toThrow("--loss attention: teacher big.onnx and student small.onnx have no layers that fit");
    await expect(
      prepareDistillation(settingsOf(transformerModel(1), residualModel([1]), sequences(4))),
    ).rejects.toThrow(
      'teacher big.onnx and student small.onnx take different inputs: big.onnx takes "x" (float32 NxTx8)',
    );
  });
});

describe("what is decided", () => {
  test("a mix is read, or follows from the outputs", () => {
    expect(formatMix(parseMix("soft=0.9, hard=0.1,hidden"))).toBe("soft=0.9,hard=0.1,hidden=1");
    expect(() => parseMix("sofd=1")).toThrow('there is no loss "sofd"; there are soft, reverse');
    expect(() => parseMix("soft=-1")).toThrow("the weight of soft must be a number of at least 0");
    expect(() => parseMix("soft=0")).toThrow("some loss must weigh more than 0");
    expect(() => parseMix("soft,soft")).toThrow("names soft twice");
    expect(formatMix(defaultMix([{ kind: "values" }, { kind: "classes" }], false))).toBe("soft=1,mse=1");
    expect(formatMix(defaultMix([{ kind: "values" }], false))).toBe("mse=1");
  });

  test("outputs behind a softmax are compared by their logits, a sigmoid's as they are", () => {
    const s = sketch();
    s.node("Softmax", ["x"], "p", { axis: -1 });
    s.node("Identity", ["p"], "y");
    s.node("Sigmoid", ["x"], "z");
    const outputs = [
      ["y", "float32", ["N", 8]],
      ["z", "float32", ["N", 8]],
    ] as const;
    const model = makeModel({ inputs: [["x", "float32", ["N", 8]]], outputs, nodes: s.nodes });
    const found = describeOutputs(model, new Map([["y", [1, 8]], ["z", [1, 8]]]), true); // biome-ignore format: short
    expect(found.map(({ value, kind, axis }) => [value, kind, axis])).toEqual([
      ["x", "classes", 1],
      ["z", "values", 1],
    ]);
  });

  test("layers are paired by name, by depth, or as given", async () => {
    const samples = rowsOf(1, [1, 8])[0]!;
    const places = async (model: ModelProto) => {
      const { layers, shapes } = await layersOf(model, noFiles, samples);
      return placesOf(model, layers, shapes);
    };
    const [small, big] = [await places(residualModel([1, 1])), await places(residualModel([1, 1, 1, 1]))];
    const pairs = (list: ReturnType<typeof matchPlaces>) => list.map(({ student, teacher }) => `${student}:${teacher}`);
    expect(pairs(matchPlaces(small, big, true))).toEqual(["h:h", "r0:r0", "r1:r1"]);
    const renamed = small.map((place) => ({ ...place, value: `s_${place.value}` }));
    expect(pairs(matchPlaces(renamed, big, true))).toEqual(["s_h:r0", "s_r0:r1", "s_r1:r3"]);
    expect(pairs(matchPlaces(small, big, false))).toEqual(["h:r0", "r0:r1", "r1:r3"]);
    expect(pairs(parsePairs("0=1,r1=r3", small, big))).toEqual(["h:r0", "r1:r3"]);
    expect(pairs(parsePairs("0:1,r1:r3", small, big))).toEqual(["h:r0", "r1:r3"]);
    expect(() => parsePairs("7=0", small, big)).toThrow("the student has no layer 7; it has 0 (h), 1 (r0), 2 (r1)");
    expect(() => parsePairs("r0", small, big)).toThrow("must be <student's layer>:<teacher's layer>");
  });
});
