import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "@jest/globals";
import type { BenchResult } from "../../src/bench/models/result.js";
import type { Host } from "../../src/cli.js";
import { benchCommandWith } from "../../src/commands/bench.js";
import { startProcess, type Worker } from "../../src/commands/bench-process.js";
import { encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { runCommand } from "../host.js";
import { ocrLines, ocrRecognition } from "../ocr-lines.js";
import { floats, makeModel } from "../onnx-model.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const folder = mkdtempSync(join(tmpdir(), "bench-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The measuring process from its TypeScript source. */
const source: Worker = { script: join(root, "src/commands/bench-worker.ts"), nodeOptions: ["--import", "tsx"] };
const command = benchCommandWith(source);

const save = (name: string, model: ModelProto) => writeFileSync(join(folder, name), encodeModel(model));
/** y = x W W ... W, so that the time grows with the layers. */
const layers = (count: number, output = "y") =>
  makeModel({
    inputs: [["x", "float32", ["n", 64]]],
    outputs: [[output, "float32", ["n", 64]]],
    initializers: [floats("w", [64, 64])],
    nodes: Array.from({ length: count }, (_, at) =>
      makeNode("MatMul", `m${at}`, [at === 0 ? "x" : `v${at}`, "w"], [at === count - 1 ? output : `v${at + 1}`]),
    ),
  });
save("small.onnx", layers(2));
save("large.onnx", layers(100));
save("other.onnx", layers(2, "z"));
save(
  "fixed.onnx",
  makeModel({
    inputs: [["x", "float32", [1, 4]]],
    outputs: [["y", "float32", [1, 4]]],
    nodes: [makeNode("Relu", "r", ["x"], ["y"])],
  }),
);
writeFileSync(join(folder, "labels.txt"), "1\n");

const bench = (...argv: string[]) => runCommand(command, argv, folder);
const brief = ["--time", "0.02", "--warmup", "0.01"];

describe("deepseek bench", () => {
  test("measures models in fresh processes and tells which is slower", async () => {
    const shape = ["--shape", "x=32x64"];
    const models = ["small.onnx", "small.onnx", "large.onnx"];
    // wide enough that only fifty times the work counts as slower
    const { code, stdout } = await bench(
      ...models,
      ...shape,
      ...brief,
      "--tolerance",
      "90%",
      "--json",
      ...["md", "html", "csv", "summary.csv", "xml"].flatMap((ending) => ["--report", `r.${ending}`]),
    );
    const result = JSON.parse(stdout) as BenchResult;
    expect(result.schema).toBe("deepseek/bench@1");
    expect(result.settings).toMatchObject({ rounds: 6, metric: "cpu", threads: 1, tolerance: 0.9 });
    expect(result.samples).toMatchObject({ count: 4, timed: 1, synthetic: true, shapes: { x: ["32x64"] } });
    expect(result.models.map(({ label, role }) => [label, role])).toEqual([
      ["small.onnx", "baseline"],
      ["small.onnx #2", "candidate"],
      ["large.onnx", "candidate"],
    ]);
    for (const model of result.models) {
      expect(model.rounds).toHaveLength(6);
      expect(model.sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(model.cpu.interval!.coverage).toBe(0.96875);
      for (const round of model.rounds) {
        expect(round.samples).toBeGreaterThanOrEqual(3);
        expect(round.peakBytes).toBeGreaterThanOrEqual(round.loadedBytes);
        expect(round.loadSeconds).toBeGreaterThan(0);
      }
    }
    const [same, slower] = result.comparisons;
    expect(same!.time.verdict).not.toBe("slower");
    expect(same!.agreement.outputs[0]).toMatchObject({ name: "y", identical: true });
    expect(slower!.time.verdict).toBe("slower");
    expect(code).toBe(1);
    const report = (ending: string) => readFileSync(join(folder, `r.${ending}`), "utf8");
    expect(report("html")).toMatch(/<b>FAIL<\/b>/);
    expect(report("csv").split("\r\n")).toHaveLength(1 + 3 * 6 + 1);
    expect(report("summary.csv").split("\r\n")).toHaveLength(1 + 3 + 1);
    expect(report("xml")).toContain('<testcase name="large.onnx against small.onnx"');
    expect(report("md")).toMatch(/\*\*large\.onnx\*\* against small\.onnx: \*\*slower/);
  });

  test("one model alone is measured; too few rounds give no verdict, and say so", async () => {
    const { code, stdout } = await bench("small.onnx", "--rounds", "1", ...brief);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^small\.onnx +16\.5 kB/m);
    expect(stdout).toMatch(/warning: 1 round is too few for a 95 % interval/);
    expect(stdout).not.toContain("against");
  });

  test("with more threads the verdict is about wall time, unless told otherwise", async () => {
    const threads = ["small.onnx", "--threads", "2", "--rounds", "1", "--json", ...brief];
    const metric = async (...argv: string[]) =>
      (JSON.parse((await bench(...threads, ...argv)).stdout) as BenchResult).settings.metric;
    expect(await metric()).toBe("wall");
    expect(await metric("--metric", "cpu")).toBe("cpu");
  });

  test("batch sizes, axes and threads are combined, each judged on its own", async () => {
    const argv = [
      "small.onnx",
      "large.onnx",
      "--batch",
      "1,8",
      "--threads",
      "1,2",
      "--rounds",
      "1",
      "--json",
      ...brief,
    ];
    const { stdout } = await bench(...argv);
    const { point, models, sweep, settings } = JSON.parse(stdout) as BenchResult;
    expect(point).toEqual({ label: "batch 1, 1 thread", batch: 1, sizes: {}, threads: 1 });
    expect(sweep.map(({ label, shapes, comparisons }) => [label, shapes["x"], comparisons.length])).toEqual([
      ["batch 8, 1 thread", ["8x64"], 1],
      ["batch 1, 2 threads", ["1x64"], 1],
      ["batch 8, 2 threads", ["8x64"], 1],
    ]);
    expect(settings.metric).toBe("wall");
    expect(models[0]!.throughput).toBeCloseTo(1 / models[0]!.wall.value);
    const eight = sweep[0]!.models[0]!;
    expect(eight.throughput).toBeCloseTo(8 / eight.wall.value);
  });

  test("kept runs are compared with this one and with each other; another machine only on request", async () => {
    const few = ["--rounds", "4", "--tolerance", "90%", ...brief];
    await bench("small.onnx", ...few, "--save", "old.json");
    const now = await bench("large.onnx", ...few, "--baseline", "old.json", "--save", "new.json");
    expect(now.code).toBe(1);
    const both = await bench("old.json", "new.json", "--tolerance", "90%", "--json");
    expect(both.stderr).toBe("");
    const { stored, verdict } = JSON.parse(both.stdout) as BenchResult;
    expect(stored!.comparisons[0]).toMatchObject({
      candidate: "large.onnx",
      sameFile: false,
      time: { verdict: "slower" },
    });
    expect([verdict, both.code]).toEqual(["FAIL", 1]);
    const other = JSON.parse(readFileSync(join(folder, "old.json"), "utf8")) as BenchResult;
    writeFileSync(
      join(folder, "other.json"),
      JSON.stringify({ ...other, environment: { ...other.environment, cores: 99 } }),
    );
    const refused = await bench("other.json", "new.json");
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/another environment: cores 99 then/) });
    expect((await bench("other.json", "new.json", "--any-environment")).code).toBe(1);
  });

  test("a dynamic axis takes the sizes it is given", async () => {
    const { stdout } = await bench("small.onnx", "--axis", "n=2,16", "--rounds", "1", "--json", ...brief);
    const { point, samples, sweep } = JSON.parse(stdout) as BenchResult;
    expect([point.label, samples.shapes["x"]]).toEqual(["n 2", ["2x64"]]);
    expect(sweep.map(({ label, shapes }) => [label, shapes["x"]])).toEqual([["n 16", ["16x64"]]]);
  });

  test("samples are joined to batches, and a metric stands beside the speed", async () => {
    writeFileSync(
      join(folder, "score.mjs"),
      `export const metric = { name: "mean", higherIsBetter: true, score: ({ outputs }) => [...outputs.values()][0].data[0] };`,
    );
    const rows = Array.from({ length: 4 }, (_, at) => JSON.stringify({ x: [Array.from({ length: 64 }, () => at)] }));
    writeFileSync(join(folder, "rows.jsonl"), rows.join("\n"));
    const argv = ["small.onnx", "small.onnx", "--data", "rows.jsonl", "--batch", "2", "--score", "score.mjs"];
    const { stdout, stderr } = await bench(...argv, "--rounds", "1", "--json", ...brief);
    expect(stderr).toBe("");
    const { samples, comparisons } = JSON.parse(stdout) as BenchResult;
    expect(samples).toMatchObject({ count: 4, timed: 4, shapes: { x: ["2x64"] } });
    expect(comparisons[0]!.drop).toMatchObject({ kind: "metric", name: "mean" });
  });

  test("a real model is fed with real samples: compared and timed on all of them", async () => {
    const { code, stdout } = await bench(
      ocrRecognition,
      ocrRecognition,
      "--data",
      ocrLines,
      "--rounds",
      "1",
      ...brief,
      "--json",
    );
    expect(code).toBe(0);
    const { samples, models, comparisons } = JSON.parse(stdout) as BenchResult;
    expect(samples).toMatchObject({ count: 6, timed: 6, source: ocrLines, synthetic: false });
    expect(models.map(({ bytes, label }) => [bytes, label])).toEqual([
      [10_822_323, "ch_PP-OCRv4_rec_infer.onnx"],
      [10_822_323, "ch_PP-OCRv4_rec_infer.onnx #2"],
    ]);
    // every sample weighs the same
    expect(models.map(({ rounds }) => rounds[0]!.samples % 6)).toEqual([0, 0]);
    expect(models[0]!.rounds[0]!.raw!.cpu).toHaveLength(models[0]!.rounds[0]!.samples);
    expect(comparisons[0]!.agreement).toMatchObject({ samples: 6, outputs: [{ identical: true, sqnrDb: null }] });
    expect(comparisons[0]!.time).toMatchObject({ interval: null, verdict: "inconclusive", moreRounds: 5 });
  });

  test("a control is added on request, and inconclusive fails on request", async () => {
    const few = ["--rounds", "1", "--control", ...brief];
    const { code, stdout } = await bench("small.onnx", "small.onnx", ...few, "--inconclusive", "fail");
    expect(code).toBe(1);
    expect(stdout).toContain("small.onnx #3 (control)");
    expect(stdout).toMatch(/no verdict with 1 round; 6 are the least/);
    expect(stdout).toMatch(/warning: the noise floor could not be measured/);
  });

  test.each([
    [
      "other outputs",
      ["small.onnx", "other.onnx"],
      /^error: other\.onnx and small\.onnx cannot be compared: their outputs are z and y/,
    ],
    ["a missing file", ["nope.onnx"], /^error: nope\.onnx: cannot read the model/],
    [
      "a shape that does not fit",
      ["small.onnx", "--shape", "x=1x63"],
      /^error: --shape x=1x63: axis 1 of input "x" is fixed at 64/,
    ],
    ["samples that are not there", ["small.onnx", "--data", "nope"], /^error: --data nope: no such file or folder/],
    [
      "a session entry without a value",
      ["small.onnx", "--session", "a"],
      /^error: --session a: write it as <key>=<value>/,
    ],
    [
      "a session entry that onnxruntime refuses",
      ["small.onnx", "--threads", "2", "--session", "session.intra_op_thread_affinities=x"],
      /small\.onnx: onnxruntime cannot load it: .*digits: x/,
    ],
    ["a batch of a fixed size", ["fixed.onnx", "--batch", "4"], /^error: --batch 4: the leading axis of every input/],
    [
      "an axis that is not there",
      ["small.onnx", "--axis", "seq=4"],
      /^error: --axis seq: the model has no such dynamic axis; it has n/,
    ],
    ["an axis without sizes", ["small.onnx", "--axis", "n"], /^error: --axis n: write it as <name>=<sizes>/],
    ["a batch of none", ["small.onnx", "--batch", "0"], /argument '0' is invalid\. It must be whole numbers/],
    ["labels of another length", ["small.onnx", "small.onnx", "--labels", "labels.txt"], /labels\.txt/],
    ["no rounds", ["small.onnx", "--rounds", "0"], /argument '0' is invalid\. It must be a whole number from 1 to 200/],
    ["no time", ["small.onnx", "--time", "-1"], /argument '-1' is invalid\. It must be a time above 0 such as 500ms/],
    ["a tolerance of 500 %", ["small.onnx", "--tolerance", "5"], /argument '5' is invalid\. It must be a share/],
  ])("%s is refused in a line", async (_, argv, message) => {
    const { code, stdout, stderr } = await bench(...argv);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("    at ");
  });
});

describe("the measuring process", () => {
  const script = (name: string, text: string): Worker => {
    writeFileSync(join(folder, name), text);
    return { script: join(folder, name), nodeOptions: [] };
  };
  const job = { path: join(folder, "small.onnx"), session: {}, batches: [], warmUpSeconds: 0.01 };
  let interrupt: (() => void) | undefined;
  const host = {
    onInterrupt(undo: () => void) {
      interrupt = undo;
      return () => {
        interrupt = undefined;
      };
    },
  } as unknown as Host;

  test.each([
    [
      "that is killed",
      "process.on('message', () => process.kill(process.pid, 'SIGKILL'));",
      /^m: .*ended by SIGKILL; the machine may be out of memory$/,
    ],
    [
      "that gives up",
      "process.on('message', () => { console.error('boom'); process.exit(3); });",
      /^m: .*exit code 3 \(boom\)$/,
    ],
    [
      "whose model cannot run",
      "process.on('message', () => process.send({ error: 'm: bad model', user: true }));",
      /^m: bad model$/,
    ],
  ])("%s ends the benchmark with the model's name", async (_, text, message) => {
    const started = startProcess(host, script("worker.mjs", text), "m", job);
    await expect(started).rejects.toMatchObject({ name: "UserError", message: expect.stringMatching(message) });
    expect(interrupt).toBeUndefined();
  });

  test("ends with Ctrl-C, whatever it is doing", async () => {
    const alive = join(folder, "alive");
    const text = `import { writeFileSync } from "node:fs";
      process.on("message", () => { writeFileSync(${JSON.stringify(alive)}, String(process.pid)); for (;;); });`;
    const started = startProcess(host, script("endless.mjs", text), "m", job);
    started.catch(() => {});
    while (!existsSync(alive) || readFileSync(alive, "utf8") === "") await new Promise((wake) => setTimeout(wake, 20));
    const pid = Number(readFileSync(alive, "utf8"));
    interrupt!();
    await expect(started).rejects.toThrow(/ended by SIGKILL/);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
  });
});
