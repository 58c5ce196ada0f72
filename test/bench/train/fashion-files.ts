// Students of the Fashion-MNIST teacher, through the built program.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeNpy } from "../../../src/formats/npy.js";
import { compress } from "./command.js";
import { type Pictures, side } from "./fashion.js";
import { writeRandom } from "./random-weights.js";

/** Options with which students of a teacher learn pictures and labels and are measured on others; files go into a folder. */
export function teaching(
  folder: string,
  teacher: string,
  { training, heldOut }: { readonly training: Pictures; readonly heldOut: Pictures },
  threads: number,
): readonly string[] {
  const write = (name: string, { count, images, labels }: Pictures) => {
    const [data, classes] = [join(folder, `${name}.npy`), join(folder, `${name}.txt`)];
    writeFileSync(data, encodeNpy({ dtype: "float32", shape: [count, 1, side, side], data: images }));
    writeFileSync(classes, `${Array.from(labels, String).join("\n")}\n`);
    return [data, classes] as const;
  };
  const [data, labels] = write("training", training);
  const [others, theirs] = write("held-out", heldOut);
  const samples = [
    "--data",
    data,
    "--rows",
    "--labels",
    labels,
    "--held-out-data",
    others,
    "--held-out-labels",
    theirs,
  ];
  return ["--distill", "--teacher", teacher, ...samples, "--threads", `${threads}`, "--speed-seconds", "0"];
}

/** Writes a student as it is made; training at a rate of 0 leaves it so. */
export function writeStart(options: readonly string[], making: readonly string[], to: string): number {
  return compress([...options, ...making, "--steps", "1", "--batch", "1", "--rate", "0", "-o", to]);
}

/** Writes the graph of that student with random weights. */
export function writeRandomStart(options: readonly string[], making: readonly string[], to: string, seed: number) {
  writeStart(options, making, to);
  writeRandom(to, to, seed);
}
