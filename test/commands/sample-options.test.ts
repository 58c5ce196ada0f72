import { describe, expect, test } from "@jest/globals";
import { Command } from "commander";
import { calibrationOptions, rangeSettings, sampleOptions, sampleSettings } from "../../src/commands/sample-options.js";

function parsed(...argv: readonly string[]) {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  for (const option of [...sampleOptions(), ...calibrationOptions()]) command.addOption(option);
  return command.parse([...argv], { from: "user" }).opts();
}
const settings = (...argv: readonly string[]) => sampleSettings(parsed(...argv), { count: 4, seed: 1 });

describe("options of samples", () => {
  test("say nothing that the user did not say", () => {
    expect(settings()).toEqual({ count: 4, seed: 1, shapes: new Map(), image: {}, rows: false });
    expect(rangeSettings(parsed())).toEqual({ method: "mse", percentile: 99.999 });
  });

  test("carry all that was said", () => {
    const image = settings(
      ...["--image-size", "320x48", "--image-resize", "fit", "--image-pad", "114", "--image-scale", "1/127.5"],
      ...["--image-offset", "-1", "--image-mean", "0.485,0.456,0.406", "--image-std", "0.5", "--image-channels", "bgr"],
      ...["--image-layout", "nhwc"],
    ).image;
    expect(image).toEqual({
      size: { width: 320, height: 48 },
      resize: "fit",
      pad: 114,
      scale: 1 / 127.5,
      offset: -1,
      mean: [0.485, 0.456, 0.406],
      std: [0.5],
      channels: "bgr",
      layout: "nhwc",
    });
    expect(settings("--image-size", "64").image!.size).toEqual({ width: 64, height: 64 });
    expect(settings("--image-size", "own").image!.size).toBe("own");
    expect(settings("--tokenizer", "t.json", "--max-length", "9", "--rows", "--shape", "x=1x2")).toMatchObject({
      tokenizer: "t.json",
      maxLength: 9,
      rows: true,
      shapes: new Map([["x", [1, 2]]]),
    });
    expect(rangeSettings(parsed("--range", "percentile", "--percentile", "99.9%"))).toEqual({
      method: "percentile",
      percentile: 99.9,
    });
  });

  test.each([
    ["--image-size", "0x3"],
    ["--image-size", "3x"],
    ["--image-size", "99999"],
    ["--image-pad", "256"],
    ["--image-scale", "1/0"],
    ["--image-scale", "1/2/3"],
    ["--image-mean", "0.5,"],
    ["--image-mean", "half"],
    ["--image-resize", "squeeze"],
    ["--max-length", "0"],
    ["--range", "best"],
    ["--percentile", "50"],
    ["--percentile", "101"],
  ])("%s %s is refused", (option, value) => {
    expect(() => parsed(option, value)).toThrow(expect.objectContaining({ code: "commander.invalidArgument" }));
  });
});
