// Silero voice activity detection: F1 of frames on espeak-ng speech in coloured noise.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Batch } from "../../../src/data/batch.js";
import type { Run } from "../../../src/evaluate/agreement.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { missing, packageFolder, work } from "./fetch.js";
import { type Harness, type Prepared, type Sampling, valuesOf, xorshift } from "./harness.js";

const sentences = [
  "The jury further said in term end presentments that the City Executive Committee deserves the praise",
  "Only a relative handful of such reports was received",
  "He was married and had three children",
  "It was a dark and stormy night",
  "Numbers one two three four five",
];
/** Only for calibration. */
const otherSentences = ["The weather will be fine on Sunday morning", "Please open the second door on your left"];
const voices = ["en-us", "en-gb", "en-us+f3"];
const ratios = [30, 10, 0];
const rate = 16000;
const pauseSamples = 16000;
const speechPower = 1e-4;
const defaultSeed = 7;
/** Frames nearer than this are taken for one sample: an utterance with its pause. */
const secondsAChunk = 4;

/** How a version of the model takes its frames. */
interface Version {
  readonly file: string;
  readonly frame: number;
  /** Samples of the frame before that come first in the input. */
  readonly context: number;
  /** State inputs, the outputs that follow them, and their sizes. */
  readonly states: readonly { readonly input: string; readonly output: string; readonly shape: readonly number[] }[];
}

const recent = { frame: 512, context: 64, states: [{ input: "state", output: "stateN", shape: [2, 1, 128] }] };
const legacyStates = [
  { input: "h", output: "hn", shape: [2, 1, 64] },
  { input: "c", output: "cn", shape: [2, 1, 64] },
];

export const vad5 = harness("vad5", "Silero VAD v5", [94.8, 94.9, 91.1], { file: "silero_vad_v5.onnx", ...recent });
export const vad6 = harness("vad6", "Silero VAD v6", [94.6, 94.5, 93.5], { file: "silero_vad_v6.onnx", ...recent });
export const vadl = harness("vadl", "Silero VAD legacy", [97, 93.6, 89.9], {
  file: "silero_vad_legacy.onnx",
  frame: 1536,
  context: 0,
  states: legacyStates,
});

function harness(id: string, title: string, expected: readonly number[], version: Version): Harness {
  return {
    id,
    title,
    measures: ratios.map((ratio) => ({ name: `F1 at ${ratio} dB`, better: "higher" })),
    expected,
    model() {
      const folder = packageFolder("@ricky0123/vad-web", "0.0.31");
      return folder && join(folder, "dist", version.file);
    },
    scoresOf: (sums) =>
      ratios.map((_, at) => {
        const [hits, wrong, missed] = sums.slice(3 * at, 3 * at + 3) as [number, number, number];
        return (200 * hits) / (2 * hits + wrong + missed);
      }),
    prepare: (run, sampling) => prepare(version, run, sampling),
  };
}

async function prepare(version: Version, run: Run, { seed = defaultSeed }: Sampling): Promise<Prepared | undefined> {
  const random = xorshift(seed);
  const clean = recording([...sentences, ...sentences, ...sentences], random);
  if (!clean) return undefined;
  const noisy = ratios.map((ratio) => withNoise(clean, ratio, random));
  // states as the fp32 model has them, every so many frames
  const taken: Batch[] = [];
  const own = xorshift(3);
  const other = recording(otherSentences, own)!;
  for (const ratio of ratios) await listen(version, run, withNoise(other, ratio, own), (batch) => taken.push(batch));
  const held: Batch[] = [];
  await listen(version, run, noisy[1]!.subarray(0, 10 * rate), (batch) => held.push(batch));
  return {
    calibration: spread(taken, 96),
    heldOut: spread(held, 16),
    async judge(model) {
      const frames = Math.floor(clean.length / version.frame);
      const together = Math.ceil((secondsAChunk * rate) / version.frame);
      const rows = Array.from({ length: Math.ceil(frames / together) }, () => new Array<number>(9).fill(0));
      for (const [which, sound] of noisy.entries()) {
        for (const [at, probability] of (await listen(version, model, sound)).entries()) {
          const frame = clean.subarray(at * version.frame, (at + 1) * version.frame);
          const speech = power(frame) > speechPower;
          const row = rows[Math.floor(at / together)]!;
          if (probability > 0.5) row[3 * which + (speech ? 0 : 1)]!++;
          else if (speech) row[3 * which + 2]!++;
        }
      }
      return rows;
    },
  };
}

/** The probability of speech in every whole frame. */
async function listen(version: Version, run: Run, sound: Float32Array, see: (batch: Batch) => void = () => {}) {
  const { frame, context, states } = version;
  let carried = new Map(states.map(({ input, shape }) => [input, new Float32Array(shape.reduce((a, b) => a * b))]));
  const probabilities: number[] = [];
  for (let start = 0; start + frame <= sound.length; start += frame) {
    const data = new Float32Array(context + frame);
    data.set(sound.subarray(Math.max(0, start - context), start + frame), start === 0 ? context : 0);
    const batch = new Map<string, Tensor>([
      ["input", { dtype: "float32", shape: [1, data.length], data }],
      ["sr", { dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(rate)) }],
    ]);
    for (const { input, shape } of states) batch.set(input, { dtype: "float32", shape, data: carried.get(input)! });
    see(batch);
    const outputs = await run(batch);
    probabilities.push(valuesOf(outputs, "output")[0]!);
    carried = new Map(states.map(({ input, output }) => [input, valuesOf(outputs, output).slice()]));
  }
  return probabilities;
}

/** Utterances with silence of 1 to 2 seconds after each. */
function recording(texts: readonly string[], random: () => number): Float32Array | undefined {
  const parts: Float32Array[] = [];
  for (const [index, text] of texts.entries()) {
    const spoken = speak(text, voices[index % voices.length]!, 140 + 4 * index);
    if (!spoken) return undefined;
    parts.push(spoken, new Float32Array(pauseSamples + Math.floor(pauseSamples * random())));
  }
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One utterance at 16 kHz. */
function speak(text: string, voice: string, wordsAMinute: number): Float32Array | undefined {
  const folder = join(work, "speech");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${voice}-${wordsAMinute}-${text.slice(0, 12).replaceAll(" ", "_")}.wav`);
  if (!existsSync(file)) {
    const made = spawnSync("espeak-ng", ["-v", voice, "-s", String(wordsAMinute), "-w", file, text]);
    if (made.status !== 0) return missing("speech: espeak-ng does not run (Debian package espeak-ng)");
  }
  const bytes = readFileSync(file);
  const from = bytes.readUInt32LE(24);
  const samples = new Int16Array(new Uint8Array(bytes.subarray(44, bytes.length - (bytes.length % 2))).buffer);
  return Float32Array.from({ length: Math.floor((samples.length * rate) / from) }, (_, at) => {
    const place = (at * from) / rate;
    const below = Math.floor(place);
    const low = samples[below]!;
    const high = samples[Math.min(below + 1, samples.length - 1)]!;
    return (low + (high - low) * (place - below)) / 32768;
  });
}

/** Coloured noise upon the sound, so many dB below the power of its samples that are not silent. */
function withNoise(clean: Float32Array, ratio: number, random: () => number): Float32Array {
  const amplitude = Math.sqrt(power(clean.filter((value) => value !== 0)) / 10 ** (ratio / 10));
  let level = 0;
  return clean.map((value) => {
    const gauss = Math.sqrt(-2 * Math.log(random() + 1e-9)) * Math.cos(6.2831853 * random());
    level = 0.9 * level + 0.436 * gauss;
    return value + amplitude * level;
  });
}

function power(samples: Float32Array): number {
  return samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
}

function spread<T>(all: readonly T[], count: number): readonly T[] {
  return Array.from({ length: count }, (_, at) => all[Math.floor((at * all.length) / count)]!);
}
