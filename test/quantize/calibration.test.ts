import { describe, expect, test } from "@jest/globals";
import { type Calibration, decodeCalibration, encodeCalibration } from "../../src/quantize/calibration.js";
import { rangeOf } from "../../src/quantize/ranges.js";
import { startCollecting } from "../../src/quantize/statistics.js";
import fc from "../property.js";

const sha256 = "0123456789abcdef".repeat(4);

function calibrationOf(samples: readonly (readonly number[])[], name = "x"): Calibration {
  const collector = startCollecting({ channelAxis: () => 0 });
  for (const sample of samples) {
    collector.add(name, { dtype: "float32", shape: [sample.length], data: Float32Array.from(sample) });
  }
  return {
    schema: "deepseek/calibration@1",
    model: { sha256 },
    source: "samples/",
    samples: samples.length,
    values: collector.statistics(),
  };
}

const small = calibrationOf([
  [0, 1, -2],
  [0.5, 3, 0],
]);
const text = encodeCalibration(small);

/** The file as plain data, to be spoilt. */
type Saved = ReturnType<typeof JSON.parse>;

describe("a saved calibration", () => {
  test("comes back with the same ranges of every method, under any name", async () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true });
    const sample = fc.array(value, { minLength: 1, maxLength: 5 });
    const name = fc.oneof(fc.constantFrom("__proto__", "constructor", "é\n"), fc.string({ minLength: 1 }));
    await fc.assert(
      fc.asyncProperty(fc.array(sample, { minLength: 1, maxLength: 5 }), name, async (samples, name) => {
        const calibration = calibrationOf(samples, name);
        const saved = encodeCalibration(calibration);
        const again = await decodeCalibration(saved, "c.json", sha256);
        expect(again.source).toBe("samples/");
        const [before, after] = [calibration.values.get(name)!, again.values.get(name)!];
        for (const method of ["minmax", "moving", "percentile", "entropy", "mse"] as const) {
          expect(rangeOf(after, { method })).toEqual(rangeOf(before, { method }));
        }
        expect(encodeCalibration(again)).toBe(saved);
      }),
      { numRuns: 30 },
    );
  });

  test("keeps what was measured of weights, under any name", async () => {
    const noises = [{ of: sha256, alone: [["main:w", 0.25] as const, ["__proto__", 1e-9] as const] }];
    const saved = encodeCalibration({ ...small, noises });
    expect((await decodeCalibration(saved, "c.json", sha256)).noises).toEqual(noises);
  });

  test("of another model says both hashes", async () => {
    const other = "f".repeat(64);
    await expect(decodeCalibration(text, "c.json", other)).rejects.toMatchObject({
      name: "UserError",
      message: `c.json: was made with another model (SHA-256 ${sha256}; this one has ${other}); calibrate again with --data`,
    });
  });

  // each changes one field of a good file
  test.each<[string, (file: Saved) => void, RegExp]>([
    ["another schema", (file) => (file["schema"] = "deepseek/calibration@2"), /: schema: /],
    ["no hash", (file) => (file["model"].sha256 = "12"), /: model\.sha256: is no SHA-256/],
    ["a hash missing", (file) => delete file["model"], /: model: /],
    ["samples of none", (file) => (file["samples"] = 0), /: samples: /],
    ["noises of no hash", (file) => (file["noises"] = [{ of: "1", alone: [] }]), /: noises\[0\]\.of: is no SHA-256/],
    [
      "a negative noise",
      (file) => (file["noises"] = [{ of: sha256, alone: [["w", -1]] }]),
      /: noises\[0\]\.alone\[0\]\[1\]: /,
    ],
    ["values of another kind", (file) => (file["values"] = {}), /: values: /],
    ["a number as text", (file) => (file["values"][0].min = "-2"), /: values\[0\]\.min: /],
    ["an unknown field", (file) => (file["values"][0].skew = 1), /: values\[0\]: /],
    ["a range upside down", (file) => (file["values"][0].min = 4), /: values\[0\]\.min: 4 is above max 3$/],
    ["counts that do not add up", (file) => file["values"][0].zeros++, /histogram\.counts: count 7 elements/],
    ["a negative count", (file) => (file["values"][0].histogram.counts[0] = -1), /histogram\.counts\[0\]: /],
    [
      "bins elsewhere",
      (file) => (file["values"][0].histogram.exponent -= 4),
      /histogram\.first: its bins do not reach/,
    ],
    ["an absurd exponent", (file) => (file["values"][0].histogram.exponent = 1e9), /histogram\.exponent: /],
    ["too many bins", (file) => (file["values"][0].histogram.counts = Array(5000).fill(0)), /histogram\.counts: /],
    ["a moving average outside", (file) => (file["values"][0].movingMax = 9), /movingMin: the moving average/],
    ["more samples than elements", (file) => (file["values"][0].samples = 9), /values\[0\]\.samples: are 9/],
    [
      "channels of two lengths",
      (file) => file["values"][0].channels.mean.pop(),
      /channels: mean, meanSquare, maxAbs, min and max/,
    ],
    [
      "a negative square",
      (file) => (file["values"][0].channels.meanSquare[0] = -1),
      /channels\.meanSquare: is negative/,
    ],
    ["a name twice", (file) => file["values"].push(file["values"][0]), /the same name stands there twice/],
  ])("with %s is refused, and the field named", async (_, change, message) => {
    const file = JSON.parse(text);
    change(file);
    const refused = decodeCalibration(JSON.stringify(file), "c.json", sha256);
    await expect(refused).rejects.toMatchObject({ name: "UserError", message: expect.stringMatching(message) });
    await expect(refused).rejects.toThrow(/^c\.json: /);
  });

  test.each(["", "{", "[]", "null", "3", "\u0000"])("%j is no calibration", async (rubbish) => {
    await expect(decodeCalibration(rubbish, "c.json", sha256)).rejects.toMatchObject({ name: "UserError" });
  });
});
