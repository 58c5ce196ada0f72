// What quantization loses, and what training for it brings back: `deepseek compress --int4` and `--int8 --static`, each
// without and with `--qat`, on the Fashion-MNIST teacher and on OCR recognition. No labels: the float model teaches.
// `--ways int4` for one of them.
import { existsSync, writeFileSync } from "node:fs";
import { encodeNpy } from "../../../../src/formats/npy.js";
import { ocrRecognition } from "../../../ocr-lines.js";
import { compress } from "../command.js";
import { readFashion, side, someOf } from "../fashion.js";
import { fashionAccuracy, ocrErrors } from "../judge.js";
import { listed } from "../keep.js";
import type { Goal, Row } from "../result.js";
import { fashionTeacherFile } from "./fashion.js";
import { linesFolder } from "./ocr.js";
import { beside, kept, type Task, type TaskSettings } from "./task.js";

/** A model that is quantized. */
interface Subject {
  readonly file: string;
  /** Options that say what is learned from, and what ranges are taken of. */
  readonly training: readonly string[];
  readonly calibration: readonly string[];
  readonly measure: string;
  /** By how much a smaller value is better: 1, or -1 where a larger one is. */
  readonly sign: 1 | -1;
  readonly steps: number;
  judge(file: string): Promise<number>;
}

/** Rounding to nearest and nothing else: what a plain tool does. */
const plain = ["--clip", "max", "--no-bias-correction", "--smooth", "off"];

const ways = [
  { name: "int4", options: ["--int4", "--int4-convolutions"] },
  { name: "int8", options: ["--int8", "--static"] },
] as const;

const only: readonly string[] = listed("--ways") ?? ways.map(({ name }) => name);

function task(id: string, title: string, open: (settings: TaskSettings) => Promise<Subject | undefined>): Task {
  return {
    id,
    title,
    async run(settings) {
      const subject = await open(settings);
      if (!subject) return undefined;
      const { file, training, calibration, measure, sign, judge } = subject;
      const steps = settings.quick ? 2 : subject.steps;
      const rows: Row[] = [{ task: id, what: "fp32", measure, value: await judge(file) }];
      const goals: Goal[] = [];
      for (const { name, options } of ways.filter((way) => only.includes(way.name))) {
        const ptq = await kept(id, `${name}-ptq`, settings, async (output) =>
          compress([file, ...options, ...calibration, "--max-drop", "99%", "-o", output]),
        );
        const nearest = await kept(id, `${name}-plain`, settings, async (output) =>
          compress([file, ...options, ...plain, ...calibration, "--max-drop", "99%", "-o", output]),
        );
        const rounded = await judge(ptq.file);
        rows.push(
          {
            ...{ task: id, what: `${name}, rounded without corrections`, measure },
            ...{ value: await judge(nearest.file), bytes: nearest.bytes },
          },
          { task: id, what: `${name}, PTQ`, measure, value: rounded, bytes: ptq.bytes },
        );
        const trained: number[] = [];
        for (const seed of settings.seeds) {
          const qat = await kept(id, `${name}-qat-${seed}`, settings, async (output) =>
            compress([
              ...[file, "--qat", ...options, ...training, "--steps", `${steps}`, "-o", output],
              ...["--threads", `${settings.threads}`, "--seed", `${seed}`],
            ]),
          );
          const value = await judge(qat.file);
          trained.push(value);
          const { bytes, seconds } = qat;
          rows.push({ task: id, what: `${name}, QAT`, measure, value, bytes, steps, seconds, seed });
        }
        const worse = (value: number) => sign * (value - rows[0]!.value);
        const lost = worse(rounded);
        const left = trained.reduce((sum, value) => sum + worse(value), 0) / trained.length;
        const all = trained.map((value) => value.toFixed(2)).join(", ");
        const nothing = lost <= 0 ? " (nothing to recover)" : "";
        const words = `PTQ ${lost.toFixed(2)} points worse, QAT ${left.toFixed(2)}: ${all}${nothing}`;
        if (name === "int8") {
          goals.push({ task: id, goal: "INT8 drops at most 0.3 points", measured: words, met: left <= 0.3 });
        } else {
          const met = left <= 0.2 * Math.max(lost, 0);
          goals.push({ task: id, goal: "QAT at INT4 recovers 80 % of what PTQ loses", measured: words, met });
        }
        console.log(`  ${name}: ${words}`);
      }
      return { rows, goals };
    },
  };
}

export const qatFashion = task("qat-fashion", "Fashion-MNIST: training for INT4 and INT8", async (settings) => {
  const data = readFashion();
  if (!data) return undefined;
  const { file } = await fashionTeacherFile(data.train, settings);
  const pictures = (name: string, start: number, count: number) => {
    const path = beside("qat-fashion", `${name}.npy`);
    if (!existsSync(path)) {
      const shape = [count, 1, side, side];
      writeFileSync(path, encodeNpy({ dtype: "float32", shape, data: someOf(data.train, start, count).images }));
    }
    return ["--data", path, "--rows"];
  };
  return {
    file,
    training: [...pictures(`training-${data.train.count}`, 0, data.train.count), "--batch", "64"],
    calibration: pictures("calibration", 20_000, 512),
    measure: "top-1",
    sign: -1,
    steps: 1300,
    judge: fashionAccuracy(data.test),
  };
});

export const qatOcr = task("qat-ocr", "OCR recognition: training for INT4 and INT8", async () => {
  const [many, few] = [linesFolder(), linesFolder(128)];
  if (!many || !few) return undefined;
  return {
    file: ocrRecognition,
    training: ["--data", many, "--batch", "4", "--held-out", "5%"],
    calibration: ["--data", few],
    measure: "CER",
    sign: 1,
    steps: 300,
    judge: ocrErrors,
  };
});
