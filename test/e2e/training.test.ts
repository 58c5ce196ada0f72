import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { encodeModel } from "../../src/formats/onnx.js";
import { classifier, rowsFile } from "../training-models.js";

/* Training in the built program: its thread, Ctrl-C, and what it makes of rubbish. Needs the built programs. */
const program = join(process.cwd(), "bin/deepseek.js");

let folder: string;
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "training-"));
  write("teacher.onnx", encodeModel(classifier(64, 3, 1)));
  write("student.onnx", encodeModel(classifier(32, 2, 50)));
  write("rows.npz", rowsFile(1000, 7));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program; `during` may send it signals. */
function run(argv: readonly string[], during: (signal: () => void) => Promise<void> = async () => {}): Promise<Ended> {
  const child = spawn(process.execPath, [program, "compress", ...argv], { cwd: folder });
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

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until something stands in a log: the first step is done. */
const appears = async (name: string) => {
  const size = () => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  while (size() === 0) await pause(5);
};

const distill = [
  ...["--distill", "--teacher", "teacher.onnx", "--student", "student.onnx", "--data", "rows.npz", "--rows"],
  ...["--threads", "1", "--speed-seconds", "0", "--evaluate-every", "700", "--steps", "3000"],
];

describe("training in the built program", () => {
  test("Ctrl-C keeps a checkpoint, and a run that goes on from it ends with the same bytes", async () => {
    const whole = await run([...distill, "-o", "whole.onnx"]);
    expect([whole.code, whole.stderr]).toEqual([0, expect.not.stringMatching(/error|warning/)]);
    const cut = await run([...distill, "-o", "cut.onnx", "--log", "cut.jsonl"], async (interrupt) => {
      await appears("cut.jsonl");
      interrupt();
    });
    expect(cut.code).toBe(130);
    expect(cut.stderr).toMatch(
      /stopped after step [\d,]+ of 3,000; the same command with --resume goes on from cut\.onnx\.training/,
    );
    expect(existsSync(join(folder, "cut.onnx"))).toBe(false);
    const resumed = await run([...distill, "-o", "cut.onnx", "--log", "cut.jsonl", "--resume", "--json"]);
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.not.stringMatching(/error|warning/)]);
    const { training } = JSON.parse(resumed.stdout) as { training: { resumedAt: number; steps: number } };
    expect(training.resumedAt).toBeGreaterThan(0);
    expect(training.resumedAt).toBeLessThan(3000);
    expect(readFileSync(join(folder, "cut.onnx")).equals(readFileSync(join(folder, "whole.onnx")))).toBe(true);
    const steps = readFileSync(join(folder, "cut.jsonl"), "utf8").match(/"kind":"step"/g);
    expect(steps).toHaveLength(3000);
    expect(readdirSync(folder).filter((name) => name.startsWith(".") || name.endsWith(".training"))).toEqual([]);
  });

  test("Ctrl-C while the student is made, and twice while it trains, ends with 130 and leaves no result", async () => {
    write("deep.onnx", encodeModel(classifier(256, 12, 1)));
    const made = ["--distill", "--teacher", "deep.onnx", "--data", "rows.npz", "--rows", "--batch", "256"];
    // onnxruntime is at work at some of these moments
    for (const wait of [0, 20, 40]) {
      const early = await run([...made, "--student-params", "50%", "-o", "early.onnx"], async (interrupt) => {
        while (!readdirSync(folder).some((name) => name.startsWith(".deepseek-"))) await pause(5);
        await pause(300 + wait);
        interrupt();
      });
      expect([early.code, early.stderr]).toEqual([
        130,
        expect.stringMatching(/\ninterrupted(?![\s\S]*(terminate|error))/),
      ]);
    }
    const late = await run(
      [...made, "--student-layers", "9", "-o", "late.onnx", "--log", "late.jsonl"],
      async (interrupt) => {
        await appears("late.jsonl");
        interrupt();
        await pause(10);
        interrupt();
      },
    );
    expect([late.code, late.stderr]).toEqual([130, expect.not.stringMatching(/terminate|error/)]);
    expect(existsSync(join(folder, "late.onnx"))).toBe(false);
    for (const name of ["early", "late"])
      rmSync(join(folder, `${name}.onnx.training`), { recursive: true, force: true });
  });

  test("rubbish is refused in one line", async () => {
    write(
      "rubbish.onnx",
      Uint8Array.from({ length: 3000 }, (_, at) => (at * 7919) % 251),
    );
    write("empty.npz", new Uint8Array());
    write(
      "rubbish.npz",
      Uint8Array.from({ length: 3000 }, (_, at) => (at * 31) % 256),
    );
    const cases = [
      [...distill.map((one) => (one === "teacher.onnx" ? "rubbish.onnx" : one))],
      [...distill.map((one) => (one === "student.onnx" ? "rubbish.onnx" : one))],
      [...distill.map((one) => (one === "rows.npz" ? "empty.npz" : one))],
      [...distill.map((one) => (one === "rows.npz" ? "rubbish.npz" : one))],
      ["rubbish.onnx", "--int8", "--qat", "--data", "rows.npz"],
    ];
    for (const argv of cases) {
      const { code, stderr } = await run([...argv, "-o", "never.onnx"]);
      expect(stderr).toMatch(/^error: [^\n]*\n$/);
      expect(code).toBe(2);
    }
    expect(readdirSync(folder).filter((name) => name.startsWith(".") || name.startsWith("never"))).toEqual([]);
  });

  test("a damaged checkpoint is refused and stays", async () => {
    const argv = [...distill, "-o", "hurt.onnx", "--checkpoint", "hurt"];
    await run([...argv, "--time", "1ms"]);
    const last = readFileSync(join(folder, "hurt/last.safetensors"));
    write("hurt/last.safetensors", last.subarray(0, last.length - 100));
    const { code, stderr } = await run([...argv, "--resume", "--force"]);
    expect(stderr).toMatch(/^error: [^\n]*checkpoint[^\n]*\n$/);
    expect(code).toBe(2);
    expect(existsSync(join(folder, "hurt/last.safetensors"))).toBe(true);
  });
});
