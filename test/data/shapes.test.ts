import { describe, expect, test } from "@jest/globals";
import { parseShapeOption, parseShapeOptions, resolveShapes } from "../../src/data/shapes.js";
import { UserError } from "../../src/errors.js";

describe("--shape", () => {
  test.each([
    ["x=1x3x48x320", "x", [1, 3, 48, 320]],
    ["input:0=7", "input:0", [7]],
    ["a=b=2x2", "a=b", [2, 2]],
    ["sr=scalar", "sr", []],
    ["x=1,16", "x", [1, 16]],
  ])("%s is read", (text, name, shape) => {
    expect(parseShapeOption(text)).toEqual({ name, shape });
  });

  test.each([
    ["1x3x48", /write it as <input>=<sizes>/],
    ["=1x2", /write it as/],
    ["x=", /"" is not a size/],
    ["x=1x?x3", /"\?" is not a size/],
    ["x=0x3", /"0" is not a size/],
    ["x=-1x3", /"-1" is not a size/],
    ["x=1.5", /"1\.5" is not a size/],
    ["x=1x3x", /"" is not a size/],
    ["x=100000x100000", /10000000000 elements; at most 2\^31/],
    ["x=99999999999999999999999", /at most 2\^31/],
  ])("%s is refused", (text, message) => {
    expect(() => parseShapeOption(text)).toThrow(message);
    expect(() => parseShapeOption(text)).toThrow(UserError);
  });

  test("may be given once per input", () => {
    expect(() => parseShapeOptions(["x=1", "y=1", "x=2"])).toThrow(/"x" is given twice/);
  });
});

describe("shapes of a model's inputs", () => {
  const image = { name: "x", shape: ["n", 3, 48, "w"] as const };
  const resolve = (
    given: Record<string, readonly number[]>,
    inputs: readonly { name: string; shape: readonly (number | string | null)[] }[] = [image],
  ) => Object.fromEntries(resolveShapes(inputs, new Map(Object.entries(given))));

  test("given sizes fill the dynamic axes, a batch nobody gave is 1", () => {
    expect(resolve({ x: [2, 3, 48, 320] })).toEqual({ x: [2, 3, 48, 320] });
    expect(resolve({}, [{ name: "x", shape: [null, 4] }])).toEqual({ x: [1, 4] });
    expect(resolve({}, [{ name: "s", shape: [] }])).toEqual({ s: [] });
  });

  test("axes of one name share their size", () => {
    const tokens = ["ids", "mask"].map((name) => ({ name, shape: ["batch", "length"] }));
    expect(resolve({ ids: [2, 16] }, tokens)).toEqual({ ids: [2, 16], mask: [2, 16] });
  });

  test.each<[string, Record<string, readonly number[]>, RegExp]>([
    ["a dynamic axis without a size", {}, /input "x" has dynamic axes: give --shape x=1x3x48x\? with a number/],
    ["another size for a fixed axis", { x: [1, 4, 48, 320] }, /axis 1 of input "x" is fixed at 3, not 4/],
    ["another rank", { x: [3, 48, 320] }, /input "x" has 4 axes \(1x3x48x\?\), not 3/],
    ["an input the model does not have", { y: [1] }, /--shape y=\.\.\.: the model has no such input; its inputs: x/],
  ])("%s is refused with the remedy", (_, given, message) => {
    expect(() => resolve(given)).toThrow(message);
    expect(() => resolve(given)).toThrow(UserError);
  });

  test("a model whose fixed axes are absurd is refused before anything is allocated", () => {
    expect(() => resolve({}, [{ name: "x", shape: [1, 2 ** 40] }])).toThrow(/more than 2\^31 elements/);
  });
});
