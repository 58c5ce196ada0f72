import type { Host } from "../cli.js";
import { imageShapes, noiseImage } from "../data/made-up-images.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { declaredInputs } from "../graph/declared-inputs.js";
import { poolValues } from "../graph/expose.js";
import { neededChannels } from "../quantize/bias-correction.js";
import { meansOf, middleMeans } from "../quantize/channel-means.js";
import type { InputChannels } from "../quantize/weight-error.js";
import { elementCount } from "../tensor/tensor.js";
import { computedOf, openProbeOf } from "./compress-calibrate.js";
import type { Staging } from "./files.js";
import type { ModelFile } from "./model-files.js";
import { startProgress } from "./progress.js";

/**
 * How strong the noise of made-up images is, over that of images brought to mean 0 and deviation 1. What a channel's mean is
 * on real ones is not known: the middle of these three is near it for images of the usual scales (0 to 1, -1 to 1, by mean and
 * deviation) and, as one of them is an image of nothing, far from none.
 */
const strengths = [0, 0.5, 5];

/** Larger images than this are not run for the sake of means. */
const maxElements = 4 * 512 * 512;

/**
 * Means of the inputs of convolutions and products, from runs on made-up images: enough to correct biases by, since what
 * rounding moves hangs on the network more than on the image. Undefined for models that take anything but
 * images, or cannot be run on them.
 */
export async function madeUpChannels(
  host: Host,
  source: ModelFile,
  base: ModelProto,
  readExternal: ReadExternal,
  staging: Staging,
  seed: number,
): Promise<((value: string) => InputChannels | undefined) | undefined> {
  const axes = neededChannels(base);
  const names = computedOf(base, [...axes.keys()]);
  const inputs = declaredInputs(base);
  const shapes = imageShapes(inputs).filter((shape) => elementCount(shape) <= maxElements);
  if (names.length === 0 || shapes.length === 0) return undefined;
  // images of channels are averaged where they are computed; other values are few
  const { model, pooled } = poolValues(
    base,
    [...names].filter((name) => axes.get(name) === 1),
  );
  const shown = names.map((name) => pooled.get(name) ?? name);
  const open = openProbeOf(source, model, readExternal, staging);
  const input = inputs[0]!.name;
  const progress = startProgress(host, "running made-up images", "runs");
  try {
    for (const shape of shapes) {
      try {
        const noise = noiseImage(shape, seed);
        const session = await open(shown, new Map([[input, shape]]));
        try {
          const found: ReadonlyMap<string, readonly number[]>[] = [];
          for (const strength of strengths) {
            const data = noise.map((value) => strength * value);
            const values = await session.run(new Map([[input, { dtype: "float32", shape, data }]]));
            found.push(new Map(names.map((name, at) => [name, meansOf(values.get(shown[at]!)!, axes.get(name)!)])));
            progress.update(found.length, strengths.length);
          }
          const means = new Map(names.map((name) => [name, middleMeans(found.map((one) => one.get(name)!))]));
          return (value) => means.get(value);
        } finally {
          await session.close();
        }
      } catch (error) {
        // it cannot take images of that size
        if (!(error instanceof UserError)) throw error;
      }
    }
    return undefined;
  } finally {
    progress.stop();
  }
}
