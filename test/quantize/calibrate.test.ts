import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { exposeValues } from "../../src/graph/expose.js";
import { makeNode } from "../../src/graph/node.js";
import { calibrate, type OpenProbe } from "../../src/quantize/calibrate.js";
import { floats, makeModel } from "../onnx-model.js";

const model = makeModel({
  inputs: [["x", "float32", ["n", 4]]],
  outputs: [["y", "float32", ["n", 4]]],
  nodes: [
    makeNode("MatMul", "mm", ["x", "w"], ["h"]),
    makeNode("Relu", "r", ["h"], ["a"]),
    makeNode("Shape", "sh", ["a"], ["s"]),
    makeNode("Neg", "n", ["a"], ["b"]),
    makeNode("Exp", "e", ["b"], ["c"]),
    makeNode("Add", "ad", ["b", "c"], ["y"]),
  ],
  initializers: [floats("w", [4, 4], [2, 0, 0, 0, 0, -2, 0, 0, 0, 0, 2, 0, 0, 0, 0, -2])],
});

const rows = (...values: readonly (readonly number[])[]): Batch =>
  new Map([["x", { dtype: "float32", shape: [values.length, 4], data: Float32Array.from(values.flat()) }]]);

const list = (batches: readonly Batch[]) => ({ count: batches.length, read: async (at: number) => batches[at]! });

/** Opens the model, and writes down what is opened and how much is open. */
function opener() {
  const opened: (readonly string[])[] = [];
  let open = 0;
  const probe: OpenProbe = async (names, shapes) => {
    opened.push(names);
    expect(++open).toBe(1);
    const session = await openSession(encodeModel(exposeValues(model, names, shapes)));
    return {
      ...session,
      close: async () => {
        open--;
        await session.close();
      },
    };
  };
  return { opened, probe, left: () => open };
}

const samples = [rows([1, 2, 3, 4]), rows([-1, -2, -3, -4], [0, 5, 0, 0]), rows([0.5, 0, 0, 0])];

describe("calibration by runs", () => {
  test("gathers inner values, inputs and outputs; what is not float is named", async () => {
    const { probe, opened, left } = opener();
    const seen: string[] = [];
    const { values, skipped } = await calibrate(probe, list(samples), ["x", "h", "s", "a", "y"], {
      channelAxis: (name) => (name === "a" ? -1 : undefined),
      onRun: (done, total) => seen.push(`${done}/${total}`),
    });
    expect([...values.keys()].sort()).toEqual(["a", "h", "x", "y"]);
    expect(values.get("x")).toMatchObject({ samples: 3, elements: 16, min: -4, max: 5 });
    expect(values.get("h")).toMatchObject({ samples: 3, elements: 16, min: -10, max: 8 });
    expect(values.get("a")).toMatchObject({ min: 0, max: 8, zeros: 11 });
    expect(values.get("a")!.channels!.maxAbs).toEqual([2, 4, 6, 8]);
    expect(values.get("h")!.channels).toBeNull();
    expect(skipped).toEqual([{ name: "s", reason: "holds int64, not floats" }]);
    expect(seen).toEqual(["1/3", "2/3", "3/3"]);
    // once for the types, once more for the shapes, once for the samples
    expect(opened).toHaveLength(3);
    expect(left()).toBe(0);
  });

  test("takes several runs where values are large together, with the same result", async () => {
    const names = ["x", "h", "a", "b", "c"];
    const together = await calibrate(opener().probe, list(samples), names);
    const { probe, opened } = opener();
    // 16 bytes a value in the first sample
    const apart = await calibrate(probe, list(samples), names, { maxBytes: 33 });
    expect(opened.slice(2)).toEqual([
      ["h", "a"],
      ["b", "c"],
    ]);
    expect(Object.fromEntries(apart.values)).toEqual(Object.fromEntries(together.values));
  });

  test("splits a run whose values turn out larger than the first sample's", async () => {
    const names = ["x", "h", "a", "b", "c"];
    const large = rows(...Array.from({ length: 9 }, (_, at) => [at, 0, -at, 1]));
    const grown = [rows([1, 2, 3, 4]), large, ...samples];
    const { probe, opened } = opener();
    const apart = await calibrate(probe, list(grown), names, { maxBytes: 64 });
    expect(opened.slice(2)).toEqual([
      ["h", "a", "b", "c"],
      ["h", "a"],
      ["b", "c"],
    ]);
    const together = await calibrate(opener().probe, list(grown), names);
    expect(Object.fromEntries(apart.values)).toEqual(Object.fromEntries(together.values));
  });

  test("of inputs alone needs no run", async () => {
    const { probe, opened } = opener();
    const { values } = await calibrate(probe, list(samples), ["x"]);
    expect(values.get("x")).toMatchObject({ samples: 3 });
    expect(opened).toEqual([]);
  });

  test("names the sample and value that are not finite, and closes what it opened", async () => {
    const { probe, left } = opener();
    const bad = [...samples, rows([-1e30, 1e30, 1e38, 3e38])];
    await expect(calibrate(probe, list(bad), ["h", "a", "c"])).rejects.toThrow(
      /^sample 4: value "h" \(1x4\) holds infinity; it cannot be calibrated$/,
    );
    expect(left()).toBe(0);
  });
});
