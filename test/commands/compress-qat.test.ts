import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { openSession } from "../../src/engine/session.js";
import { decodeNpz, encodeNpz } from "../../src/formats/npz.js";
import { decodeModel, encodeModel, makeTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { QatPlan, QatResult } from "../../src/render/training-result.js";
import { halfBits } from "../../src/tensor/numbers.js";
import { runCommand, withoutProgress } from "../host.js";
import { floats, ints, makeModel } from "../onnx-model.js";
import { classifier, rowsFile } from "../training-models.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-qat-"));
  writeFileSync(join(folder, "model.onnx"), encodeModel(classifier(40, 2, 1)));
  writeFileSync(join(folder, "rows.npz"), rowsFile(600, 7));
  writeFileSync(join(folder, "labels.txt"), Array.from({ length: 600 }, (_, at) => `${at % 4}\n`).join(""));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const basic = ["model.onnx", "--qat", "--data", "rows.npz", "--rows", "--threads", "1", "--speed-seconds", "0"];
const run = (...argv: readonly string[]) => runCommand(compressCommand, [...basic, ...argv], folder);
const left = () => readdirSync(folder).filter((name) => name.startsWith(".") || name.endsWith(".training"));

describe("compress --qat", () => {
  test("trained for 4 bits, a model is nearer to its floats than rounded alone", async () => {
    const argv = ["--int4", "--min-elements", "16", "--steps", "150", "--rate", "2e-3", "--json"];
    const { code, stdout, stderr } = await run(...argv, "--report", "report.html", "--max-drop", "50%");
    expect(stderr).not.toMatch(/error|warning/);
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as QatResult;
    const [float, rounded, trained] = result.scores;
    expect(result.schema).toBe("deepseek/qat@1");
    expect(float!.agreement).toBeNull();
    expect(trained!.agreement!.sqnrDb!).toBeGreaterThan(rounded!.agreement!.sqnrDb! + 1);
    expect(result.tensors.filter(({ form }) => form?.bits === 4).length).toBeGreaterThan(0);
    expect(result.output.path).toBe("model.int4.onnx");
    expect(readFileSync(join(folder, "report.html"), "utf8")).toMatch(/Trained model\.onnx for 4 bits/);
    expect(left()).toEqual([]);
  });

  test.each([
    ["at every place", ["hy"]],
    ["at the end only", ["", "hh"]],
  ])("recurrent layers whose outputs are read %s train for 4 bits", async (_, outputs) => {
    const model = makeModel({
      opset: 14,
      inputs: [["s", "float32", ["n", "t", 8]]],
      outputs: [["y", "float32", outputs.length === 1 ? ["n", "t", 4] : ["n", 4]]],
      nodes: [
        makeNode("Transpose", "first", ["s"], ["st"], { perm: [1, 0, 2] }),
        makeNode("LSTM", "lstm", ["st", "w", "r", "b"], outputs, { hidden_size: 16 }),
        makeNode("Squeeze", "squeeze", [outputs.at(-1)!, outputs.length === 1 ? "second" : "zeroth"], ["h"]),
        ...(outputs.length === 1 ? [makeNode("Transpose", "back", ["h"], ["hb"], { perm: [1, 0, 2] })] : []),
        makeNode("MatMul", "head", [outputs.length === 1 ? "hb" : "h", "v"], ["y"]),
      ],
      initializers: [
        floats("w", [1, 64, 8]),
        floats("r", [1, 64, 16]),
        floats("b", [1, 128]),
        floats("v", [16, 4]),
        ints("zeroth", [0]),
        ints("second", [1]),
      ],
    });
    writeFileSync(join(folder, "lstm.onnx"), encodeModel(model));
    const data = Float32Array.from({ length: 40 * 3 * 8 }, (_, at) => Math.sin(at * at));
    writeFileSync(join(folder, "seq.npz"), encodeNpz(new Map([["s", { dtype: "float32", shape: [40, 3, 8], data }]])));
    const argv = ["lstm.onnx", ...basic.slice(1), "--data", "seq.npz", "--int4", "--min-elements", "16", "--force"];
    const { code, stderr } = await runCommand(
      compressCommand,
      [...argv, "--steps", "4", "--max-drop", "100%", "-o", "l4.onnx"],
      folder,
    );
    expect(stderr).not.toMatch(/error/);
    expect(code).toBe(0);
  });

  test("8 bits with activations, labels, and the log of every step", async () => {
    const { code, stdout, stderr } = await run(
      ...["--int8", "--static", "--everywhere", "--min-elements", "16", "--labels", "labels.txt", "--steps", "20"],
      ...["--log", "log.jsonl", "--max-drop", "100%", "-o", "static.onnx"],
    );
    expect(stderr).not.toMatch(/error|warning/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Trained model\.onnx for 8 bits/);
    expect(stdout).toMatch(/hard +0\.5 +cross-entropy with the labels/);
    const log = readFileSync(join(folder, "log.jsonl"), "utf8");
    expect(log.match(/"kind":"step"/g)).toHaveLength(20);
    // one set of words in log, curves and tables
    expect(Object.keys(JSON.parse(log.split("\n")[0]!).terms)).toEqual(["hard", "soft"]);
  });

  test("labels that are texts are for the metric alone", async () => {
    writeFileSync(join(folder, "texts.txt"), Array.from({ length: 600 }, (_, at) => `word ${at}\n`).join(""));
    writeFileSync(join(folder, "words.mjs"), "export const metric = { score: ({ label }) => label.length / 10 };\n");
    const argv = ["--int8", "--min-elements", "16", "--steps", "2", "--labels", "texts.txt", "--metric", "words.mjs"];
    const { code, stdout, stderr } = await run(...argv, "-o", "texts.onnx", "--json");
    expect([code, withoutProgress(stderr)]).toEqual([0, ""]);
    const { losses, metric } = JSON.parse(stdout) as QatResult;
    expect(losses.map(({ term, weight }) => [term, weight])).toEqual([["soft", 1]]);
    expect(metric!.name).toBe("words.mjs");
  });

  test("a loss above --max-drop is written, told and found in the exit code", async () => {
    const argv = ["--int4", "--min-elements", "16", "--steps", "2", "--max-drop", "0", "-o", "far.onnx"];
    const { code, stderr } = await run(...argv);
    expect(stderr).toMatch(/warning: the loss of .* is above --max-drop 0 %/);
    expect(code).toBe(1);
  });

  test("a float16 model trains and keeps the types of its inputs and outputs", async () => {
    const wide = classifier(40, 2, 1);
    const halves = wide.graph!.initializer.map(({ name, dims, rawData }) => {
      const numbers = new Float32Array(rawData.slice().buffer);
      return makeTensor(name, { dtype: "float16", shape: dims.map(Number), data: Uint16Array.from(numbers, halfBits) });
    });
    const model = makeModel({
      inputs: [["x", "float16", ["n", 8]]],
      outputs: [["scores", "float16", ["n", 4]]],
      nodes: wide.graph!.node,
      initializers: halves,
    });
    writeFileSync(join(folder, "half.onnx"), encodeModel(model));
    const rows = decodeNpz(rowsFile(600, 7), "rows").get("x")!;
    const x = { ...rows, dtype: "float16", data: Uint16Array.from(rows.data as Float32Array, halfBits) } as const;
    writeFileSync(join(folder, "half.npz"), encodeNpz(new Map([["x", x]])));
    const argv = ["half.onnx", ...basic.slice(1), "--data", "half.npz", "--int4", "--min-elements", "16"];
    const { code, stdout, stderr } = await runCommand(
      compressCommand,
      [...argv, "--steps", "150", "--rate", "2e-3", "--json", "--max-drop", "90%", "-o", "half4.onnx"],
      folder,
    );
    expect([code, withoutProgress(stderr)]).toEqual([0, ""]);
    const { notes, scores } = JSON.parse(stdout) as QatResult;
    expect(notes).toContain("6 16-bit tensors are float32 in training and in the file; inputs and outputs stay");
    expect(scores[2]!.agreement!.sqnrDb!).toBeGreaterThan(scores[1]!.agreement!.sqnrDb! + 1);
    const session = await openSession(join(folder, "half4.onnx"));
    expect([session.inputs[0]!.dtype, session.outputs[0]!.dtype]).toEqual(["float16", "float16"]);
    await session.close();
  });

  describe("BatchNormalization", () => {
    const data = Float32Array.from({ length: 80 * 12 }, (_, at) => Math.sin(at * at));
    const weights = floats("w", [8, 2, 3]);
    const normed = makeModel({
      opset: 14,
      inputs: [["s", "float32", ["n", 2, 6]]],
      outputs: [["y", "float32", ["n", 4]]],
      nodes: [
        makeNode("Conv", "conv", ["s", "w"], ["c"]),
        makeNode("BatchNormalization", "norm", ["c", "scale", "shift", "mean", "variance"], ["a"]),
        makeNode("Relu", "relu", ["a"], ["r"]),
        makeNode("Flatten", "flat", ["r"], ["f"]),
        makeNode("Gemm", "head", ["f", "v"], ["y"]),
      ],
      initializers: [
        weights,
        floats("scale", [8], [1, -1, 2, 0.5, 1, 1, 0, 1]),
        floats("shift", [8]),
        ...statistics(data, new Float32Array(weights.rawData.slice().buffer)),
        floats("v", [32, 4]),
      ],
    });
    const argv = [
      "norm.onnx",
      ...basic.slice(1),
      "--data",
      "norm.npz",
      "--int4",
      "--int4-convolutions",
      "--min-elements",
      "16",
      "--force",
    ];
    const train = (...more: readonly string[]) =>
      runCommand(compressCommand, [...argv, "--steps", "20", "--max-drop", "100%", "--json", ...more], folder);
    const words = "1 BatchNormalization takes the statistics of the batches for the first 10 steps";
    beforeAll(() => {
      writeFileSync(join(folder, "norm.onnx"), encodeModel(normed));
      writeFileSync(
        join(folder, "norm.npz"),
        encodeNpz(new Map([["s", { dtype: "float32", shape: [80, 2, 6], data }]])),
      );
    });

    test("learns until --freeze-norms, also after a checkpoint, and the file is as without", async () => {
      const often = ["--freeze-norms", "50%", "--evaluate-every", "4", "--batch", "36", "--rate", "1e-3"];
      const whole = await train(...often, "-o", "n1.onnx");
      expect([whole.code, withoutProgress(whole.stderr)]).toEqual([0, ""]);
      expect((JSON.parse(whole.stdout) as QatResult).notes).toContain(words);
      const kept = [...often, "-o", "n2.onnx", "--checkpoint", "norm-run"];
      await train(...kept, "--time", "1ms");
      expect((await train(...kept, "--freeze-norms", "5", "--resume")).stderr).toMatch(
        /--freeze-norms was 10 steps, here it is 5 steps/,
      );
      expect((await train(...kept, "--resume")).code).toBe(0);
      expect(readFileSync(join(folder, "n2.onnx"))).toEqual(readFileSync(join(folder, "n1.onnx")));
      await train(...often.slice(2), "-o", "n3.onnx");
      const [one, other] = ["n1.onnx", "n3.onnx"].map(
        (name) => decodeModel(new Uint8Array(readFileSync(join(folder, name))), name).graph!,
      );
      const form = ({ node, initializer }: NonNullable<typeof one>) => [
        node.map(({ opType, input, output }) => [opType, input, output]),
        initializer.map(({ name, dims, dataType }) => [name, dims, dataType]),
      ];
      expect(form(one!)).toEqual(form(other!));
      expect(readFileSync(join(folder, "n1.onnx"))).not.toEqual(readFileSync(join(folder, "n3.onnx")));
    });

    test("learning to the end is told: nothing trains as it is stored", async () => {
      const { code, stdout, stderr } = await train("--freeze-norms", "200", "-o", "n5.onnx");
      expect(stderr).toMatch(
        "warning: --freeze-norms: BatchNormalization learns in all 20 steps, so nothing trains as",
      );
      expect((JSON.parse(stdout) as QatResult).warnings).toHaveLength(1);
      expect(code).toBe(0);
    });

    test.each([
      ["a batch is one sample", ["--batch", "1"]],
      ["no BatchNormalization lies behind a weight that is rounded and trains", ["--freeze", "w"]],
    ])("stays as stored where it cannot learn, and that is told: %s", async (why, more) => {
      const { code, stderr } = await train("--freeze-norms", "10", "-o", "n4.onnx", ...more);
      expect(stderr).toMatch(`warning: without effect: --freeze-norms: ${why}`);
      expect(code).toBe(0);
    });
  });

  test("a plan says what trains, and how long it would take", async () => {
    const { code, stdout } = await run("--int8", "--min-elements", "16", "--dry-run", "--json");
    expect(code).toBe(0);
    const plan = JSON.parse(stdout) as QatPlan;
    expect(plan).toMatchObject({ schema: "deepseek/qat-plan@1", bits: 8, losses: [{ term: "soft", weight: 1 }] });
    expect(plan.secondsPerStep).toBeGreaterThan(0);
    expect(plan.warnings).toEqual([]);
    expect(left()).toEqual([]);
  });

  test("a run with other frozen weights or another rate does not go on from a checkpoint", async () => {
    const argv = [
      "--int8",
      "--min-elements",
      "16",
      "--steps",
      "20",
      "--checkpoint",
      "kept",
      "-o",
      "kept.onnx",
      "--force",
    ];
    expect((await run(...argv, "--freeze", "w1", "--time", "1ms")).code).toBe(0);
    const other = await run(...argv, "--resume");
    expect(other.stderr).toMatch(
      /the checkpoint in kept is of another run: --freeze was w1, here it is not given; leave/,
    );
    const faster = await run(...argv, "--resume", "--freeze", "w1", "--rate", "1e-3");
    expect(faster.stderr).toMatch(
      /the checkpoint in kept is of another run: --rate was 0.00007, here it is 0.001; leave/,
    );
    expect((await run(...argv, "--resume", "--freeze", "w1")).code).toBe(0);
  });

  test("a frozen weight keeps its step sizes, too", async () => {
    const argv = ["--int8", "--min-elements", "16", "--dry-run", "--json"];
    const trained = async (...more: readonly string[]) =>
      (JSON.parse((await run(...argv, ...more)).stdout) as QatPlan).weights.largest.map(({ name }) => name).sort();
    const all = await trained();
    expect(all).toEqual(expect.arrayContaining(["w0", "w0_step", "w1", "w1_step"]));
    expect(await trained("--freeze", "w1")).toEqual(all.filter((name) => !name.startsWith("w1")));
  });

  test("a name of --freeze that no weight has is told", async () => {
    const argv = ["--int8", "--min-elements", "16", "--dry-run", "--json", "--freeze", "w0", "--freeze", "w7"];
    const { code, stdout, stderr } = await run(...argv);
    const words = "without effect: --freeze w7: there is no weight of such a name";
    expect([stderr, code]).toEqual([`warning: ${words}\n`, 0]);
    expect((JSON.parse(stdout) as QatPlan).warnings).toEqual([words]);
  });

  test.each([
    ["no bits", ["model.onnx", "--qat", "--data", "rows.npz"], /say how to compress: --int8 or --int4/],
    ["no samples", ["model.onnx", "--int8", "--qat"], /--qat: give samples to learn from with --data/],
    ["made-up samples", [...basic, "--int8", "--shape", "x=1x8"], /--shape: training needs real samples/],
    ["a teacher", [...basic, "--int8", "--teacher", "t.onnx"], /--teacher: is for --distill/],
    [
      "statistics for distillation",
      [...basic, "--int8", "--batch-norm", "train"],
      /--batch-norm: is for --distill; --freeze-norms/,
    ],
    ["norms without training", ["model.onnx", "--int8", "--freeze-norms", "4"], /--freeze-norms: is for --qat/],
    ["norms that never stand still", [...basic, "--int8", "--freeze-norms", "100%"], /or a share below 1 such as 5%/],
    ["norms for no number", [...basic, "--int8", "--freeze-norms", "abc"], /It must be a number of steps/],
    ["a loss of layers", [...basic, "--int8", "--loss", "relations"], /--loss relations: --qat takes soft/],
    [
      "training without training",
      ["model.onnx", "--int8", "--steps", "4"],
      /--steps: is for training: --distill or --qat/,
    ],
    [
      "pruning",
      [...basic, "--int8", "--prune", "20%", "--steps", "4"],
      /--prune and --qat: choose one; train the pruned/,
    ],
    ["both ways", [...basic, "--int8", "--distill"], /--int8: is for quantizing, which --distill does not do/],
  ])("%s is refused", async (_, argv, message) => {
    const { code, stderr } = await runCommand(compressCommand, argv, folder);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

/** Mean and variance of what a convolution of [8, 2, 3] makes of rows [2, 6]: as training would have left them. */
function statistics(data: Float32Array, weight: Float32Array) {
  const products = Array.from({ length: 8 }, (_, channel) =>
    Array.from({ length: 80 * 4 }, (_, at) => {
      const [row, place] = [Math.floor(at / 4), at % 4];
      let sum = 0;
      for (let tap = 0; tap < 6; tap++) {
        const plane = Math.floor(tap / 3);
        sum += weight[channel * 6 + tap]! * data[row * 12 + plane * 6 + place + (tap % 3)]!;
      }
      return sum;
    }),
  );
  const mean = products.map((own) => own.reduce((sum, one) => sum + one, 0) / own.length);
  const variance = products.map((own, at) => own.reduce((sum, one) => sum + (one - mean[at]!) ** 2, 0) / own.length);
  return [floats("mean", [8], mean), floats("variance", [8], variance)];
}
