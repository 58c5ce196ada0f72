import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { uniform } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { encodeNpz } from "../../src/formats/npz.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { PrunePlanResult, PruneResult } from "../../src/render/prune-result.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { runCommand } from "../host.js";
import { constant, floats, ints, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "prune-states-"));
  writeFileSync(join(folder, "voice.onnx"), encodeModel(voice()));
  writeFileSync(join(folder, "unread.onnx"), encodeModel(voice(8)));
  const ramp = (shape: readonly number[], by: number): Tensor => {
    const count = shape.reduce((a, b) => a * b, 1);
    return { dtype: "float32", shape, data: Float32Array.from({ length: count }, (_, at) => Math.sin(by * at)) };
  };
  for (let at = 0; at < 12; at++) {
    const sample = new Map<string, Tensor>([
      ["x", ramp([1, 12], at + 1)],
      ["rate", { dtype: "int64", shape: [], data: BigInt64Array.of(16000n) }],
      ["h0", ramp([1, 1, 24], at + 2)],
    ]);
    mkdirSync(join(folder, "steps"), { recursive: true });
    writeFileSync(join(folder, "steps", `${at}.npz`), encodeNpz(sample));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quick = ["--speed-seconds", "0"];
const run = (...argv: readonly string[]) => runCommand(compressCommand, [...argv, ...quick], folder);

/**
 * Frames of 12 numbers at a rate of 16000, of 6 at others, through features of the rate's own to a GRU that goes on; only
 * the first `read` of its units are read by anything but the state.
 */
function voice(read = 24) {
  const weights = (name: string, shape: readonly [number, number], isRead: (at: number) => boolean) => {
    const next = uniform(name.charCodeAt(0));
    return Array.from({ length: shape[0] * shape[1] }, (_, at) => (isRead(at) ? next() - 0.5 : 0));
  };
  const features = (name: string, width: number) =>
    makeGraph({
      outputs: [[`${name}_out`, "float32", [1, 16]]],
      nodes: [
        makeNode("MatMul", `${name}_first`, ["x", `${name}_a`], [`${name}_h`]),
        makeNode("Relu", "", [`${name}_h`], [`${name}_r`]),
        makeNode("MatMul", `${name}_second`, [`${name}_r`, `${name}_b`], [`${name}_out`]),
      ],
      initializers: [floats(`${name}_a`, [width, 32]), floats(`${name}_b`, [32, 16])],
    });
  const usual = ints("usual", [16000]);
  usual.dims = [];
  return makeModel({
    opset: 14,
    inputs: [
      ["x", "float32", [1, "n"]],
      ["rate", "int64", []],
      ["h0", "float32", [1, 1, 24]],
    ],
    outputs: [
      ["y", "float32", [1, 1, 1, 3]],
      ["hn", "float32", [1, 1, 24]],
    ],
    nodes: [
      constant(usual),
      makeNode("Equal", "", ["rate", "usual"], ["is_usual"]),
      withGraphs(makeNode("If", "if", ["is_usual"], ["z"]), {
        then_branch: features("fast", 12),
        else_branch: features("slow", 6),
      }),
      makeNode("Unsqueeze", "", ["z", "front"], ["seen"]),
      makeNode("GRU", "memory", ["seen", "w", "r", "", "", "h0"], ["all", "hn"], { hidden_size: 24 }),
      makeNode("MatMul", "out", ["all", "v"], ["y"]),
    ],
    initializers: [
      ints("front", [0]),
      floats("w", [1, 72, 16]),
      ...[
        floats(
          "r",
          [1, 72, 24],
          weights("r", [72, 24], (at) => at % 24 < read),
        ),
        floats(
          "v",
          [24, 3],
          weights("v", [24, 3], (at) => at < 3 * read),
        ),
      ],
    ],
  });
}

test("a state is cut down inside and told of; branches are checked with inputs that take them", async () => {
  // a made-up rate is 0 or 1, for which 12 numbers are too many
  const argv = ["voice.onnx", "--prune", "0.4", "--shape", "x=1x12", "-o", "small.onnx", "--json"];
  const { code, stdout, stderr } = await run(...argv);
  expect(stderr).not.toContain("error");
  expect(code).toBe(0);
  const { groups, parameters, verification, notes } = JSON.parse(stdout) as PruneResult;
  expect(parameters.prunable).toBe(parameters.before);
  expect(verification!.exactness!.relative).toBeLessThan(1e-5);
  const memory = groups.find(({ tensors }) => tensors.includes("r"))!;
  expect(memory.operators).toEqual(
    expect.arrayContaining(["memory (GRU)", "h0 (state, graph input)", "hn (state, graph output)"]),
  );
  const gone = memory.channels.before - memory.channels.after;
  expect(gone).toBeGreaterThan(0);
  expect(notes).toContain(`state "hn" keeps its 24 places for whoever hands it back: ${gone} are put out as zeros`);
  expect(notes.join()).not.toContain("never run");
  const session = await openSession(new Uint8Array(readFileSync(join(folder, "small.onnx"))));
  const ramp = (shape: readonly number[]): Tensor => {
    const count = shape.reduce((a, b) => a * b, 1);
    return { dtype: "float32", shape, data: Float32Array.from({ length: count }, (_, at) => Math.sin(at)) };
  };
  for (const [rate, size] of [
    [16000, 12],
    [8000, 6],
  ] as const) {
    const outputs = await session.run(
      new Map<string, Tensor>([
        ["x", ramp([1, size])],
        ["rate", { dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(rate)) }],
        ["h0", ramp([1, 1, 24])],
      ]),
    );
    const state = outputs.get("hn")!;
    expect(state.shape).toEqual([1, 1, 24]);
    expect(Array.from(state.data as Float32Array).filter((value) => value === 0)).toHaveLength(gone);
  }
  await session.close();
});

test("--keep with the name of a state keeps its units", async () => {
  for (const name of ["h0", "hn"]) {
    const argv = ["voice.onnx", "--prune", "0.2", "--shape", "x=1x12", "--keep", name, "--dry-run", "--json"];
    const { code, stdout } = await run(...argv);
    expect(code).toBe(0);
    const { groups, notes, warnings } = JSON.parse(stdout) as PrunePlanResult;
    expect(groups.find(({ tensors }) => tensors.includes("r"))).toMatchObject({
      channels: { before: 24, after: 24 },
      why: "stays whole: --keep",
    });
    expect([...notes, ...warnings].join()).not.toMatch(/put out as zeros|without effect/);
  }
});

test.each([
  ["in one round", []],
  ["in two, with recovery", ["--prune-rounds", "2", "--distill", "--steps", "4"]],
])("what only the state has is no loss, %s", async (_, more) => {
  const argv = ["unread.onnx", "--prune", "0.3", "--only", "r", "--criterion", "wanda", "--data", "steps"];
  const { code, stdout } = await run(...argv, "--force", ...more, "-o", "unread-small.onnx", "--json");
  expect(code).toBe(0);
  const { groups, stages, verification, warnings, recovery, notes } = JSON.parse(stdout) as PruneResult;
  const memory = groups.find(({ tensors }) => tensors.includes("r"))!;
  const gone = memory.channels.before - memory.channels.after;
  expect(gone).toBeGreaterThanOrEqual(8);
  expect(notes).toContain(`state "hn" keeps its 24 places for whoever hands it back: ${gone} are put out as zeros`);
  expect(memory.curve!.map(({ damage }) => damage < 1e-10)).toEqual(memory.curve!.map(() => true));
  expect(verification!.agreement!.total.sqnrDb ?? Number.POSITIVE_INFINITY).toBeGreaterThan(100);
  expect(verification!.drop!.value).toBeLessThan(1e-10);
  expect(warnings.join()).not.toContain("not what they were");
  for (const { agreement } of stages) expect(agreement?.sqnrDb ?? 999).toBeGreaterThan(50);
  for (const { evaluations } of recovery?.courses ?? []) {
    for (const { value } of evaluations) expect(value).toBeLessThan(1e-4);
  }
});
