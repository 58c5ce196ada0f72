// One way of quantization-aware training on a model that was not shown some of the training pictures, judged on those:
// `tsx test/bench/train/qat-try.ts '{"options":["--steps","900"]}'`. For choosing settings without the test pictures.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { compressCommand } from "../../../src/commands/compress.js";
import { openSession } from "../../../src/engine/session.js";
import { encodeNpy } from "../../../src/formats/npy.js";
import { defaultQat } from "../../../src/quantize/qat.js";
import { runCommand } from "../../host.js";
import { mirrored, type Pictures, readFashion, side, someOf, together } from "./fashion.js";

interface Way {
  readonly model?: string;
  readonly options: readonly string[];
  readonly qat?: Partial<typeof defaultQat>;
  readonly first?: number;
  readonly count?: number;
  readonly mirrored?: boolean;
  readonly labels?: boolean;
  readonly test?: boolean;
  readonly plain?: boolean;
}

const way = JSON.parse(process.argv[2]!) as Way;
const model = resolve(way.model ?? "bench-work/qat/dev-teacher.onnx");
const { train, test } = readFashion()!;
const folder = mkdtempSync(join(tmpdir(), "qat-try-"));
Object.assign(defaultQat, way.qat);

const seen = someOf(train, way.first ?? 10_000, way.count ?? 20_000);
const pictures = way.mirrored ? together(seen, mirrored(seen)) : seen;
const { count, images, labels } = pictures;
writeFileSync(join(folder, "x.npy"), encodeNpy({ dtype: "float32", shape: [count, 1, side, side], data: images }));
writeFileSync(join(folder, "labels.txt"), Array.from(labels, (one) => `${one}\n`).join(""));

const args = [
  ...[
    model,
    ...(way.plain ? [] : ["--qat"]),
    "--int4",
    "--int4-convolutions",
    "--data",
    join(folder, "x.npy"),
    "--rows",
    "--batch",
    "64",
    "--held-out",
    "2%",
  ],
  ...[
    "--threads",
    "1",
    "--speed-seconds",
    "0",
    "--max-drop",
    "99%",
    "--json",
    ...(way.labels ? ["--labels", join(folder, "labels.txt")] : []),
  ],
];
const out = join(folder, "out.onnx");
const started = performance.now();
const plain = way.plain
  ? args.filter(
      (one) =>
        one !== "--batch" &&
        one !== "64" &&
        one !== "--held-out" &&
        one !== "2%" &&
        !one.startsWith("--speed") &&
        one !== "0",
    )
  : args;
const { stdout, stderr, code } = await runCommand(compressCommand, [...plain, ...way.options, "-o", out], folder);
const seconds = (performance.now() - started) / 1000;
if (code === 2) throw new Error(stderr);

async function probabilities(file: string, { count, images }: Pictures): Promise<Float32Array> {
  const session = await openSession(file);
  const result = new Float32Array(count * 10);
  for (let at = 0; at < count; at += 250) {
    const data = images.subarray(at * 784, (at + 250) * 784);
    const found = await session.run(new Map([["x", { dtype: "float32", shape: [250, 1, 28, 28], data }]]));
    result.set(found.values().next().value!.data as Float32Array, at * 10);
  }
  await session.close();
  return result;
}
const best = (p: Float32Array, row: number) => {
  let most = 0;
  for (let at = 1; at < 10; at++) if (p[row * 10 + at]! > p[row * 10 + most]!) most = at;
  return most;
};
async function judge(pictures: Pictures) {
  const [float, own] = [await probabilities(model, pictures), await probabilities(out, pictures)];
  let [right, floatRight, differ, kl] = [0, 0, 0, 0];
  for (let row = 0; row < pictures.count; row++) {
    if (best(own, row) === pictures.labels[row]) right++;
    if (best(float, row) === pictures.labels[row]) floatRight++;
    if (best(float, row) !== best(own, row)) differ++;
    for (let at = row * 10; at < row * 10 + 10; at++)
      kl += float[at]! * Math.log(Math.max(float[at]!, 1e-30) / Math.max(own[at]!, 1e-30));
  }
  return { floatRight, right, differ, kl: kl / pictures.count };
}
const held = someOf(train, 0, 10_000);
const result = {
  way,
  seconds,
  dev: await judge(held),
  devMirrored: await judge(mirrored(held)),
  ...(way.test ? { test: await judge(test) } : {}),
  ...(way.plain
    ? {}
    : { training: { ...JSON.parse(stdout).training, curve: undefined }, scores: JSON.parse(stdout).scores }),
};
rmSync(folder, { recursive: true });
console.log(JSON.stringify(result));
