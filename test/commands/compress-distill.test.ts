import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { uniform } from "../../src/data/random.js";
import { encodeNpz } from "../../src/formats/npz.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { DistillPlan, DistillResult } from "../../src/render/training-result.js";
import { runCommand, withoutProgress } from "../host.js";
import { floats, ints, makeModel, withGraphs } from "../onnx-model.js";
import { classifier, rowsFile } from "../training-models.js";

let folder: string;
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-distill-"));
  write("teacher.onnx", encodeModel(classifier(32, 3, 1)));
  write("student.onnx", encodeModel(classifier(12, 1, 50)));
  write("deep.onnx", encodeModel(classifier(16, 6, 9)));
  write("rows.npz", rowsFile(400, 7));
  write("labels.txt", Array.from({ length: 400 }, (_, at) => `${at % 4}\n`).join(""));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const basic = ["--distill", "--data", "rows.npz", "--rows", "--threads", "1", "--speed-seconds", "0"];
const run = (...argv: readonly string[]) => runCommand(compressCommand, [...basic, ...argv], folder);
const pair = ["--teacher", "teacher.onnx", "--student", "student.onnx"];
const quick = [...pair, "--steps", "60", "--rate", "0.02", "--force"];
const left = () => readdirSync(folder).filter((name) => name.startsWith(".") || name.endsWith(".training"));

describe("compress --distill", () => {
  test("a student file learns what its teacher says, and the report shows how much", async () => {
    const { code, stdout, stderr } = await run(...quick, "-o", "out.onnx", "--json", "--report", "report.html");
    expect(stderr).not.toMatch(/error|warning/);
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as DistillResult;
    expect(result.schema).toBe("deepseek/distill@1");
    const [teacher, before, after] = result.scores;
    expect(teacher!.agreement).toBeNull();
    expect(after!.agreement!.topOne!).toBeGreaterThan(before!.agreement!.topOne! + 0.2);
    expect(result.losses.map(({ term, pairs }) => [term, pairs])).toEqual([
      ["soft", [{ student: "logits", teacher: "logits" }]],
    ]);
    expect(result.training.curve).toHaveLength(60);
    expect(result.training.evaluations).toHaveLength(10);
    // not by how many answers are the same: most are, where most are the same one
    expect(result.training.measure).toEqual({ name: "KL from the teacher's outputs", higherIsBetter: false });
    // and that distance is shown, with the best step's
    const best = result.training.evaluations.find(({ step }) => step === result.training.bestStep)!;
    expect(teacher!.measured).toBeNull();
    expect(after!.measured).toBeCloseTo(best.value, 4);
    expect(after!.measured!).toBeLessThan(before!.measured!);
    expect(result.data).toMatchObject({ training: 360, heldOut: 40, labelled: false });
    const page = readFileSync(join(folder, "report.html"), "utf8");
    expect(page).toMatch(/How training went/);
    expect(page).toMatch(
      /KL from the teacher&#39;s outputs, which chose the best step: [\d.]+ student before, [\d.]+ student after/,
    );
    expect(page).toMatch(/<th[^>]*>KL from the teacher&#39;s outputs<\/th>/);
    expect(existsSync(join(folder, "out.onnx"))).toBe(true);
    expect(left()).toEqual([]);
  });

  test("with labels both count; a student of other layers and names is made from the teacher", async () => {
    const { code, stdout, stderr } = await run(
      ...["--teacher", "teacher.onnx", "--student-params", "60%", "--labels", "labels.txt", "--steps", "20"],
      ...["-o", "made.onnx", "--json"],
    );
    expect(stderr).toMatch(/^making the student/);
    expect(code).toBe(0);
    const { teacher, student, losses, metric, scores } = JSON.parse(stdout) as DistillResult;
    expect(student.parameters).toBeLessThanOrEqual(0.61 * teacher.parameters);
    expect(losses.map(({ term, weight }) => [term, weight])).toEqual([
      ["soft", 0.9],
      ["hard", 0.1],
    ]);
    expect(metric).toEqual({ name: "top-1 accuracy", higherIsBetter: true });
    expect(scores.every((score) => score.metric !== null && score.measured === score.metric)).toBe(true);
  });

  test("labels are for the output that they fit, in the loss and in what is measured, and reports name it", async () => {
    const model = (seed: number, eye: boolean) => {
      const next = uniform(seed);
      const fine = Array.from({ length: 32 }, (_, at) => (eye ? (at % 5 === 0 && at < 20 ? 9 : 0) : next() - 0.5));
      return makeModel({
        inputs: [["x", "float32", ["n", 8]]],
        outputs: [
          ["coarse", "float32", ["n", 2]],
          ["fine", "float32", ["n", 4]],
        ],
        nodes: [
          makeNode("MatMul", "m0", ["x", "w0"], ["c"]),
          makeNode("MatMul", "m1", ["x", "w1"], ["f"]),
          makeNode("Softmax", "s0", ["c"], ["coarse"], { axis: 1 }),
          makeNode("Softmax", "s1", ["f"], ["fine"], { axis: 1 }),
        ],
        initializers: [floats("w0", [8, 2]), floats("w1", [8, 4], fine)],
      });
    };
    write("heads.onnx", encodeModel(model(1, true)));
    write("heads-student.onnx", encodeModel(model(2, false)));
    const next = uniform(3);
    const data = Float32Array.from({ length: 400 * 8 }, () => next() - 0.5);
    write("heads.npz", encodeNpz(new Map([["x", { dtype: "float32", shape: [400, 8], data }]])));
    const classes = Array.from({ length: 400 }, (_, at) => {
      const scores = [...data.subarray(8 * at, 8 * at + 4)];
      return scores.indexOf(Math.max(...scores));
    });
    write("heads.txt", classes.map((one) => `${one}\n`).join(""));
    const common = ["--data", "heads.npz", "--labels", "heads.txt", "--steps", "40", "--json", "--force", "--rows"];
    for (const argv of [
      [
        "--distill",
        "--teacher",
        "heads.onnx",
        "--student",
        "heads-student.onnx",
        "--rate",
        "0.05",
        "-o",
        "heads-out.onnx",
      ],
      ["heads.onnx", "--qat", "--int8", "--min-elements", "16", "-o", "heads-int8.onnx"],
    ]) {
      const { code, stdout, stderr } = await runCommand(compressCommand, [...argv, ...common], folder);
      expect([code, withoutProgress(stderr)]).toEqual([0, ""]);
      const { metric, scores, losses } = JSON.parse(stdout) as DistillResult;
      expect(metric!.name).toBe('top-1 accuracy of "fine"');
      expect(scores[0]!.metric).toBe(1);
      expect(scores[2]!.metric).toBeGreaterThan(0.5);
      const pairs = losses.find(({ term }) => term === "hard")!.pairs;
      expect(pairs.map(({ teacher }) => teacher)).toEqual(["labels"]);
      expect(pairs[0]!.student).toMatch(/^(fine|f)$/);
    }
  });

  test("layers are kept by number, and their plan is shown without writing anything", async () => {
    const argv = ["--teacher", "teacher.onnx", "--student-layers", "0", "--dry-run"];
    const { code, stderr } = await run(...argv);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--student-layers 0: teacher\.onnx has 2 layers that could be left out; keep 1 to 1/);
    const done = await run(...argv.with(3, "1"), "--json");
    expect(done.stderr).toMatch(/^making the student/);
    const plan = JSON.parse(done.stdout) as DistillPlan;
    expect(plan.schema).toBe("deepseek/distill-plan@1");
    expect(plan.student.layers.filter(({ kept }) => kept)).toHaveLength(1);
    expect(plan.weights).toMatchObject({ tensors: 6 });
    expect(plan.secondsPerStep).toBeGreaterThan(0);
    const text = await run(...argv.with(3, "1,0").with(3, "1"));
    expect(text.stdout).toMatch(/Plan to distill teacher\.onnx\n {2}nothing was written\n.*about \d+ s in all/);
    expect(text.stdout).toMatch(/left out/);
    expect(existsSync(join(folder, "teacher.student.onnx"))).toBe(false);
    expect(left()).toEqual([]);
  });

  test("frozen weights stay, layers are compared, and what the teacher said is kept for the next run", async () => {
    const { code, stdout, stderr } = await run(
      ...["--teacher", "deep.onnx", "--student-layers", "3", "--steps", "5", "--loss", "soft=1,hidden=0.5"],
      ...["--freeze", "w0", "--cache", "said", "-o", "frozen.onnx", "--json", "--log", "log.jsonl", "--force"],
    );
    expect([stderr, code]).toEqual([expect.stringMatching(/^making the student.*\n/), 0]);
    const { losses, weights } = JSON.parse(stdout) as DistillResult;
    expect(losses[1]!.pairs.length).toBeGreaterThan(0);
    expect(weights.largest.map(({ name }) => name)).not.toContain("w0");
    const log = readFileSync(join(folder, "log.jsonl"), "utf8").trim().split("\n");
    expect(log.map((line) => JSON.parse(line).step)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect(JSON.parse(log[0]!).terms).toEqual({ soft: expect.any(Number), hidden: expect.any(Number) });
    expect(readdirSync(join(folder, "said")).length).toBeGreaterThan(10);
  });

  test("names of --freeze that no weight has are told before training, and stand in the report", async () => {
    const argv = [...quick, "--steps", "1", "--freeze", "w0", "--freeze", "encoder.*", "-o", "typo.onnx", "--json"];
    const { code, stdout, stderr } = await run(...argv);
    const words = "without effect: --freeze encoder.*: there is no weight of such a name";
    expect([stderr, code]).toEqual([`warning: ${words}\n`, 0]);
    expect((JSON.parse(stdout) as DistillResult).warnings).toEqual([words]);
    const plan = await run(...argv, "--dry-run", "--cache", "unsaid");
    expect(readdirSync(folder)).not.toContain("unsaid");
    expect(plan.stderr).toBe(`warning: ${words}\n`);
    expect((JSON.parse(plan.stdout) as DistillPlan).warnings).toEqual([words]);
  });

  test("frames that are surely blanks weigh less, also where there are many classes", async () => {
    const wide = (seed: number) => {
      const next = uniform(seed);
      // the blank is all or nothing, by the sign of the first input
      const weights = Array.from({ length: 8 * 1100 }, (_, at) => (at === 0 ? 40 : 4 * (next() - 0.5)));
      return makeModel({
        inputs: [["x", "float32", ["n", 8]]],
        outputs: [["y", "float32", ["n", 1100]]],
        nodes: [
          makeNode("MatMul", "head", ["x", "w"], ["logits"]),
          makeNode("Softmax", "softmax", ["logits"], ["y"], { axis: 1 }),
        ],
        initializers: [floats("w", [8, 1100], weights)],
      });
    };
    write("wide.onnx", encodeModel(wide(1)));
    write("wide-student.onnx", encodeModel(wide(2)));
    const lossWith = async (...more: readonly string[]) => {
      const { code } = await run(
        ...["--teacher", "wide.onnx", "--student", "wide-student.onnx", "--steps", "1", "--rate", "0"],
        ...["-o", "wide-out.onnx", "--log", "wide.jsonl", "--force", ...more],
      );
      expect(code).toBe(0);
      return JSON.parse(readFileSync(join(folder, "wide.jsonl"), "utf8").split("\n")[0]!).loss as number;
    };
    expect(await lossWith("--blank-weight", "0.01")).toBeGreaterThan(1.3 * (await lossWith()));
  });

  test("a run that goes on from a checkpoint ends with the same bytes", async () => {
    const whole = [...quick, "--steps", "40", "--evaluate-every", "10", "--checkpoint", "kept", "-o", "whole.onnx"];
    expect((await run(...whole)).code).toBe(0);
    // the run that was killed is one whose time was over
    const cut = [...whole.with(whole.indexOf("kept"), "cut").with(whole.indexOf("whole.onnx"), "cut.onnx")];
    expect((await run(...cut, "--time", "1ms")).stdout).toMatch(/--time ended it/);
    const { code, stdout } = await run(...cut, "--resume");
    expect(code).toBe(0);
    expect(stdout).toMatch(/gone on from step 1\b/);
    expect(readFileSync(join(folder, "cut.onnx")).equals(readFileSync(join(folder, "whole.onnx")))).toBe(true);
    expect(readFileSync(join(folder, "cut/log.jsonl"), "utf8")).toBe(
      readFileSync(join(folder, "kept/log.jsonl"), "utf8"),
    );
    const other = await run(...cut, "--resume", "--temperature", "3");
    expect(other.stderr).toMatch(
      /--resume: the checkpoint in cut is of another run: temperature was 2, here it is 3; leave --resume out/,
    );
    for (const [option, value, words] of [
      ["--rate", "0.01", "--rate was 0.02, here it is 0.01"],
      ["--schedule", "linear", "--schedule was cosine, here it is linear"],
      ["--freeze", "b*", "--freeze was not given, here it is b\\*"],
    ] as const) {
      const { code, stderr } = await run(...cut, "--resume", option, value);
      expect(stderr).toMatch(
        new RegExp(`^error: --resume: the checkpoint in cut is of another run: ${words}; leave --r`),
      );
      expect(code).toBe(2);
    }
    const anew = await run(...cut.filter((one) => one !== "--force"), "-o", "new.onnx");
    expect(anew.stderr).toMatch(/cut: holds the checkpoint of an earlier run; --resume goes on from it, --force/);
  });

  test("a loss that is no number any more stops the run and leaves the last good checkpoint", async () => {
    const { code, stderr } = await run(
      ...[...pair, "--steps", "50", "--rate", "100", "--clip-norm", "0", "--optimizer", "sgd", "--warm-up", "0"],
      ...["--evaluate-every", "1", "-o", "nan.onnx", "--loss", "mse", "--schedule", "constant"],
    );
    expect(stderr).toMatch(
      /^error: step \d+: .*(NaN|finite|Infinity).*; the last good checkpoint is in nan\.onnx\.training/,
    );
    expect(code).toBe(2);
    expect(existsSync(join(folder, "nan.onnx"))).toBe(false);
    rmSync(join(folder, "nan.onnx.training"), { recursive: true });
  });

  test("a sample that holds NaN is named, and a label that is no number among classes", async () => {
    const data = Float32Array.from({ length: 400 * 8 }, (_, at) => (at === 801 ? Number.NaN : Math.sin(at)));
    write("nan.npz", encodeNpz(new Map([["x", { dtype: "float32", shape: [400, 8], data }]])));
    const { code, stderr } = await run(...quick, "--data", "nan.npz", "-o", "n.onnx");
    expect(stderr).toMatch(/^error: nan\.npz\[100\]: input "x" holds NaN or infinity, .*; leave the sample out\n$/);
    expect(code).toBe(2);
    write("cat.txt", Array.from({ length: 400 }, (_, at) => `${at === 7 ? "cat" : at % 4}\n`).join(""));
    const text = await run(...quick, "--labels", "cat.txt", "-o", "n.onnx");
    expect(text.stderr).toMatch(
      /^error: --labels: rows\.npz\[7\] has the text "cat"; class numbers are wanted \(a --metric file can score texts\)\n$/,
    );
    expect(left()).toEqual([]);
  });

  // the very first, some to train on, some held out
  test.each([0, 5, 17, 33, 39])("sample %i is named that has a number which no table has", async (bad) => {
    const reader = makeModel({
      inputs: [["ids", "int64", ["n", 6]]],
      outputs: [["scores", "float32", ["n", 4]]],
      nodes: [
        makeNode("Gather", "look", ["table", "ids"], ["rows"]),
        makeNode("ReduceMean", "mean", ["rows"], ["h"], { axes: [1], keepdims: 0 }),
        makeNode("MatMul", "up", ["h", "u"], ["g"]),
        makeNode("MatMul", "head", ["g", "w"], ["scores"]),
      ],
      initializers: [floats("table", [20, 8]), floats("u", [8, 8]), floats("w", [8, 4])],
    });
    write("reader.onnx", encodeModel(reader));
    const data = BigInt64Array.from({ length: 40 * 6 }, (_, at) => (at === bad * 6 + 2 ? 99n : BigInt(at % 20)));
    write("ids.npz", encodeNpz(new Map([["ids", { dtype: "int64", shape: [40, 6], data }]])));
    const common = ["--data", "ids.npz", "--rows", "--threads", "1", "--steps", "50", "--force", "-o", "n.onnx"];
    const named = `ids.npz[${bad}]: reader.onnx cannot be run on it: input "ids" holds 99, and node look (Gather) has -20 to 19`;
    for (const mode of [
      ["--distill", "--teacher", "reader.onnx", "--student", "reader.onnx"],
      ["reader.onnx", "--qat", "--int8", "--min-elements", "16"],
    ]) {
      const { code, stderr } = await runCommand(compressCommand, [...mode, ...common], folder);
      expect(stderr).toMatch(`error: ${named}; correct the sample, or leave it out`);
      expect(code).toBe(2);
    }
    const rounding = ["reader.onnx", "--int8", "--min-elements", "16", "--data", "ids.npz", "--rows", "-o", "n.onnx"];
    const { code, stderr } = await runCommand(compressCommand, rounding, folder);
    expect(stderr).toMatch(`error: ${named}; correct the sample, or leave it out`);
    expect(code).toBe(2);
    rmSync(join(folder, "n.onnx.training"), { recursive: true, force: true });
  });

  test.each([
    [
      "a number of layers that is none",
      ["--teacher", "teacher.onnx", "--student-layers", "x"],
      /--student-layers <n>' argument 'x' is invalid. It must be how many layers to keep, such as 6, or their numbers/,
    ],
    [
      "a layer that is named twice",
      ["--teacher", "teacher.onnx", "--student-layers", "0,0"],
      /--student-layers <n>' argument '0,0' is invalid. .* each once: 0,2,4/,
    ],
    [
      "a layer that there is not",
      ["--teacher", "deep.onnx", "--student-layers", "0,9"],
      /--student-layers 0,9: deep\.onnx has 5 layers that could be left out; name some by numbers from 0 to 4/,
    ],
    ["no student", ["--teacher", "teacher.onnx"], /--distill: say who learns: --student <file>/],
    ["two students", [...pair, "--student-layers", "2"], /--distill: give one student/],
    [
      "a student too narrow",
      ["--teacher", "teacher.onnx", "--student-width", "0.01"],
      /--student-width 0\.01: to narrow it by as much: at most 0\.\d+ of the channels can go/,
    ],
    ["no teacher", ["--student", "student.onnx"], /--distill: name the model that teaches with --teacher/],
    ["two teachers", ["other.onnx", ...pair], /other\.onnx and --teacher teacher\.onnx: give the teacher once/],
    ["an option of quantizing", [...pair, "--block", "32"], /--block: is for quantizing/],
    ["a loss that there is not", [...pair, "--loss", "soft=1,warm=2"], /--loss soft=1,warm=2: there is no loss "warm"/],
    ["hard targets without labels", [...pair, "--loss", "hard"], /--loss hard: give the labels with --labels/],
    ["layers of nothing", [...pair, "--pairs", "0:0"], /--pairs: is for losses of layers/],
    ["nothing to go on from", [...pair, "--resume", "-o", "n.onnx"], /--resume: n\.onnx\.training holds no checkpoint/],
    [
      "all weights frozen",
      [...pair, "--freeze", "*", "-o", "n.onnx"],
      /student\.onnx: nothing to train: every weight is frozen/,
    ],
    ["an output that is an input", [...pair, "-o", "teacher.onnx", "--force"], /teacher\.onnx: is an input itself/],
    ["a log that is an input", [...pair, "--log", "teacher.onnx", "--force"], /teacher\.onnx: is an input itself/],
    ["samples as output", [...pair, "-o", "rows.npz", "--force"], /rows\.npz: is an input itself/],
    ["a log that is the output", [...pair, "-o", "n.onnx", "--log", "n.onnx"], /--log n\.onnx: is what -o writes, too/],
    [
      "one file for log and labels",
      [...pair, "--labels", "labels.txt", "--log", "labels.txt", "--force"],
      /labels\.txt: is an input itself/,
    ],
    ["steps and epochs", [...pair, "--steps", "3", "--epochs", "1"], /--steps and --epochs: give one of them/],
  ])("%s is refused", async (_, argv, message) => {
    const { code, stderr } = await run(...argv);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(left()).toEqual([]);
  });

  test("a quantized student is refused, and so is one made of a quantized teacher, which may well teach", async () => {
    await runCommand(
      compressCommand,
      ["teacher.onnx", "--int8", "--min-elements", "16", "--shape", "x=4x8", "-o", "int8.onnx", "--max-drop", "99%"],
      folder,
    );
    const student = await run("--teacher", "teacher.onnx", "--student", "int8.onnx", "-o", "n.onnx");
    expect(student.stderr).toMatch(
      /^error: int8\.onnx: is quantized already \(.*\); a student learns in floats: give the model that it was made of\n$/,
    );
    const made = await run("--teacher", "int8.onnx", "--student-params", "60%", "-o", "n.onnx");
    expect(made.stderr).toMatch(
      /^error: int8\.onnx: is quantized already \(.*\); a student made of it could not learn: name/,
    );
    const taught = await run("--teacher", "int8.onnx", "--student", "student.onnx", "--steps", "2", "--dry-run");
    expect([student.code, made.code, taught.code]).toEqual([2, 2, 0]);
  });

  test("an operator that has no gradient is named with its node", async () => {
    const hard = makeModel({
      inputs: [["x", "float32", ["n", 8]]],
      outputs: [["scores", "float32", ["n", 4]]],
      nodes: [makeNode("MatMul", "m", ["x", "w"], ["z"]), makeNode("Hardmax", "hard", ["z"], ["scores"], { axis: 1 })],
      initializers: [floats("w", [8, 4])],
    });
    write("hard.onnx", encodeModel(hard));
    const { code, stderr } = await run("--teacher", "teacher.onnx", "--student", "hard.onnx", "-o", "n.onnx");
    expect(stderr).toMatch(/^error: .*node hard \(Hardmax\).*no gradient/);
    expect(stderr).toMatch(
      /^error: hard\.onnx: .*; all weights that train lie before it, so the model cannot be trained\n/,
    );
    expect(code).toBe(2);
    expect(left()).toEqual([]);
  });

  test("weights before a loop are named, also those that only its body reads, and can be frozen", async () => {
    const body = makeModel({
      inputs: [
        ["round", "int64", []],
        ["going", "bool", []],
        ["h", "float32", ["n", 8]],
      ],
      outputs: [
        ["still", "bool", []],
        ["h2", "float32", ["n", 8]],
      ],
      nodes: [makeNode("Identity", "keep", ["going"], ["still"]), makeNode("MatMul", "turn", ["h", "inner"], ["h2"])],
    }).graph!;
    const model = makeModel({
      inputs: [["x", "float32", ["n", 8]]],
      outputs: [["scores", "float32", ["n", 4]]],
      nodes: [
        makeNode("MatMul", "first", ["x", "outer"], ["h0"]),
        withGraphs(makeNode("Loop", "loop", ["rounds", "", "h0"], ["h1"]), { body }),
        makeNode("MatMul", "head", ["h1", "last"], ["scores"]),
      ],
      initializers: [floats("outer", [8, 8]), floats("inner", [8, 8]), floats("last", [8, 4]), ints("rounds", [2])],
    });
    write("loop.onnx", encodeModel(model));
    const argv = ["--teacher", "teacher.onnx", "--student", "loop.onnx", "--steps", "3", "-o", "l.onnx"];
    const { code, stderr } = await run(...argv);
    expect(stderr).toBe(
      'error: loop.onnx: node loop (Loop): this operator has no gradient here; keep the weights before it as they are: --freeze "outer" --freeze "inner"\n',
    );
    expect(code).toBe(2);
    expect(left()).toEqual([]);
    expect((await run(...argv, "--freeze", "outer", "--freeze", "inner")).code).toBe(0);
  });

  test("models and data that do not belong together are refused by name", async () => {
    write("other.onnx", encodeModel(classifier(8, 1, 3, false)));
    write("wide.npz", encodeNpz(new Map([["x", { dtype: "float32", shape: [9, 7], data: new Float32Array(63) }]])));
    write("wrong.txt", Array.from({ length: 400 }, (_, at) => `${at === 17 ? 9 : 0}\n`).join(""));
    const text = makeModel({
      inputs: [["y", "float32", ["n", 8]]],
      outputs: [["z", "float32", ["n", 8]]],
      nodes: [makeNode("MatMul", "m", ["y", "w"], ["z"])],
      initializers: [floats("w", [8, 8])],
    });
    write("stranger.onnx", encodeModel(text));
    const stranger = await run("--teacher", "teacher.onnx", "--student", "stranger.onnx", "-o", "n.onnx");
    expect(stranger.stderr).toMatch(/teacher teacher\.onnx and student stranger\.onnx take different inputs/);
    const wide = await run(...pair, "-o", "n.onnx", "--data", "wide.npz");
    expect(wide.stderr).toMatch(/wide\.npz.*array "x": the model expects shape .*8.*, found .*7/);
    const labels = await run(...pair, "-o", "n.onnx", "--labels", "wrong.txt");
    expect(labels.stderr).toMatch(/--labels: .*rows\.npz\[17\] has class 9; output "scores" has classes 0 to 3/);
    expect([stranger.code, wide.code, labels.code]).toEqual([2, 2, 2]);
    expect(left()).toEqual([]);
  });
});
