import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import type { Label } from "../../src/data/labels.js";
import { listedSamples } from "../../src/data/sample-set.js";
import { composeDistillation, type DistillationSettings } from "../../src/distill/distillation.js";
import { matchPlaces, parsePairs, placesOf } from "../../src/distill/match.js";
import { chooseMix, formatMix, parseMix } from "../../src/distill/mix.js";
import { describeOutputs } from "../../src/distill/outputs.js";
import { type Side, sideOf } from "../../src/distill/sides.js";
import { layersOf } from "../../src/distill/student.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { train } from "../../src/train/loop.js";
import { prepareModel } from "../../src/train/prepare.js";
import type { TrainingRecord, TrainingSettings } from "../../src/train/task.js";
import { makeModel } from "../onnx-model.js";
import { noFiles, residualModel, rowsOf, sketch, transformerModel } from "./models.js";
import { floatTensor } from "./run-loss.js";

/** What a distillation of two models is composed to, and the student as it trains. */
async function composed(
  teacher: ModelProto,
  student: ModelProto,
  samples: readonly Batch[],
  { labels, ...over }: Partial<DistillationSettings> & { readonly labels?: readonly Label[] } = {},
) {
  const trainable = prepareModel(student, noFiles, { name: "small.onnx", frozen: [], batchNorm: "frozen" });
  const side = async (name: string, model: ModelProto, looked: ModelProto, other?: Side) => {
    const session = await openSession(encodeModel(model));
    const found = await sideOf(name, looked, session, samples[0]!, labels, other);
    await session.close();
    return found;
  };
  const big = await side("big.onnx", teacher, teacher);
  const distillation = await composeDistillation({
    teacher: { ...big, model: teacher, readExternal: noFiles },
    student: { ...(await side("small.onnx", student, trainable.copy, big)), trainable },
    isMade: false,
    training: { ...listedSamples(samples, "made up", false), labels },
    ...{ mix: undefined, pairs: undefined, store: undefined },
    ...{ temperature: 2, blankWeight: 1, seed: 1, threads: 1 },
    ...over,
  });
  return { ...distillation, trainable };
}

const training: TrainingSettings = {
  steps: 80,
  batchSize: 4,
  accumulate: 1,
  optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  schedule: { kind: "cosine", rate: 1e-2, warmUp: 5, floor: 0.05, at: [] },
  weightDecay: 0,
  clipNorm: 5,
  ema: 0,
  seed: 1,
  threads: 1,
  evaluateEvery: 0,
  patience: 0,
  checkpointEvery: 0,
};

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

/** x [N, 8] -> probabilities of many classes, under names of its own. */
function wideModel(output: string, seed: number): ModelProto {
  const s = sketch(seed);
  s.node("Softmax", [s.node("MatMul", ["x", s.weight("w", [8, 1100])], `${output}_logits`)], output, { axis: -1 });
  return makeModel({
    inputs: [["x", "float32", ["N", 8]]],
    outputs: [[output, "float32", ["N", 1100]]],
    ...{ nodes: s.nodes, initializers: s.initializers, opset: 17 },
  });
}

describe("a distillation", () => {
  test("mixes labels in, lets the likeliest of many classes stand for all, and renames outputs", async () => {
    const samples = rowsOf(4, [1, 8]);
    const models = [wideModel("p", 1), wideModel("q", 2)] as const;
    const { mix, data, named, close } = await composed(...models, samples, { labels: [7, 8, 9, 10] });
    expect(formatMix(mix)).toBe("soft=0.9,hard=0.1");
    const sample = await data.read(2);
    expect([...sample.keys()]).toEqual(["x", "teacher:p_logits:classes", "teacher:p_logits:shares", "label"]);
    expect(sample.get("teacher:p_logits:classes")!.shape.at(-1)).toBeLessThan(1100);
    expect(sample.get("label")!.data).toEqual(BigInt64Array.of(9n));
    const outputs = await named(async () => new Map([["q", floatTensor([1], [1])]]))(samples[0]!);
    expect([...outputs.keys()]).toEqual(["p"]);
    await close();
    await expect(composed(...models, samples, { labels: [1, 1100, 2, 3] })).rejects.toThrow(
      '--labels: sample 2 has class 1100; output "q" has classes 0 to 1099',
    );
  });

  test.each([
    ["what else looks at them", { mix: "soft=1,reverse=1" }],
    ["frames that are weighed by all classes", { blankWeight: 0.1 }],
  ])("keeps all classes for %s", async (_, over) => {
    const { data, close } = await composed(wideModel("p", 1), wideModel("p", 2), rowsOf(2, [1, 8]), over);
    expect([...(await data.read(0)).keys()]).toEqual(["x", "teacher:p_logits"]);
    await close();
  });

  test("leaves labels that are texts to the metric", async () => {
    const model = residualModel([1]);
    const { mix, data, close } = await composed(model, model, rowsOf(2, [1, 8]), { labels: ["a", "b"] });
    expect(formatMix(mix)).toBe("soft=1");
    expect([...(await data.read(0)).keys()]).toEqual(["x", "teacher:logits"]);
    await close();
  });

  test("of a transformer: layers, attention and relations, padding left out, another width", async () => {
    const mix = "mse=1,hidden=1,cosine=0.5,attention=1,attention-kl=0.5,relations=1";
    const found = await composed(transformerModel(3), transformerModel(2, 4, 8), sequences(32), { mix });
    const { layers, objective, data, trainable } = found;
    expect(layers.filter(({ role }) => role === "hidden").map((pair) => [pair.student, pair.teacher])).toEqual([
      ["f0", "f0"],
      ["f1", "f2"],
    ]);
    expect(objective.parameters.map(({ shape }) => shape)).toEqual([
      [4, 8],
      [4, 8],
    ]);
    const records: TrainingRecord[] = [];
    const hooks = {
      log: (record: TrainingRecord) => void records.push(record),
      keep: () => {},
      stopRequested: () => false,
      progress: () => {},
    };
    await train({ model: trainable, objective, data, settings: training, hooks });
    await found.close();
    const steps = records.flatMap((record) => (record.kind === "step" ? [record] : []));
    const mean = (from: number, term: string) =>
      steps.slice(from, from + 10).reduce((sum, { terms }) => sum + terms[term]!, 0);
    for (const term of ["mse", "hidden", "cosine", "relations"]) expect(mean(70, term)).toBeLessThan(mean(0, term));
  });

  test("pairs layers by name where the student was made from the teacher, which its weights may tell", async () => {
    const [teacher, samples] = [residualModel([1, 1, 1, 1]), rowsOf(1, [1, 8])];
    const pairs = async (student: ModelProto, isMade: boolean) => {
      const { layers, close } = await composed(teacher, student, samples, { mix: "hidden", isMade });
      await close();
      return layers.map((pair) => `${pair.student}:${pair.teacher}`);
    };
    const byName = ["h:h", "r0:r0", "r1:r1"];
    const other = residualModel([1, 1], 5);
    expect(await pairs(other, false)).toEqual(["h:r0", "r0:r1", "r1:r3"]);
    expect(await pairs(other, true)).toEqual(byName);
    // the same seed gives the same weights, all but the head
    expect(await pairs(residualModel([1, 1]), false)).toEqual(byName);
  });

  test("refuses models that do not fit each other, naming both", async () => {
    const samples = rowsOf(4, [1, 8]);
    const s = sketch();
    s.node("MatMul", ["x", s.weight("w", [8, 7])], "z");
    const other = makeModel({
      inputs: [["x", "float32", ["N", 8]]],
      outputs: [["z", "float32", ["N", 7]]],
      ...{ nodes: s.nodes, initializers: s.initializers },
    });
    const small = residualModel([1]);
    await expect(composed(small, other, samples)).rejects.toThrow(
      'teacher big.onnx and student small.onnx have different outputs: on the same sample the teacher\'s "y" is 1x5, the student\'s "z" 1x7',
    );
    await expect(composed(small, small, samples, { mix: "hard" })).rejects.toThrow(
      "--loss hard: give the labels with --labels",
    );
    await expect(composed(small, small, samples, { mix: "attention" })).rejects.toThrow(
      "--loss attention: no such layers of teacher and student were found; name values with --pairs",
    );
    await expect(composed(transformerModel(1), small, sequences(4))).rejects.toThrow(
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
    expect(formatMix(chooseMix(undefined, [{ kind: "values" }, { kind: "classes" }], undefined))).toBe("soft=1,mse=1");
    expect(formatMix(chooseMix(undefined, [{ kind: "values" }], undefined))).toBe("mse=1");
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
    const found = describeOutputs(model, new Map([["y", [1, 8]], ["z", [1, 8]]]), [3]); // biome-ignore format: short
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
    expect(() => parsePairs("7=0", small, big)).toThrow("the student has no layer 7; it has 0 (h), 1 (r0), 2 (r1)");
    expect(() => parsePairs("r0", small, big)).toThrow("must be <student's layer>:<teacher's layer>");
  });
});
