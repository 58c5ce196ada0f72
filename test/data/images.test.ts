import { describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import type { DeclaredInput } from "../../src/data/batch.js";
import { decodeImage, type ImageSettings, planImages, tensorOfPixels } from "../../src/data/images.js";
import type { DType } from "../../src/tensor/tensor.js";

const input = (shape: DeclaredInput["shape"], dtype: DType = "float32"): readonly DeclaredInput[] => [
  { name: "x", dtype, shape },
];
const plan = (shape: DeclaredInput["shape"], settings: ImageSettings = {}, dtype: DType = "float32") =>
  planImages(input(shape, dtype), settings);

describe("a plan for images", () => {
  test.each<[DeclaredInput["shape"], ImageSettings, string]>([
    [[1, 3, 224, 224], {}, "stretched to 224 x 224 (width x height, bilinear), RGB, pixel / 255, NCHW"],
    [
      ["n", 48, 320, 3],
      { resize: "fit", pad: 114 },
      "fitted (rest 114) into 320 x 48 (width x height, bilinear), RGB, pixel / 255, NHWC",
    ],
    [[3, "h", "w"], { size: "own" }, "own size, RGB, pixel / 255, CHW"],
    [
      [1, 1, 28, 28],
      { scale: 1, mean: [33], std: [78] },
      "stretched to 28 x 28 (width x height, bilinear), grey, (pixel - 33) / 78, NCHW",
    ],
    [
      [null, null, 8, 9],
      { layout: "nchw", channels: "bgr", scale: 1 / 127.5, offset: -1 },
      "stretched to 9 x 8 (width x height, bilinear), BGR, pixel / 127.5 - 1, NCHW",
    ],
    [
      [1, 512, 512, 4],
      { resize: "crop", scale: 1 },
      "cropped to 512 x 512 (width x height, bilinear), RGBA, pixel, NHWC",
    ],
    [
      [1, 3, 48, "w"],
      { size: { width: 99, height: 48 }, std: [2] },
      "stretched to 99 x 48 (width x height, bilinear), RGB, pixel / 255 / 2, NCHW",
    ],
  ])("for %j with %j says: %s", (shape, settings, words) => {
    expect(plan(shape, settings).words).toBe(words);
  });

  test.each<[DeclaredInput["shape"], ImageSettings, DType, RegExp]>([
    [
      [1, 3, 7, 3],
      {},
      "float32",
      /input "x" \(float32 1x3x7x3\) does not tell which axis holds the channels: give --image-layout/,
    ],
    [[1, "c", 7, "d"], {}, "float32", /does not tell which axis/],
    [
      [1, 7, 7, 8],
      { layout: "nhwc" },
      "float32",
      /^--image-layout nhwc: .* would have 8 channels; images have 1, 3 or 4/,
    ],
    [[1, 3, "h", 8], {}, "float32", /leaves the height open: give --image-size <width>x<height>/],
    [[1, 3, 8, 8], { size: { width: 9, height: 8 } }, "float32", /^--image-size: .* has width 8, not 9/],
    [[4, 3, 8, 8], {}, "float32", /takes 4 images at once/],
    [[1, 100], {}, "float32", /takes no images: they have 3 axes/],
    [[1, 3, 8, 8], {}, "string", /takes no images/],
    [[1, 3, 8, 8], { mean: [1, 2] }, "float32", /^--image-mean: 2 numbers, but the model takes 3 channels/],
    [[1, 3, 8, 8], { std: [0] }, "float32", /^--image-std: 0/],
    [[1, 3, 8, 8], { scale: 1 / 255 }, "uint8", /takes pixels as they are/],
  ])("for %j with %j and %s is refused", (shape, settings, dtype, message) => {
    expect(() => plan(shape, settings, dtype)).toThrow(message);
  });

  test("needs a model of one input", () => {
    const two = [...input([1, 3, 8, 8]), { name: "size", dtype: "int64", shape: [2] }] as const;
    expect(() => planImages(two, {})).toThrow("images suit a model of one input; this one takes x, size");
  });
});

describe("an image's tensor", () => {
  const pixels = { width: 2, height: 1, data: Uint8Array.of(10, 20, 30, 40, 50, 60) };
  const list = (shape: DeclaredInput["shape"], settings: ImageSettings, dtype: DType = "uint8") =>
    tensorOfPixels(pixels, plan(shape, settings, dtype));

  test("has its channels where the model wants them", () => {
    expect(list([1, 3, 1, 2], {})).toEqual({
      dtype: "uint8",
      shape: [1, 3, 1, 2],
      data: Uint8Array.of(10, 40, 20, 50, 30, 60),
    });
    expect(list([1, 1, 2, 3], { layout: "nhwc" }).data).toEqual(pixels.data);
    expect(list([1, 2, 3], { channels: "bgr", layout: "nhwc" })).toEqual({
      dtype: "uint8",
      shape: [1, 2, 3],
      data: Uint8Array.of(30, 20, 10, 60, 50, 40),
    });
  });

  test("is scaled, moved and divided by channel", () => {
    const { data } = list(
      [1, 1, 2, 3],
      { layout: "nhwc", scale: 0.1, offset: 1, mean: [1, 2, 3], std: [1, 2, 4] },
      "float32",
    );
    expect(data).toEqual(Float32Array.of(1, 0.5, 0.25, 4, 2, 1));
  });
});

describe("decoding", () => {
  const stripes = () =>
    // left half red, right half blue
    sharp(
      Uint8Array.from({ length: 4 * 2 * 3 }, (_, at) =>
        (Math.floor(at / 3) % 4 < 2 ? at % 3 === 0 : at % 3 === 2) ? 255 : 0,
      ),
      {
        raw: { width: 4, height: 2, channels: 3 },
      },
    );
  const decode = async (bytes: Uint8Array, shape: DeclaredInput["shape"], settings: ImageSettings = {}) => {
    const { data, width, height } = await decodeImage(bytes, plan(shape, { layout: "nhwc", ...settings }), "a.png");
    return { data: Array.from(data), width, height };
  };

  test("stretches, fits and crops", async () => {
    const png = await stripes().png().toBuffer();
    // every pixel is the mean of those around it, weighted by a triangle
    expect(await decode(png, [1, 1, 2, 3])).toEqual({
      width: 2,
      height: 1,
      data: [223, 0, 32, 32, 0, 223],
    });
    const fitted = await decode(png, [1, 4, 4, 3], { resize: "fit", pad: 9 });
    expect(fitted.data.slice(0, 12)).toEqual(Array(12).fill(9));
    expect(fitted.data.slice(12, 15)).toEqual([255, 0, 0]);
    const cropped = await decode(png, [1, 2, 2, 3], { resize: "crop" });
    expect(cropped.data).toEqual([255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255]);
    expect(await decode(png, [1, "h", "w", 3], { size: "own" })).toMatchObject({ width: 4, height: 2 });
  });

  test("brings every kind of image to the channels the model takes", async () => {
    const clear = await sharp({
      create: { width: 1, height: 1, channels: 4, background: { r: 200, g: 100, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    expect((await decode(clear, [1, 1, 1, 3])).data).toEqual([200, 100, 0]);
    expect((await decode(clear, [1, 1, 1, 4])).data).toEqual([200, 100, 0, 0]);
    const grey = await sharp(Uint8Array.of(77), { raw: { width: 1, height: 1, channels: 1 } })
      .png()
      .toBuffer();
    expect((await decode(grey, [1, 1, 1, 3])).data).toEqual([77, 77, 77]);
    const colours = await sharp(grey).toColourspace("rgb16").png().toBuffer();
    const [value] = (await decode(colours, [1, 1, 1, 1])).data;
    expect(Math.abs(value! - 77)).toBeLessThanOrEqual(1);
    const turned = await stripes().jpeg({ quality: 100 }).withMetadata({ orientation: 6 }).toBuffer();
    expect(await decode(turned, [1, "h", "w", 3], { size: "own" })).toMatchObject({ width: 2, height: 4 });
  });

  test.each([
    ["nothing", new Uint8Array(0)],
    ["text", new TextEncoder().encode("<html>not found</html>")],
    ["half of an image", "half"],
  ])("refuses %s by name", async (_, bytes) => {
    const noisy = Uint8Array.from({ length: 64 * 64 * 3 }, (_, at) => (at * 7919) % 251);
    const png = await sharp(noisy, { raw: { width: 64, height: 64, channels: 3 } })
      .png()
      .toBuffer();
    const given = typeof bytes === "string" ? png.subarray(0, png.length / 2) : bytes;
    await expect(decodeImage(given, plan([1, 2, 2, 3]), "a.png")).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringMatching(/^a\.png: cannot be read as an image: [^\n]+$/),
    });
  });
});
