import { dirname, join } from "node:path";
import type { Host } from "../cli.js";
import type { Batch, DeclaredInput, SampleSet } from "../data/batch.js";
import type { ImageSettings } from "../data/images.js";
import type { JsonSamples } from "../data/json-sample.js";
import type { Label } from "../data/labels.js";
import { fittedSamples, listedSamples, type RawSamples } from "../data/sample-set.js";
import { resolveShapes } from "../data/shapes.js";
import { syntheticBatches } from "../data/synthetic.js";
import { UserError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { readInput, statsOf } from "./files.js";
import { findSamples, indexLines, mayBeList, readJsonText } from "./sample-files.js";

/** How samples are made up when the user has none. */
interface SyntheticSettings {
  /** Shapes of `--shape`, by input; only for made-up samples. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly count: number;
  readonly seed: number;
}

/** How samples are read; only what the user says. */
export interface SampleSettings extends SyntheticSettings {
  readonly image?: ImageSettings;
  /** Path of a tokenizer.json. */
  readonly tokenizer?: string;
  readonly maxLength?: number;
  /** Whether each row of the first axis of .npz and .npy arrays is a sample. */
  readonly rows?: boolean;
}

/**
 * The samples of `--data` (see sample-files.ts for the forms); without a path they are made up. They are read one at a
 * time; the first is read at once, so that data of another model are refused before any work. A UserError says what does
 * not fit. `outputs` are the names of the model's outputs, which test data may hold as well.
 */
export async function readSamples(
  host: Host,
  path: string | undefined,
  inputs: readonly DeclaredInput[],
  settings: SampleSettings,
  outputs: readonly { readonly name: string }[] = [],
): Promise<SampleSet> {
  const { shapes, count, seed, image, tokenizer, maxLength, rows } = settings;
  if (path === undefined) {
    if (tokenizer !== undefined) throw new UserError("--tokenizer: give the text with --data");
    const batches = syntheticBatches(inputs, resolveShapes(inputs, shapes), count, seed);
    return listedSamples(batches, `synthetic, seed ${seed}`, true);
  }
  if (shapes.size > 0) throw new UserError("--shape: leave it out with --data; the samples have their own shapes");
  const { form, paths } = findSamples(host, path, tokenizer !== undefined);
  if (form !== "image" && Object.keys(image ?? {}).length > 0) {
    throw new UserError(`--image-...: the samples of --data ${path} are no images; leave these options out`);
  }
  if (form !== "text" && maxLength !== undefined) throw new UserError("--max-length: is for text, with --tokenizer");
  if (rows && form !== "npz" && form !== "npy") throw new UserError("--rows: is for .npz and .npy samples");
  const found = { host, source: path, paths, inputs };
  let raw: RawSamples;
  switch (form) {
    case "npz":
    case "npy":
      raw = await arraySamples(found, form, rows ?? false);
      break;
    case "pb":
      raw = await tensorSamples(found);
      break;
    case "test data":
      raw = await testData(found, outputs);
      break;
    case "jsonl":
      raw = await lineSamples(found);
      break;
    case "json":
      raw = await jsonSamples(found);
      break;
    case "image":
      raw = await imageSamples(found, image ?? {});
      break;
    case "text":
      raw = await textSamples(found, tokenizer!, maxLength);
  }
  if (raw.count === 0) throw new UserError(`--data ${path}: holds no samples`);
  const set = fittedSamples(raw, inputs);
  await set.read(0);
  return set;
}

/** The labels of `--labels`, one a sample. */
export async function readLabels(host: Host, path: string, samples: SampleSet): Promise<readonly Label[]> {
  const { parseLabels } = await import("../data/labels.js");
  return parseLabels(readInput(host, path, "label"), path, samples);
}

/** Files of one form that lie on disk, and the model they are for. */
interface Found {
  readonly host: Host;
  readonly source: string;
  readonly paths: readonly string[];
  readonly inputs: readonly DeclaredInput[];
}

/** The name of the model's only input, which files without names are for. */
function onlyInput({ inputs, source }: Found, what: string): string {
  if (inputs.length === 1) return inputs[0]!.name;
  const names = inputs.map(({ name }) => name).join(", ") || "none";
  throw new UserError(`--data ${source}: ${what} hold one input each, but the model takes ${names}; give .npz files`);
}

/** .npz and .npy files: a sample each, or a sample for each row where the model takes fewer rows than the file has. */
async function arraySamples(found: Found, form: "npz" | "npy", byRow: boolean): Promise<RawSamples> {
  const { host, paths, inputs, source } = found;
  const { decodeNpz } = await import("../formats/npz.js");
  const { decodeNpy } = await import("../formats/npy.js");
  const { rowsOf, sampleRows } = await import("../data/rows.js");
  const name = form === "npy" ? onlyInput(found, ".npy files") : "";
  const load = (path: string): Batch => {
    const bytes = readInput(host, path, "sample");
    return form === "npz" ? decodeNpz(bytes, path) : new Map([[name, decodeNpy(bytes, path)]]);
  };
  const cached = rememberFiles(load);
  const rows = sampleRows(cached(paths[0]!), inputs, byRow, paths[0]!);
  if (rows === null) {
    return { count: paths.length, source, nameOf: (at) => paths[at]!, read: async (at) => load(paths[at]!) };
  }
  const places = paths.flatMap((path) => {
    const count = sampleRows(cached(path), inputs, byRow, path)?.samples ?? 1;
    return Array.from({ length: count }, (_, at) => ({ path, at, count }));
  });
  const each = rows.rows === 1 ? "one row" : `${rows.rows} rows`;
  return {
    count: places.length,
    source: `${source} (${places.length} samples of ${each})`,
    nameOf: (at) => `${places[at]!.path}[${places[at]!.at}]`,
    read: async (at) => {
      const place = places[at]!;
      return rowsOf(cached(place.path), place.at, place.count);
    },
  };
}

/** Decoded files of many rows that are kept, in bytes: training asks for their rows in any order. */
const maxDecoded = 2 ** 30;

/** Keeps the files that were read last, at least one. */
function rememberFiles(load: (path: string) => Batch): (path: string) => Batch {
  const kept = new Map<string, Batch>();
  const bytesOf = (batch: Batch) =>
    [...batch.values()].reduce((sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0), 0);
  let bytes = 0;
  return (path) => {
    const batch = kept.get(path) ?? load(path);
    if (!kept.delete(path)) bytes += bytesOf(batch);
    // the last in the map is the one used last
    kept.set(path, batch);
    for (const [oldest, old] of kept) {
      if (bytes <= maxDecoded || oldest === path) break;
      kept.delete(oldest);
      bytes -= bytesOf(old);
    }
    return batch;
  };
}

/** .pb files of one tensor each, for models of one input. */
async function tensorSamples(found: Found): Promise<RawSamples> {
  const { host, paths, source } = found;
  const name = onlyInput(found, ".pb files");
  const { decodeTensor } = await import("../formats/onnx.js");
  return {
    count: paths.length,
    source,
    nameOf: (at) => paths[at]!,
    read: async (at) => new Map([[name, decodeTensor(readInput(host, paths[at]!, "sample"), paths[at]!).tensor]]),
  };
}

/** Folders with input_0.pb, input_1.pb, ... and perhaps output_0.pb, ..., as ONNX models are tested with. */
async function testData({ host, paths, inputs, source }: Found, outputs: readonly { readonly name: string }[]) {
  const { decodeTensor } = await import("../formats/onnx.js");
  const load = (folder: string, kind: "input" | "output", declared: readonly { readonly name: string }[]): Batch => {
    const tensors = new Map<string, Tensor>();
    for (let at = 0; ; at++) {
      const file = join(folder, `${kind}_${at}.pb`);
      if (!statsOf(host, file)) return tensors;
      const { name, tensor } = decodeTensor(readInput(host, file, "sample"), file);
      // the name counts where the model has it, else the number
      const known = declared.some((value) => value.name === name) ? name : declared[at]?.name;
      tensors.set(known ?? (name || `${kind}_${at}`), tensor);
    }
  };
  return {
    count: paths.length,
    source,
    nameOf: (at: number) => paths[at]!,
    read: async (at: number) => load(paths[at]!, "input", inputs),
    expected: async (at: number) => {
      const tensors = load(paths[at]!, "output", outputs);
      return tensors.size > 0 ? tensors : undefined;
    },
  };
}

/** The lines of all files, one after another. */
function linesOf({ host, paths }: Found) {
  const places = paths.flatMap((path) => {
    const lines = indexLines(host, path);
    return Array.from({ length: lines.count }, (_, at) => ({ path, lines, at }));
  });
  return {
    count: places.length,
    nameOf: (at: number) => `${places[at]!.path}:${places[at]!.lines.numberOf(places[at]!.at)}`,
    textOf: (at: number) => places[at]!.lines.read(places[at]!.at),
  };
}

async function lineSamples(found: Found): Promise<RawSamples> {
  const { parseJsonSample } = await import("../data/json-sample.js");
  const { count, nameOf, textOf } = linesOf(found);
  return {
    count,
    source: found.source,
    nameOf,
    read: async (at) => parseJsonSample(textOf(at), found.inputs, nameOf(at)),
  };
}

/** .json files: a sample each, or a sample for each object of the list a file holds. */
async function jsonSamples({ host, paths, inputs, source }: Found): Promise<RawSamples> {
  const { parseJsonSamples } = await import("../data/json-sample.js");
  // samples of one file come one after another
  let latest: { readonly path: string; readonly samples: JsonSamples } | undefined;
  const samplesOf = (path: string): JsonSamples => {
    if (latest?.path !== path) latest = { path, samples: parseJsonSamples(readJsonText(host, path), inputs, path) };
    return latest.samples;
  };
  const places = paths.flatMap((path) => {
    if (!mayBeList(host, path)) return [{ path, at: 0, name: path }];
    const { count, nameOf } = samplesOf(path);
    return Array.from({ length: count }, (_, at) => ({ path, at, name: nameOf(at) }));
  });
  return {
    count: places.length,
    source,
    nameOf: (at) => places[at]!.name,
    read: async (at) => samplesOf(places[at]!.path).read(places[at]!.at),
  };
}

async function imageSamples({ host, paths, inputs, source }: Found, settings: ImageSettings): Promise<RawSamples> {
  const { decodeImage, planImages, tensorOfPixels } = await import("../data/images.js");
  const plan = planImages(inputs, settings);
  return {
    count: paths.length,
    source: `${source} (images: ${plan.words})`,
    nameOf: (at) => paths[at]!,
    async read(at) {
      const pixels = await decodeImage(readInput(host, paths[at]!, "image"), plan, paths[at]!);
      return new Map([[plan.input.name, tensorOfPixels(pixels, plan)]]);
    },
  };
}

async function textSamples(found: Found, tokenizer: string, maxLength: number | undefined): Promise<RawSamples> {
  const { prepareText } = await import("../data/text.js");
  const { host, inputs } = found;
  const read = (path: string) => new TextDecoder().decode(readInput(host, path, "tokenizer"));
  const config = join(dirname(tokenizer), "tokenizer_config.json");
  const own = statsOf(host, config) ? read(config) : null;
  const settings = maxLength === undefined ? {} : { maxLength };
  const text = await prepareText(read(tokenizer), own, inputs, settings, `--tokenizer ${tokenizer}`);
  const { count, nameOf, textOf } = linesOf(found);
  return {
    count,
    source: `${found.source} (text: ${text.words})`,
    nameOf,
    read: async (at) => text.encode(textOf(at)),
  };
}
