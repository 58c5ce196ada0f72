import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { encodeModel } from "../../src/formats/onnx.js";
import type { DistillPlan, DistillResult } from "../../src/render/training-result.js";
import { runCommand } from "../host.js";
import { classifier, rowsFile } from "../training-models.js";

let folder: string;
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-distill-"));
  write("teacher.onnx", encodeModel(classifier(32, 3, 1)));
  write("student.onnx", encodeModel(classifier(12, 1, 50)));
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
    expect(stderr).toBe("");
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
    expect(result.data).toMatchObject({ training: 360, heldOut: 40, labelled: false });
    expect(readFileSync(join(folder, "report.html"), "utf8")).toMatch(/How training went/);
    expect(existsSync(join(folder, "out.onnx"))).toBe(true);
    expect(left()).toEqual([]);
  });
});
