import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { DType, Tensor, TensorData } from "../../src/tensor/tensor.js";
import { ocrRecognition } from "../ocr-lines.js";
import { floats, ints, makeModel } from "../onnx-model.js";

const folder = mkdtempSync(join(tmpdir(), "session-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** y = x, for one dtype. */
const identity = (dtype: DType) =>
  encodeModel(
    makeModel({
      inputs: [["x", dtype, ["n", 2]]],
      outputs: [["y", dtype, ["n", 2]]],
      nodes: [makeNode("Identity", "id", ["x"], ["y"])],
    }),
  );

describe("a session", () => {
  test("knows inputs and outputs with their dynamic axes", async () => {
    const session = await openSession(ocrRecognition);
    expect(session.inputs).toEqual([
      { name: "x", dtype: "float32", shape: ["p2o.DynamicDimension.0", 3, 48, "p2o.DynamicDimension.1"] },
    ]);
    expect(session.outputs.map(({ shape }) => shape.at(-1))).toEqual([6625]);
    await session.close();
  });

  test.each<[DType, TensorData]>([
    ["float32", Float32Array.of(1.5, -2)],
    ["float64", Float64Array.of(1.5, -2)],
    ["float16", Uint16Array.of(0x3e00, 0xc000)],
    ["int8", Int8Array.of(-128, 127)],
    ["uint8", Uint8Array.of(0, 255)],
    ["int32", Int32Array.of(-1, 2 ** 31 - 1)],
    ["int64", BigInt64Array.of(-1n, 2n ** 62n)],
    ["uint64", BigUint64Array.of(0n, 2n ** 63n)],
    ["bool", Uint8Array.of(1, 0)],
    ["string", ["one", "two"]],
  ])("passes %s tensors in and out unchanged", async (dtype, data) => {
    const session = await openSession(identity(dtype));
    const x: Tensor = { dtype, shape: [1, 2], data };
    expect((await session.run(new Map([["x", x]]))).get("y")).toEqual(x);
    await session.close();
    await session.close();
  });

  test("hands its settings to onnxruntime", async () => {
    const model = encodeModel(
      makeModel({
        inputs: [["x", "float32", [1, 2]]],
        outputs: [["y", "float32", [1, 2]]],
        initializers: [floats("one", [1], [1])],
        nodes: [makeNode("Add", "a", ["one", "one"], ["two"]), makeNode("Mul", "m", ["x", "two"], ["y"])],
      }),
    );
    const size = async (graphOptimization: "disabled" | "all") => {
      const optimizedModelPath = join(folder, `${graphOptimization}.onnx`);
      await (await openSession(model, { graphOptimization, optimizedModelPath })).close();
      return readFileSync(optimizedModelPath).length;
    };
    // 1 + 1 is folded away
    expect(await size("all")).toBeLessThan(await size("disabled"));
    const config = { "session.intra_op_thread_affinities": "nonsense" };
    await expect(openSession(model, { threads: 2, config })).rejects.toThrow(/digits: nonsense/);
  });
});

describe("onnxruntime's refusals become one line", () => {
  const garbage = join(folder, "garbage.onnx");
  writeFileSync(garbage, "no model");

  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      "a missing file",
      () => openSession("/nowhere/a.onnx"),
      /^\/nowhere\/a\.onnx: onnxruntime cannot load it: .*exist/,
    ],
    ["garbage", () => openSession(garbage), /garbage\.onnx: onnxruntime cannot load it: it is not an ONNX model/],
    [
      "garbage bytes",
      () => openSession(new Uint8Array(9)),
      /^the model: onnxruntime cannot load it: it is not an ONNX/,
    ],
    [
      "an unknown operator",
      () =>
        openSession(
          encodeModel(
            makeModel({
              inputs: [["x", "float32", [1]]],
              outputs: [["y", "float32", [1]]],
              nodes: [makeNode("Nonesuch", "n", ["x"], ["y"])],
            }),
          ),
        ),
      /^the model: onnxruntime cannot load it: .*Nonesuch/,
    ],
  ])("for %s", async (_, act, message) => {
    const error = (await act().catch((thrown) => thrown)) as Error;
    expect(error).toMatchObject({ name: "UserError", message: expect.stringMatching(message) });
    expect(error.message).not.toContain("\n");
    expect(error.message).not.toContain("onnxruntime_src");
  });

  test("for what only fails while running, without its C++ signatures", async () => {
    const reshape = makeModel({
      inputs: [["x", "float32", ["n", 4]]],
      outputs: [["y", "float32", ["n", 4]]],
      initializers: [ints("shape", [3, 3])],
      nodes: [makeNode("Reshape", "r", ["x", "shape"], ["y"])],
    });
    const session = await openSession(encodeModel(reshape));
    const feeds = new Map<string, Tensor>([["x", { dtype: "float32", shape: [1, 4], data: new Float32Array(4) }]]);
    const error = (await session.run(feeds).catch((thrown) => thrown)) as Error;
    await session.close();
    expect(error.message).toMatch(
      /Reshape node\..* Status Message: The input tensor cannot be reshaped .* requested shape:\{3,3\}$/,
    );
    expect(error.message).not.toMatch(/::|const|was false/);
  });

  test("for feeds that do not fit", async () => {
    const session = await openSession(identity("float32"));
    const feeds = new Map<string, Tensor>([["x", { dtype: "float32", shape: [3], data: new Float32Array(3) }]]);
    await expect(session.run(feeds)).rejects.toThrow(/cannot run it on x: float32 3: Invalid rank for input: x/);
    await expect(session.run(new Map())).rejects.toThrow(/'x' is missing/);
    await session.close();
  });
});
