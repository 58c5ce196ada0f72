import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { TensorProtoSchema } from "onnx-buf";
import { writeModelFile } from "../../src/commands/write-model.js";
import { setExternal, type TensorProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { makeModel } from "../onnx-model.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "large-models-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const MiB = 1 << 20;

/** Writes a chain of MatMuls whose weights, of so many bytes each, are made as they are written. */
function build(name: string, weights: number, bytesEach: number, external: boolean): void {
  const columns = bytesEach / 4 / 1024;
  const made = (at: number): TensorProto => {
    const tensor = create(TensorProtoSchema, { name: `w${at}`, dataType: 1, dims: [1024n, BigInt(columns)] });
    setExternal(tensor, `\0${at}`, 0, bytesEach);
    return tensor;
  };
  const names = Array.from({ length: weights }, (_, at) => `w${at}`);
  const model = makeModel({
    inputs: [["x", "float32", ["n", 1024]]],
    outputs: names.map((each) => [`${each}_y`, "float32", ["n", columns]] as const),
    nodes: names.map((each) => makeNode("MatMul", `${each}_m`, ["x", each], [`${each}_y`])),
    initializers: names.map((_, at) => made(at)),
  });
  const path = join(home, name);
  const bytesOf = (place: { readonly location: string; readonly offset: number }, length: number) => {
    // no two weights are alike
    const part = new Float32Array(length / 4).fill(Number(place.location.slice(1)) + 0.25);
    part[0] = place.offset % 1000;
    return new Uint8Array(part.buffer);
  };
  writeModelFile(path, model, external ? `${name}.data` : null, bytesOf, { maxBytes: 2 ** 40 });
}

interface Outcome {
  readonly peak: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly files: readonly string[];
}

function run(source: string, target: string, work: "copy" | "bytes" | "compress"): Outcome {
  const argv = ["--import", "tsx", "test/long/large-model-child.ts", join(home, source), join(home, target), work];
  const outcome: Outcome = JSON.parse(execFileSync(process.execPath, argv, { encoding: "utf8" }));
  // the figures are what this test is run for
  process.stdout.write(
    `${source} -> ${target}: peak ${Math.round(outcome.peak / MiB)} MiB, ${outcome.seconds.toFixed(1)} s, ${Math.round(outcome.bytes / MiB)} MiB written\n`,
  );
  return outcome;
}

function firstFloats(name: string, position: number): Float32Array {
  const bytes = new Uint8Array(16);
  const descriptor = openSync(join(home, name), "r");
  readSync(descriptor, bytes, 0, 16, position);
  closeSync(descriptor);
  return new Float32Array(bytes.buffer);
}

test("3 GiB of external weights pass through in less memory than four of them", () => {
  build("external.onnx", 48, 64 * MiB, true);
  expect(statSync(join(home, "external.onnx.data")).size).toBe(48 * 64 * MiB);
  const copied = run("external.onnx", "copy.onnx", "copy");
  expect(copied.files).toEqual(["copy.onnx.data", "copy.onnx"]);
  expect(firstFloats("copy.onnx.data", 47 * 64 * MiB + 16)[0]).toBe(47.25);
  const quantized = run("external.onnx", "small.onnx", "bytes");
  expect(quantized.bytes).toBeLessThan(48 * 16 * MiB + 5000 * 48);
  expect(Math.max(copied.peak, quantized.peak)).toBeLessThan(200 * MiB + 4 * 64 * MiB);
  const compressed = run("external.onnx", "int8.onnx", "compress");
  expect(compressed.bytes).toBeLessThan(48 * 16.1 * MiB);
  expect(compressed.peak).toBeLessThan(300 * MiB + 6 * 64 * MiB);
}, 600_000);

test("2.5 GiB in one file, more than protobuf can decode, are read and get a data file", () => {
  build("single.onnx", 40, 64 * MiB, false);
  expect(statSync(join(home, "single.onnx")).size).toBeGreaterThan(2 ** 31);
  const copied = run("single.onnx", "split.onnx", "copy");
  expect(copied.files).toEqual(["split.onnx.data", "split.onnx"]);
  const quantized = run("single.onnx", "fits.onnx", "bytes");
  expect(quantized.files).toEqual(["fits.onnx"]);
  expect(Math.max(copied.peak, quantized.peak)).toBeLessThan(200 * MiB + 4 * 64 * MiB);
}, 300_000);

test("300 MiB in one file are never in memory at once", () => {
  build("inline.onnx", 75, 4 * MiB, false);
  const quantized = run("inline.onnx", "inline8.onnx", "bytes");
  expect(quantized.files).toEqual(["inline8.onnx"]);
  expect(quantized.peak).toBeLessThan(240 * MiB);
}, 300_000);
