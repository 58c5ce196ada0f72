import { InvalidArgumentError, Option } from "commander";
import type { Options } from "../cli.js";
import type { ImageSettings } from "../data/images.js";
import { parseShapeOptions } from "../data/shapes.js";
import type { RangeMethod, RangeSettings } from "../quantize/ranges.js";
import { repeated, whole } from "./option-values.js";
import type { SampleSettings } from "./samples.js";

/** The options that say which samples a model is run on, and how they are read. */
export function sampleOptions(): Option[] {
  return [
    new Option(
      "--data <path>",
      "samples: .npz, .npy, .pb, .jsonl or .json files, images, test_data_set_N folders, or a folder of one of these",
    ),
    new Option(
      "--shape <input=sizes>",
      "sizes of a dynamic input for synthetic samples, e.g. x=1x3x224x224 (repeatable)",
    ).argParser(repeated),
    new Option("--rows", "each row of the arrays in .npz and .npy files is a sample of its own"),
    new Option(
      "--image-size <size>",
      "size of images: <width>x<height>, one number, or own (default: the model's)",
    ).argParser(imageSize),
    new Option("--image-resize <mode>", "how images are brought to size (default: stretch)").choices([
      "stretch",
      "fit",
      "crop",
    ]),
    new Option("--image-pad <value>", "pixel value around a fitted image (default: 0)").argParser(whole(0, 255)),
    new Option("--image-scale <factor>", "what pixels are multiplied by, e.g. 1/127.5 (default: 1/255)").argParser(
      factor,
    ),
    new Option("--image-offset <number>", "what is added after that").argParser(factor),
    new Option(
      "--image-mean <numbers>",
      "what is taken away after that, one or one a channel: 0.485,0.456,0.406",
    ).argParser(numbers),
    new Option(
      "--image-std <numbers>",
      "what the rest is divided by, one or one a channel: 0.229,0.224,0.225",
    ).argParser(numbers),
    new Option("--image-channels <order>", "order of the colours (default: rgb)").choices(["rgb", "bgr"]),
    new Option("--image-layout <layout>", "where the model has the channels (default: as its shape tells)").choices([
      "nchw",
      "nhwc",
    ]),
    new Option(
      "--tokenizer <file>",
      "tokenizer.json with which the lines of --data become token ids (bench: or tokens of endpoints are counted)",
    ),
    new Option("--max-length <n>", "tokens of a text at most (default: as the tokenizer says, else 128)").argParser(
      whole(1),
    ),
  ];
}

/** The option for what is right for each sample. */
export function labelsOption(): Option {
  return new Option("--labels <file>", "a class or text for each sample: .txt or .csv (one a line), .json or .npy");
}

/** The options of calibration. */
export function calibrationOptions(): Option[] {
  return [
    new Option(
      "--calibration <file>",
      "statistics of the model's values, and what ranking measured: read from here where it is there, and kept in it",
    ),
    new Option("--range <method>", "how ranges follow from the statistics")
      .choices(["auto", "minmax", "moving", "percentile", "entropy", "mse"] satisfies ("auto" | RangeMethod)[])
      .default("auto"),
    new Option("--percentile <share>", "share of elements inside the range, with --range percentile")
      .argParser(percent)
      .default(99.999, "99.999"),
  ];
}

/** How samples are read, as the options of {@link sampleOptions} say; `count` and `seed` are of made-up ones. */
export function sampleSettings(
  options: Options,
  synthetic: { readonly count: number; readonly seed: number },
): SampleSettings {
  const given = (name: string, key: keyof ImageSettings) =>
    options[name] === undefined ? {} : { [key]: options[name] };
  const image: ImageSettings = {
    ...given("imageSize", "size"),
    ...given("imageResize", "resize"),
    ...given("imagePad", "pad"),
    ...given("imageScale", "scale"),
    ...given("imageOffset", "offset"),
    ...given("imageMean", "mean"),
    ...given("imageStd", "std"),
    ...given("imageChannels", "channels"),
    ...given("imageLayout", "layout"),
  };
  const { tokenizer, maxLength } = options as { readonly tokenizer?: string; readonly maxLength?: number };
  return {
    ...synthetic,
    shapes: parseShapeOptions((options["shape"] as readonly string[] | undefined) ?? []),
    image,
    rows: options["rows"] === true,
    ...(tokenizer === undefined ? {} : { tokenizer }),
    ...(maxLength === undefined ? {} : { maxLength }),
  };
}

/** How ranges are chosen, as the options of {@link calibrationOptions} say. */
export function rangeSettings(options: Options): RangeSettings {
  const method = options["range"] as RangeMethod | "auto";
  return { method: method === "auto" ? "mse" : method, percentile: options["percentile"] as number };
}

function imageSize(text: string): ImageSettings["size"] & {} {
  if (text === "own") return "own";
  const found = /^(\d+)(?:x(\d+))?$/.exec(text);
  const [width, height] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1])];
  if (width >= 1 && height >= 1 && width <= 65_535 && height <= 65_535) return { width, height };
  throw new InvalidArgumentError("It must be <width>x<height>, such as 320x240, one number, or own.");
}

/** A number, or a fraction of two. */
function factor(text: string): number {
  const [above, below = "1", ...more] = text.split("/");
  const value = Number(above) / Number(below);
  if (/\d/.test(above!) && /\d/.test(below) && more.length === 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be a number, such as 0.5 or 1/255.");
}

function numbers(text: string): readonly number[] {
  return text.split(",").map(factor);
}

function percent(text: string): number {
  const value = Number(text.trim().replace(/%$/, ""));
  if (/\d/.test(text) && value > 50 && value <= 100) return value;
  throw new InvalidArgumentError("It must be a share above 50 and up to 100, such as 99.99.");
}
