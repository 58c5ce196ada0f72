import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Host } from "../../src/cli.js";
import { dropEmptyLog, hasCheckpoint, openKeeper } from "../../src/commands/training-keep.js";
import type { TrainingRecord } from "../../src/train/task.js";

let folder: string;
let host: Host;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "training-keep-"));
  const nowhere = { write: () => {}, isTerminal: false, columns: 80 };
  host = { cwd: folder, env: {}, stdout: nowhere, stderr: nowhere, version: "0", onInterrupt: () => () => {} };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fresh = { resume: false, force: false, logFile: undefined };
const step = (number: number): TrainingRecord => ({
  ...{ kind: "step", step: number, loss: 1, terms: {}, rate: 1, gradientNorm: 1 },
});
const bytes = Uint8Array.of(1, 2, 3);
const steps = (path: string) =>
  readFileSync(join(folder, path), "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as TrainingRecord).step);

describe("the folder of checkpoints", () => {
  test("comes with the first checkpoint: Ctrl-C before leaves none behind", () => {
    const keeper = openKeeper(host, "a/b.training", { model: "m" }, { ...fresh, logFile: "own.jsonl" });
    keeper.log(step(1));
    keeper.log(step(2));
    expect(readdirSync(folder)).toEqual(["own.jsonl"]);
    keeper.keep("last", bytes);
    expect(readdirSync(join(folder, "a/b.training")).sort()).toEqual(["last.safetensors", "log.jsonl", "run.json"]);
    expect([steps("a/b.training/log.jsonl"), steps("own.jsonl")]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    // a checkpoint of step 1: step 2 comes again
    const again = openKeeper(host, "a/b.training", { model: "m" }, { ...fresh, resume: true, logFile: "own.jsonl" });
    again.log(step(2));
    again.log(step(3));
    again.flush();
    expect([steps("a/b.training/log.jsonl"), steps("own.jsonl")]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    again.discard();
    expect(hasCheckpoint(host, "a/b.training")).toBe(true);
    rmSync(join(folder, "a"), { recursive: true });
  });

  test("goes where no checkpoint came to be, as on a full disk, unless it was there before", () => {
    for (const [name, isThere] of [
      ["c/d.training", false],
      ["e", true],
    ] as const) {
      if (isThere) mkdirSync(join(folder, name));
      const keeper = openKeeper(host, name, {}, fresh);
      keeper.log(step(1));
      keeper.keep("best", bytes);
      keeper.discard();
      expect(existsSync(join(folder, name))).toBe(isThere);
    }
    expect(existsSync(join(folder, "c"))).toBe(false);
    expect(readdirSync(join(folder, "e"))).toEqual([]);
  });

  test("a log is made with the first record, and one that stayed empty goes", () => {
    const keeper = openKeeper(host, "f.training", {}, { ...fresh, logFile: "steps.jsonl" });
    keeper.flush();
    expect(existsSync(join(folder, "steps.jsonl"))).toBe(false);
    dropEmptyLog(host, "steps.jsonl");
    writeFileSync(join(folder, "steps.jsonl"), "");
    dropEmptyLog(host, "steps.jsonl");
    expect(existsSync(join(folder, "steps.jsonl"))).toBe(false);
    keeper.log(step(1));
    dropEmptyLog(host, "steps.jsonl");
    expect(steps("steps.jsonl")).toEqual([1]);
    rmSync(join(folder, "steps.jsonl"));
  });

  test("is refused where a file is in its place, before any step", () => {
    expect(() => openKeeper(host, "own.jsonl", {}, fresh)).toThrow("own.jsonl: checkpoints cannot be kept there");
    expect(() => openKeeper(host, "own.jsonl/x", {}, fresh)).toThrow("own.jsonl/x: checkpoints cannot be kept there");
  });
});
