import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import type { Host } from "../../src/cli.js";
import { readSamples } from "../../src/commands/samples.js";
import { encodeNpz } from "../../src/formats/npz.js";
import type { Tensor } from "../../src/tensor/tensor.js";

const cwd = mkdtempSync(join(tmpdir(), "samples-"));
afterAll(() => rmSync(cwd, { recursive: true }));
const host = { cwd } as Host;

const npz = (value: number, dtype: "float32" | "float64" = "float32") => {
  const data = dtype === "float32" ? Float32Array.of(value, 0) : Float64Array.of(value, 0);
  return encodeNpz(new Map<string, Tensor>([["x", { dtype, shape: [1, 2], data }]]));
};
mkdirSync(join(cwd, "many"));
mkdirSync(join(cwd, "empty"));
for (const n of [10, 9, 1]) writeFileSync(join(cwd, "many", `line-${n}.npz`), npz(n, n === 9 ? "float64" : "float32"));
writeFileSync(join(cwd, "many", "labels.txt"), "not a sample");
writeFileSync(join(cwd, "one.npz"), npz(5));
writeFileSync(join(cwd, "bad.npz"), "no zip");
writeFileSync(join(cwd, "image.png"), "");

const inputs = [{ name: "x", dtype: "float32", shape: ["n", 2] }] as const;
const synthetic = { shapes: new Map<string, readonly number[]>(), count: 3, seed: 4 };

describe("samples", () => {
  test("of a folder come in the order people count, conversions noted", async () => {
    const { batches, source, synthetic: madeUp, notes } = await readSamples(host, "many", inputs, synthetic);
    expect(batches.map((batch) => batch.get("x")!.data[0])).toEqual([1, 9, 10]);
    expect([source, madeUp]).toEqual(["many", false]);
    expect(notes).toEqual([`${join("many", "line-9.npz")}: array "x" converted from float64 to float32`]);
  });

  test("of one file are one", async () => {
    expect((await readSamples(host, "one.npz", inputs, synthetic)).batches).toHaveLength(1);
  });

  test("are made up where there are none", async () => {
    const shapes = new Map([["x", [7, 2]]]);
    const samples = await readSamples(host, undefined, inputs, { ...synthetic, shapes });
    expect(samples.batches.map((batch) => batch.get("x")!.shape)).toEqual([
      [7, 2],
      [7, 2],
      [7, 2],
    ]);
    expect(samples).toMatchObject({ synthetic: true, source: "synthetic, seed 4" });
  });

  test.each([
    ["nope", /^--data nope: no such file or folder$/],
    ["empty", /^--data empty: the folder holds no \.npz files$/],
    ["image.png", /^--data image\.png: samples are \.npz files/],
    ["bad.npz", /^bad\.npz: is not a whole \.npz/],
  ])("--data %s is refused", async (path, message) => {
    await expect(readSamples(host, path, inputs, synthetic)).rejects.toMatchObject({
      name: expect.stringMatching(/UserError|FormatError/),
      message: expect.stringMatching(message),
    });
  });

  test("have their own shapes", async () => {
    const given = { ...synthetic, shapes: new Map([["x", [1, 2]]]) };
    await expect(readSamples(host, "one.npz", inputs, given)).rejects.toThrow(/^--shape: leave it out with --data/);
  });
});
