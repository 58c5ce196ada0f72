import { UserError } from "../errors.js";
import { isNumericDType, tensorOfNumbers } from "../tensor/numbers.js";
import { formatShape, type Tensor } from "../tensor/tensor.js";
import type { DeclaredInput } from "./batch.js";

/** How images become a model's input, as far as the user says it; the rest follows from the input, or has a default. */
export interface ImageSettings {
  /** Size to resize to, or each image's own; needed where the model does not say it. */
  readonly size?: { readonly width: number; readonly height: number } | "own";
  /** `stretch` (default), `fit` (whole image, the rest padded) or `crop` (the middle, filled). */
  readonly resize?: "stretch" | "fit" | "crop";
  /** Value around an image that is fitted, 0 to 255; default 0. */
  readonly pad?: number;
  /** value = (pixel x scale + offset - mean) / std; default scale 1 / 255 for floats, 1 for integers. */
  readonly scale?: number;
  readonly offset?: number;
  /** One for all channels, or one each, in the order the model takes them. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** Default `rgb`. */
  readonly channels?: "rgb" | "bgr";
  /** Needed where the input's shape does not tell. */
  readonly layout?: "nchw" | "nhwc";
}

/** All that is needed to turn an image into the model's input. */
export interface ImagePlan {
  readonly input: DeclaredInput;
  /** Null: each image's own size. */
  readonly width: number | null;
  readonly height: number | null;
  readonly channels: 1 | 3 | 4;
  readonly layout: "nchw" | "nhwc";
  readonly resize: "stretch" | "fit" | "crop";
  readonly pad: number;
  readonly bgr: boolean;
  /** Whether the input has a leading axis of the batch. */
  readonly batched: boolean;
  /** value = pixel x factor + shift, by channel as the model takes them. */
  readonly factor: readonly number[];
  readonly shift: readonly number[];
  /** All of it in words. */
  readonly words: string;
}

/** Pixels row by row, channels together: red, green, blue (and alpha), or grey alone. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Decides how images are fed to a model of one image input. Throws a UserError that names the option to add or mend. */
export function planImages(inputs: readonly DeclaredInput[], settings: ImageSettings): ImagePlan {
  const [input] = inputs;
  if (!input || inputs.length > 1) {
    const names = inputs.map(({ name }) => name).join(", ") || "none";
    throw new UserError(`--data: images suit a model of one input; this one takes ${names}; give .npz files`);
  }
  const { dtype, shape } = input;
  const place = `input "${input.name}" (${dtype} ${formatShape(shape)})`;
  if (!isNumericDType(dtype) || dtype === "bool") throw new UserError(`--data: ${place} takes no images`);
  if (shape.length !== 3 && shape.length !== 4) {
    throw new UserError(`--data: ${place} takes no images: they have 3 axes, or 4 with a batch; give .npz files`);
  }
  const batched = shape.length === 4;
  if (batched && typeof shape[0] === "number" && shape[0] !== 1) {
    throw new UserError(`--data: ${place} takes ${shape[0]} images at once; give .npz files of that many`);
  }
  const axes = shape.slice(-3);
  const layout = settings.layout ?? layoutOf(axes, place);
  const channelAxis = layout === "nchw" ? axes[0]! : axes[2]!;
  const channels = typeof channelAxis === "number" ? channelAxis : 3;
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new UserError(`--image-layout ${layout}: ${place} would have ${channels} channels; images have 1, 3 or 4`);
  }
  const [high, wide] = layout === "nchw" ? [axes[1]!, axes[2]!] : [axes[0]!, axes[1]!];
  const own = settings.size === "own" ? undefined : settings.size;
  const side = (declared: number | string | null, given: number | undefined, name: string): number | null => {
    if (typeof declared === "number" && given !== undefined && declared !== given) {
      throw new UserError(`--image-size: ${place} has ${name} ${declared}, not ${given}`);
    }
    const size = typeof declared === "number" ? declared : given;
    if (size === undefined && settings.size !== "own") {
      throw new UserError(
        `--data: ${place} leaves the ${name} open: give --image-size <width>x<height>, or --image-size own`,
      );
    }
    return size ?? null;
  };
  const height = side(high, own?.height, "height");
  const width = side(wide, own?.width, "width");
  const isFloat = dtype.startsWith("float");
  const scale = settings.scale ?? (isFloat ? 1 / 255 : 1);
  const mean = spread("--image-mean", settings.mean ?? [0], channels);
  const std = spread("--image-std", settings.std ?? [1], channels);
  if (std.some((value) => value === 0)) throw new UserError("--image-std: 0 would divide by nothing");
  const offset = settings.offset ?? 0;
  const plain = scale === 1 && offset === 0 && mean.every((value) => value === 0) && std.every((value) => value === 1);
  if (!isFloat && !plain) {
    throw new UserError(`--image-scale, --image-offset, --image-mean, --image-std: ${place} takes pixels as they are`);
  }
  const resize = settings.resize ?? "stretch";
  const bgr = settings.channels === "bgr";
  const pad = settings.pad ?? 0;
  const colours = channels === 1 ? "grey" : `${bgr ? "BGR" : "RGB"}${channels === 4 ? "A" : ""}`;
  const size = `${width ?? "own width"} x ${height ?? "own height"}`;
  const how = { stretch: "stretched to", fit: `fitted (rest ${pad}) into`, crop: "cropped to" }[resize];
  const words = [
    width === null && height === null ? "own size" : `${how} ${size} (width x height, bilinear)`,
    colours,
    formula(scale, offset, settings.mean ?? [0], settings.std ?? [1]),
    batched ? layout.toUpperCase() : layout.slice(1).toUpperCase(),
  ];
  return {
    input,
    width,
    height,
    channels,
    layout,
    resize,
    pad,
    bgr,
    batched,
    factor: std.map((deviation) => scale / deviation),
    shift: std.map((deviation, at) => (offset - mean[at]!) / deviation),
    words: words.join(", "),
  };
}

function layoutOf(axes: DeclaredInput["shape"], place: string): "nchw" | "nhwc" {
  const isChannels = (axis: number | string | null | undefined) => axis === 1 || axis === 3 || axis === 4;
  const [first, last] = [isChannels(axes[0]), isChannels(axes[2])];
  if (first !== last) return first ? "nchw" : "nhwc";
  throw new UserError(`--data: ${place} does not tell which axis holds the channels: give --image-layout nchw or nhwc`);
}

function spread(option: string, values: readonly number[], channels: number): readonly number[] {
  if (values.length === channels) return values;
  if (values.length === 1) return Array.from({ length: channels }, () => values[0]!);
  throw new UserError(`${option}: ${values.length} numbers, but the model takes ${channels} channels`);
}

function formula(scale: number, offset: number, mean: readonly number[], std: readonly number[]): string {
  // 1 / 127.5 reads better than its decimals
  const divisor = String(Number((1 / scale).toPrecision(9)));
  let words = scale === 1 ? "pixel" : divisor.length <= 6 ? `pixel / ${divisor}` : `pixel x ${scale}`;
  if (offset !== 0) words += ` ${offset < 0 ? "-" : "+"} ${Math.abs(offset)}`;
  const list = (values: readonly number[]) => (values.length === 1 ? String(values[0]) : `[${values.join(", ")}]`);
  const centred = mean.some((value) => value !== 0);
  const divided = std.some((value) => value !== 1);
  if (centred) words += ` - ${list(mean)}`;
  if (divided) words = `${centred || offset !== 0 ? `(${words})` : words} / ${list(std)}`;
  return words;
}

/** The input tensor of an image whose pixels have the plan's size and number of channels. */
export function tensorOfPixels({ data, width, height }: Pixels, plan: ImagePlan): Tensor {
  const { channels, layout, bgr, factor, shift, input } = plan;
  const area = width * height;
  // where the model's channel stands in a pixel
  const from = Array.from({ length: channels }, (_, at) => (bgr && channels >= 3 && at < 3 ? 2 - at : at));
  const sizes = layout === "nchw" ? [channels, height, width] : [height, width, channels];
  const shape = plan.batched ? [1, ...sizes] : sizes;
  let at = 0;
  const next = () => {
    const channel = layout === "nchw" ? Math.floor(at / area) : at % channels;
    const pixel = layout === "nchw" ? at % area : Math.floor(at / channels);
    at++;
    return data[pixel * channels + from[channel]!]! * factor[channel]! + shift[channel]!;
  };
  // planImages took only dtypes of numbers
  return tensorOfNumbers(input.dtype as "float32", shape, next);
}

/**
 * Decodes an image (PNG, JPEG, WebP, AVIF, TIFF, GIF's first frame) and resizes it as planned: turned as its EXIF data
 * say, in sRGB, without transparency unless the model takes 4 channels. Throws a UserError for what is no image.
 */
export async function decodeImage(bytes: Uint8Array, plan: ImagePlan, where: string): Promise<Pixels> {
  const { default: sharp } = await import("sharp");
  try {
    let image = sharp(bytes, { failOn: "error" }).autoOrient();
    if (plan.width !== null || plan.height !== null) {
      const fit = { stretch: "fill", fit: "contain", crop: "cover" } as const;
      const grey = { r: plan.pad, g: plan.pad, b: plan.pad };
      image = image.resize({
        ...(plan.width === null ? {} : { width: plan.width }),
        ...(plan.height === null ? {} : { height: plan.height }),
        fit: fit[plan.resize],
        background: { ...grey, alpha: 1 },
        kernel: "linear",
        fastShrinkOnLoad: false,
      });
    }
    if (plan.channels === 1) image = image.removeAlpha().greyscale();
    else
      image =
        plan.channels === 4 ? image.toColourspace("srgb").ensureAlpha() : image.toColourspace("srgb").removeAlpha();
    const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    if (info.channels !== plan.channels) throw new Error(`it has ${info.channels} channels, not ${plan.channels}`);
    return { data, width: info.width, height: info.height };
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0]!;
    throw new UserError(`${where}: cannot be read as an image: ${reason}`);
  }
}
