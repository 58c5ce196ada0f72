import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { openSession } from "../../src/engine/session.js";
import { encodeNpz } from "../../src/formats/npz.js";
import { decodeModel, encodeModel, makeTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { PrunePlanResult, PruneResult } from "../../src/render/prune-result.js";
import type { DistillResult } from "../../src/render/training-result.js";
import { runCommand } from "../host.js";
import { floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";
import { classifier, rowsFile } from "../training-models.js";

let folder: string;
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
const bytesOf = (name: string) => statSync(join(folder, name)).size;
const left = () => readdirSync(folder).filter((name) => name.startsWith(".") || name.endsWith(".training"));
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-prune-"));
  write("mlp.onnx", encodeModel(classifier(64, 3, 1)));
  write("deep.onnx", encodeModel(classifier(16, 6, 9)));
  write("narrow.onnx", encodeModel(classifier(8, 1, 9)));
  write("image.onnx", encodeModel(image()));
  write("branching.onnx", encodeModel(branching()));
  write("quantized.onnx", encodeModel(quantized()));
  write("kernels.onnx", encodeModel(kernels()));
  write("swishes.onnx", encodeModel(swishes()));
  const images = { dtype: "float32" as const, shape: [6, 1, 96, 96], data: Float32Array.from(wave(6 * 96 * 96, 3)) };
  write("images.npz", encodeNpz(new Map([["x", images]])));
  write("held.onnx", encodeModel(held()));
  write("rows.npz", rowsFile(400, 7));
  write("labels.txt", Array.from({ length: 400 }, (_, at) => `${at % 4}\n`).join(""));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const wave = (size: number, seed: number) => Array.from({ length: size }, (_, at) => Math.sin(seed + at * 1.7) / 4);

/** x [1, 3, 8, 8] through two convolutions and a residual sum. */
function image() {
  return makeModel({
    inputs: [["x", "float32", [1, 3, 8, 8]]],
    outputs: [["y", "float32", [1, 4, 8, 8]]],
    nodes: [
      makeNode("Conv", "stem", ["x", "w0", "b0"], ["a"], { pads: [1, 1, 1, 1] }),
      makeNode("Relu", "", ["a"], ["r"]),
      makeNode("Conv", "body", ["r", "w1"], ["c"], { pads: [1, 1, 1, 1] }),
      makeNode("Add", "sum", ["c", "r"], ["s"]),
      makeNode("Conv", "head", ["s", "w2"], ["y"], { pads: [1, 1, 1, 1] }),
    ],
    initializers: [
      floats("w0", [32, 3, 3, 3], wave(32 * 27, 1)),
      floats("b0", [32], wave(32, 2)),
      floats("w1", [32, 32, 3, 3], wave(32 * 32 * 9, 3)),
      floats("w2", [4, 32, 3, 3], wave(4 * 32 * 9, 4)),
    ],
  });
}

/** x through two layers of one branch or of another; sums of squares never take the second. */
function branching() {
  const layers = (kind: string) => [
    makeNode("MatMul", `${kind}1`, ["x", `${kind}1`], [`${kind}h`]),
    makeNode("Relu", "", [`${kind}h`], [`${kind}r`]),
    makeNode("MatMul", `${kind}2`, [`${kind}r`, `${kind}2`], [`${kind}y`]),
  ];
  const branch = (kind: string) =>
    makeGraph({ outputs: [[`${kind}y`, "float32", ["n", 4]]], nodes: layers(kind), initializers: [] });
  return makeModel({
    inputs: [["x", "float32", ["n", 8]]],
    outputs: [["y", "float32", ["n", 4]]],
    nodes: [
      makeNode("ReduceSumSquare", "sum", ["x"], ["s"], { keepdims: 0 }),
      makeNode("Greater", "taken", ["s", "zero"], ["c"]),
      withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch("a"), else_branch: branch("b") }),
    ],
    initializers: ["a", "b"].flatMap((kind, at) => [
      floats(`${kind}1`, [8, 64], wave(512, at)),
      floats(`${kind}2`, [64, 4], wave(256, at + 2)),
      ...(at === 0 ? [floats("zero", [], [0])] : []),
    ]),
  });
}

/** Weights of 8 bits. */
function quantized() {
  const data = Int8Array.from({ length: 8192 }, (_, at) => (at % 19) - 9);
  return makeModel({
    inputs: [["x", "float32", [1, 64]]],
    outputs: [["y", "float32", [1, 4]]],
    nodes: [
      makeNode("DequantizeLinear", "", ["q", "scale"], ["w"]),
      makeNode("MatMul", "", ["x", "w"], ["h"]),
      makeNode("MatMul", "", ["h", "v"], ["y"]),
    ],
    initializers: [
      makeTensor("q", { dtype: "int8", shape: [64, 128], data }),
      floats("scale", [], [0.1]),
      floats("v", [128, 4], wave(512, 2)),
    ],
  });
}

/** The largest channel of a convolution. */
function kernels() {
  return makeModel({
    inputs: [["x", "float32", [1, 3, 8, 8]]],
    outputs: [["y", "int64", [1, 1, 6, 6]]],
    nodes: [makeNode("Conv", "", ["x", "w"], ["c"]), makeNode("ArgMax", "", ["c"], ["y"], { axis: 1 })],
    initializers: [floats("w", [32, 3, 3, 3], wave(864, 1))],
  });
}

/** An image through hard swishes, each written out in four nodes, which take most of the time. */
function swishes() {
  const nodes = Array.from({ length: 6 }, (_, at) => [
    makeNode("Add", "", [`a${at}`, "three"], [`s${at}`]),
    makeNode("Clip", "", [`s${at}`, "zero", "six"], [`c${at}`]),
    makeNode("Mul", "", [`a${at}`, `c${at}`], [`m${at}`]),
    makeNode("Div", "", [`m${at}`, "six"], [`a${at + 1}`]),
  ]).flat();
  return makeModel({
    inputs: [["x", "float32", [1, 1, 96, 96]]],
    outputs: [["y", "float32", [1, 1, 96, 96]]],
    nodes: [makeNode("Conv", "in", ["x", "w"], ["a0"]), ...nodes, makeNode("Conv", "out", ["a6", "v"], ["y"])],
    initializers: [
      floats("w", [32, 1, 1, 1], wave(32, 1)),
      floats("v", [1, 32, 1, 1], wave(32, 2)),
      ...Object.entries({ zero: 0, three: 3, six: 6 }).map(([name, value]) => floats(name, [], [value])),
    ],
  });
}

/** A weight whose channels are all put out. */
function held() {
  return makeModel({
    inputs: [["x", "float32", [1, 16]]],
    outputs: [["y", "float32", [1, 32]]],
    nodes: [makeNode("MatMul", "all", ["x", "w"], ["y"])],
    initializers: [floats("w", [16, 32], wave(512, 1))],
  });
}

const quick = ["--speed-seconds", "0", "--threads", "1", "--force"];
const run = (...argv: readonly string[]) => runCommand(compressCommand, [...argv, ...quick], folder);
const resultOf = (stdout: string) => JSON.parse(stdout) as PruneResult;

describe("compress --prune", () => {
  test("whole channels go: file, parameters and FLOPs shrink, and outputs equal those with the channels zeroed", async () => {
    const { code, stdout, stderr } = await run(
      "--prune",
      "0.5",
      "image.onnx",
      "-o",
      "out.onnx",
      "--json",
      "--report",
      "r.html",
    );
    expect(stderr).not.toMatch(/error/);
    expect(code).toBe(0);
    const result = resultOf(stdout);
    expect(result.schema).toBe("deepseek/prune@1");
    // residual sums tie the three convolutions: one group
    expect(result.groups.map(({ channels, tensors }) => [channels, tensors])).toEqual([
      [{ before: 32, after: 24 }, ["w0", "b0", "w1", "w2"]],
    ]);
    expect(result.verification!.exactness!.relative).toBeLessThan(1e-5);
    expect(result.parameters.after).toBeLessThan(0.6 * result.parameters.before);
    expect(result.parameters.prunable).toBe(result.parameters.before);
    expect(bytesOf("out.onnx")).toBe(result.output.bytes);
    expect(bytesOf("out.onnx")).toBeLessThan(0.7 * bytesOf("image.onnx"));
    const dims = decodeModel(new Uint8Array(readFileSync(join(folder, "out.onnx"))), "out.onnx").graph!.initializer;
    expect(dims.find(({ name }) => name === "w1")!.dims).toEqual([24n, 24n, 3n, 3n]);
    expect(readFileSync(join(folder, "r.html"), "utf8")).toContain("w0");
    expect(left()).toEqual([]);
  });

  test("prune, recover and quantize in one command, each stage with its share", async () => {
    const { code, stdout } = await run(
      ...[
        "--prune",
        "0.5",
        "mlp.onnx",
        "--distill",
        "--int8",
        "--data",
        "rows.npz",
        "--rows",
        "--labels",
        "labels.txt",
      ],
      ...[
        "--no-compensate",
        "--spread",
        "uniform",
        "--steps",
        "300",
        "--rate",
        "0.003",
        "--max-drop",
        "100%",
        "-o",
        "small.onnx",
        "--json",
      ],
    );
    expect(code).toBe(0);
    const { stages, recovery, quantization, kept, output } = resultOf(stdout);
    expect(stages.map(({ stage }) => stage)).toEqual(["original", "pruned", "recovered", "quantized"]);
    const [original, pruned, recovered, quantized] = stages;
    expect(recovered!.agreement!.sqnrDb!).toBeGreaterThan(pruned!.agreement!.sqnrDb! + 1);
    expect(quantized!.bytes).toBeLessThan(0.25 * original!.bytes);
    expect(recovery!.courses).toHaveLength(1);
    expect(quantization!.decisions.length).toBeGreaterThan(0);
    expect(kept).toBe("quantized");
    expect(output.bytes).toBe(bytesOf("small.onnx"));
    expect(left()).toEqual([]);
  });

  test("a file that is fast enough once it is prepared keeps all channels, and is told of", async () => {
    // half of its nodes go: far more than is asked for
    const args = ["--prune", "0.01", "--by", "latency", "swishes.onnx", "-o", "prepared.onnx"];
    const { code, stdout, stderr } = await run(...args, "--json");
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/by their weights alone/);
    const { latency, channels, groups, notes, parameters } = resultOf(stdout);
    expect(latency!.tries).toEqual([]);
    expect(latency!.reached.ratio).toBe(latency!.prepared);
    expect(channels).toEqual({ before: 32, after: 32 });
    expect(parameters.after).toBe(parameters.before);
    expect(groups[0]!.why).toBe("the file as it was prepared is fast enough");
    expect(notes.join()).toContain("6 hard swish functions written");
    const written = decodeModel(new Uint8Array(readFileSync(join(folder, "prepared.onnx"))), "").graph!.node;
    expect(written).toHaveLength(2 + 2 * 6);
    const recovered = await run(...args, "--distill", "--data", "images.npz", "--rows");
    expect(recovered.code).toBe(0);
    expect(recovered.stderr).toContain("without effect: --distill: no channel went");
    expect(recovered.stdout).toMatch(/by preparing the file alone, before a channel\s+went: so none has to/);
    expect(left()).toEqual([]);
  });

  test("what the steps of widths come to is told where it is not what was asked for", async () => {
    write("sixteen.onnx", encodeModel(classifier(16, 1, 9)));
    const asked = ["--prune", "0.3", "sixteen.onnx", "-o", "half.onnx", "--no-verify", "--json"];
    const { warnings, channels } = resultOf((await run(...asked)).stdout);
    expect(channels).toEqual({ before: 16, after: 8 });
    expect(warnings).toContainEqual(
      expect.stringMatching(
        /^asked for 30\.0 % of the parameters, [45]\d\.\d % went: no widths in steps of --round come nearer; with --round 1 it would be (29|3[01])\.\d %$/,
      ),
    );
    const fine = resultOf((await run(...asked, "--round", "1")).stdout);
    expect(fine.warnings.join()).not.toContain("asked for");
    const plan = await run(...asked.filter((option) => option !== "-o" && option !== "half.onnx"), "--dry-run");
    expect((JSON.parse(plan.stdout) as PrunePlanResult).warnings.join()).toContain("asked for 30.0 %");
  });

  test("rounds of pruning and recovery end where one round does", async () => {
    const { code, stdout } = await run(
      ...["--prune", "0.5", "--prune-rounds", "2", "mlp.onnx", "--distill", "--data", "rows.npz", "--rows"],
      ...["--steps", "20", "-o", "rounds.onnx", "--json"],
    );
    expect(code).toBe(0);
    const { parameters, recovery, stages, groups } = resultOf(stdout);
    expect(parameters.after / parameters.before).toBeGreaterThan(0.42);
    expect(parameters.after / parameters.before).toBeLessThan(0.58);
    expect(recovery!.courses).toHaveLength(2);
    expect(stages.map(({ stage }) => stage)).toEqual(["original", "pruned", "recovered"]);
    expect(groups.reduce((sum, { parameters: own }) => sum + own.before, 0)).toBeGreaterThan(parameters.after);
    expect(left()).toEqual([]);
  });

  test("a plan writes nothing and says what would go", async () => {
    const before = readdirSync(folder);
    const { code, stdout } = await run("--prune", "30%", "mlp.onnx", "--dry-run", "--json");
    expect(code).toBe(0);
    const plan = JSON.parse(stdout) as PrunePlanResult;
    expect(plan.schema).toBe("deepseek/prune-plan@1");
    expect(plan.bytes.after).toBeLessThan(plan.bytes.before);
    expect(readdirSync(folder)).toEqual(before);
  });

  test("names keep groups whole, or choose them; a name that fits nothing is said", async () => {
    const { stdout, stderr } = await run(
      ...["--prune", "0.2", "mlp.onnx", "--keep", "w1", "--keep", "nothing*", "-o", "kept.onnx", "--json"],
    );
    const { groups, warnings } = resultOf(stdout);
    expect(groups.filter(({ tensors }) => tensors.includes("w1")).map(({ channels }) => channels)).toEqual([
      { before: 64, after: 64 },
      { before: 64, after: 64 },
    ]);
    expect(warnings.join()).toMatch(/--keep nothing\*/);
    expect(stderr).toMatch(/warning: .*nothing\*/);
  });

  test("one sample is looked at and measured on; samples of their own can be held out", async () => {
    write("one.npz", rowsFile(1, 3));
    const one = await run("--prune", "0.3", "mlp.onnx", "--data", "one.npz", "--rows", "-o", "one.onnx", "--json");
    expect(one.code).toBe(0);
    expect(resultOf(one.stdout).data).toMatchObject({ samples: 1, heldOut: 1 });
    const other = await run(
      ...["--prune", "0.3", "mlp.onnx", "--data", "rows.npz", "--rows", "--held-out-data", "one.npz"],
      ...["-o", "other.onnx", "--json"],
    );
    expect(other.code).toBe(0);
    expect(resultOf(other.stdout).data).toMatchObject({ samples: 401, heldOut: 1 });
  });

  test("layers can be left out before channels go", async () => {
    const { code, stdout } = await run(
      ...["--drop-layers", "2", "deep.onnx", "--data", "rows.npz", "--rows", "-o", "shallow.onnx", "--json"],
    );
    expect(code).toBe(0);
    const { layers, parameters } = resultOf(stdout);
    expect(layers.filter(({ kept }) => !kept)).toHaveLength(2);
    expect(parameters.after).toBeLessThan(parameters.before);
  });

  test("a student as wide as asked for is made by the pruner", async () => {
    const { code, stdout } = await run(
      ...[
        "--distill",
        "--teacher",
        "mlp.onnx",
        "--student-width",
        "50%",
        "--data",
        "rows.npz",
        "--rows",
        "--steps",
        "10",
      ],
      ...["-o", "student.onnx", "--json"],
    );
    expect(code).toBe(0);
    const { student, teacher } = JSON.parse(stdout) as DistillResult;
    expect(student.parameters / teacher.parameters).toBeLessThan(0.35);
    expect(student.words).toBe("mlp.onnx with 50.0 % of its channels");
  });

  test.each([
    [["--prune", "0"], /--prune/],
    [["--prune", "1"], /--prune/],
    [["--prune", "-0.5"], /--prune/],
    [["--prune", "0.99"], /--prune 0\.99: at most 0\.\d+ of the parameters can go/],
    [
      ["--prune", "0.3", "--by", "latency", "--prune-rounds", "2", "--distill", "--data", "rows.npz"],
      /--by latency and --prune-rounds/,
    ],
    [["--prune", "0.3", "--criterion", "taylor"], /--criterion taylor: looks at samples/],
    [["--prune", "0.3", "--spread", "sensitivity"], /--spread sensitivity: measures damage/],
    [["--prune", "0.3", "--distill"], /--distill: give the samples/],
    [["--prune", "0.3", "--distill", "--data", "rows.npz", "--student", "mlp.onnx"], /--student: leave it out/],
    [["--prune", "0.3", "--qat", "--int8"], /--prune and --qat/],
    [["--prune", "0.3", "--steps", "5"], /--steps: is for recovery after pruning/],
    [["--prune", "0.3", "--block", "32"], /--block: is for quantizing after pruning/],
    [["--int8", "--round", "4"], /--round: is for --prune/],
    [["--prune", "0.3", "--data", "labels.txt"], /labels\.txt/],
    [["--prune", "0.3", "--no-verify", "--max-drop", "1%"], /--max-drop and --no-verify: choose one/],
    [["--prune", "0.3", "--only", "nobody*"], /no tensor or node of them has a name that --only gives/],
  ])("refuses %s", async (argv, message) => {
    const before = readdirSync(folder);
    const { code, stderr } = await run(...argv, "mlp.onnx", "-o", "never.onnx");
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(readdirSync(folder)).toEqual(before);
  });

  test.each([
    ["held.onnx", /--prune 0\.3: nothing in this model can be pruned: held by MatMul .*, graph output/],
    ["narrow.onnx", /already no wider than --round 8/],
    ["kernels.onnx", /held by ArgMax \(uses every index of it\), Conv \(joins axes of which one stays\)$/m],
    ["quantized.onnx", /quantized already .*; prune the float model that it was made of/],
  ])("says why nothing of %s can go", async (model, message) => {
    const { code, stderr } = await run("--prune", "0.3", model, "-o", "never.onnx");
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(join(folder, "never.onnx"))).toBe(false);
  });

  test("what no sample runs through stays whole, and is told", async () => {
    const data = ["branching.onnx", "--data", "rows.npz", "--rows", "-o", "branched.onnx", "--json"];
    const { code, stdout, stderr } = await run("--prune", "0.25", ...data);
    expect(code).toBe(0);
    const left = resultOf(stdout).groups.map(({ name, channels }) => [name, channels.after]);
    expect(left).toEqual([
      ["a1", 32],
      ["b1", 64],
    ]);
    expect(stderr).toContain("warning: no sample of --data changes without b1, so they stay whole");
    const more = await run("--prune", "0.6", ...data);
    expect(more.stderr).toMatch(/--prune 0\.6: at most .* --spread uniform for groups that no sample needs/);
    expect(more.code).toBe(2);
  });

  test("a checkpoint of an earlier run is not overwritten; that is said before any work", async () => {
    mkdirSync(join(folder, "old.onnx.training"));
    write("old.onnx.training/last.safetensors", "kept");
    const argv = ["--prune", "0.5", "mlp.onnx", "--distill", "--data", "rows.npz", "--rows", "-o", "old.onnx"];
    const { code, stderr } = await runCommand(compressCommand, argv, folder);
    expect(stderr).toMatch(/^error: old\.onnx\.training: holds the checkpoint of an earlier run; --resume goes on/);
    expect(code).toBe(2);
    expect(readFileSync(join(folder, "old.onnx.training/last.safetensors"), "utf8")).toBe("kept");
    rmSync(join(folder, "old.onnx.training"), { recursive: true });
  });

  test("what is pruned can be pruned again, and runs", async () => {
    await run("--prune", "0.3", "mlp.onnx", "-o", "once.onnx");
    const { code } = await run("--prune", "0.3", "once.onnx", "-o", "twice.onnx");
    expect(code).toBe(0);
    expect(bytesOf("twice.onnx")).toBeLessThan(bytesOf("once.onnx"));
    const session = await openSession(join(folder, "twice.onnx"));
    const data = Float32Array.from(wave(8, 5));
    const outputs = await session.run(new Map([["x", { dtype: "float32", shape: [1, 8], data }]]));
    expect(outputs.get("scores")!.shape).toEqual([1, 4]);
    await session.close();
  });
});
