// What is made of every model, by us and by Python's onnxruntime.quantization.

import { basename, dirname, join, resolve } from "node:path";

/** One way to quantize a model. */
export interface Variant {
  /** As in `--variants`. */
  readonly id: string;
  readonly by: "deepseek" | "python";
  /** Variants of one family do the same kind of thing, so ours is held against the peer's. */
  readonly family: "default" | "weights" | "dynamic" | "static" | "4 bits";
  /** Options of `deepseek compress`, or the scheme of peer.py; `data` is the folder of calibration samples. */
  readonly args: (data: string) => readonly string[];
}

const metrics = resolve("test", "bench", "quantize", "metrics");

/** Where the labels of a folder of samples lie. */
export function labelsOf(data: string): string {
  return `${data}-labels.json`;
}

function ours(id: string, family: Variant["family"], ...options: readonly string[]): Variant {
  const args = (data: string) => {
    const names: Readonly<Record<string, string>> = {
      DATA: data,
      // one for all models of a kind
      METRIC: join(metrics, `${basename(dirname(data)).split("-")[0]}.ts`),
      LABELS: labelsOf(data),
    };
    return options.map((option) => names[option] ?? option);
  };
  return { id, by: "deepseek", family, args };
}

function theirs(scheme: string, family: Variant["family"], data = false): Variant {
  return { id: `py-${scheme}`, by: "python", family, args: (folder) => (data ? [scheme, folder] : [scheme]) };
}

/** Weights go back to floats until the samples show a loss of less than this. */
const strict = ["--data", "DATA", "--max-drop", "0.5%", "--search-seconds", "60"] as const;
/** What the scheme makes, whatever it loses. */
const loose = ["--data", "DATA", "--max-drop", "99%"] as const;

export const variants: readonly Variant[] = [
  ours("int8", "default", "--int8", "--no-verify"),
  ours("int8-mse", "default", "--int8", "--clip", "mse", "--no-verify"),
  ours("int8-unbalanced", "default", "--int8", "--no-balance", "--no-verify"),
  ours("int8-data", "default", "--int8", ...strict),
  ours("int8-metric", "default", "--int8", ...strict, "--metric", "METRIC", "--labels", "LABELS"),
  ours("qdq", "weights", "--int8", "--scheme", "qdq", "--no-verify"),
  ours("dynamic", "dynamic", "--int8", "--dynamic", "--no-verify"),
  theirs("dynamic", "dynamic"),
  theirs("dynamic-channel", "dynamic"),
  ours("static", "static", "--int8", "--static", ...loose),
  ours("static-percentile", "static", "--int8", "--static", "--range", "percentile", ...loose),
  ours("static-metric", "static", "--int8", "--static", ...strict, "--metric", "METRIC", "--labels", "LABELS"),
  ours("static-data", "static", "--int8", "--static", ...strict),
  theirs("static", "static", true),
  theirs("static-u8", "static", true),
  ours("int4", "4 bits", "--int4", "--no-verify"),
  theirs("nbits8", "weights"),
  theirs("nbits4", "4 bits"),
];
