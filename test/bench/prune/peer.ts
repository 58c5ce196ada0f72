// Torch-Pruning on the Fashion-MNIST teacher, and what it leaves as .onnx files.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { decodeNpz, encodeNpz } from "../../../src/formats/npz.js";
import { decodeModel, encodeModel, makeTensor, readTensor } from "../../../src/formats/onnx.js";
import { fashionCnn } from "../train/models/fashion.js";

/** What both are recovered with. */
export interface Course {
  readonly steps: number;
  readonly batch: number;
  readonly rate: number;
  readonly warmUp: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly temperature: number;
  readonly threads: number;
}

/** The job of peer.py, which says what each field is. */
export interface PeerJob extends Course {
  readonly weights: string;
  readonly images: string;
  readonly logits: string;
  readonly test: string;
  readonly removed: number;
  readonly scope: "global" | "local";
  readonly round: number;
  readonly order: string;
  readonly to: string;
  readonly recovery?: "teacher" | "labels" | "own";
  readonly classes?: string;
  readonly courses?: readonly (Pick<Course, "steps" | "warmUp"> & { readonly to: string })[];
}

/** What peer.py prints; accuracies in per cent. */
export interface PeerResult {
  readonly versions: Readonly<Record<string, string>>;
  readonly original: number;
  /** Of channels. */
  readonly ratio: number;
  readonly channels: readonly number[];
  readonly hidden: number;
  /** Share of the multiplications. */
  readonly removed: number;
  readonly pruned: number;
  /** Of the last course. */
  readonly recovered: number;
  /** Of all. */
  readonly seconds: number;
  readonly courses: readonly { readonly steps: number; readonly recovered: number; readonly seconds: number }[];
}

export function runPeer(python: string, job: PeerJob): PeerResult {
  const argv = [resolve("test", "bench", "prune", "peer.py"), JSON.stringify(job)];
  const done = spawnSync(python, argv, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 26 });
  if (done.status !== 0) throw new Error(`peer.py: exit code ${done.status}`);
  return JSON.parse(done.stdout.trim().split("\n").at(-1)!) as PeerResult;
}

/** The weights of the teacher for the peer, by name: an .npz file. */
export function weightsOf(model: string): Uint8Array {
  const { graph } = decodeModel(new Uint8Array(readFileSync(model)), model);
  const noFiles = (): never => {
    throw new Error(`${model} is one file`);
  };
  return encodeNpz(new Map(graph!.initializer.map((one) => [one.name, readTensor(one, noFiles)])));
}

/** Writes what the peer made of it as a model like the teacher. */
export function writeModel(weightsFile: string, { channels, hidden }: PeerResult, file: string): void {
  const weights = decodeNpz(new Uint8Array(readFileSync(weightsFile)), weightsFile);
  const model = fashionCnn({ channels, hidden }, 1);
  model.graph!.initializer = model.graph!.initializer.map((one) => {
    const found = weights.get(one.name);
    if (!found && one.dims.length > 0 && one.name.includes(".")) throw new Error(`${weightsFile} lacks ${one.name}`);
    return found ? makeTensor(one.name, found) : one;
  });
  writeFileSync(file, encodeModel(model));
}
