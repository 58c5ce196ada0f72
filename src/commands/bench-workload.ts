import type { CountTokens } from "../bench/endpoints/tokens.js";
import type { Source, WorkloadOptions } from "../bench/workload/make.js";
import type { Vocabulary } from "../bench/workload/words.js";
import type { Workload } from "../bench/workload/workload.js";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import { readInput } from "./files.js";

const kinds = ["dataset", "synthetic", "preset", "trace"] as const;

/** What the options ask endpoints; without any of them the questions of the preset "chat". */
export async function workloadOf(
  host: Host,
  options: Options,
  countTokens: CountTokens | undefined,
): Promise<Workload> {
  const { makeWorkload } = await import("../bench/workload/make.js");
  const { vocabulary } = await import("../bench/workload/words.js");
  const given = kinds.filter((kind) => options[kind] !== undefined);
  if (given.length > 1) {
    throw new UserError(`--${given.join(" and --")}: give one of them; a run asks one kind of questions`);
  }
  const kind = given[0] ?? "preset";
  if (kind !== "synthetic" && options["ignoreEos"]) {
    throw new UserError("--ignore-eos: is for --synthetic, whose lengths it makes true");
  }
  for (const [option, written] of [
    ["recordedAnswers", "--recorded-answers"],
    ["inOrder", "--in-order"],
  ] as const) {
    if (kind !== "dataset" && options[option]) throw new UserError(`${written}: is for --dataset`);
  }
  if (kind !== "dataset" && options["turns"] !== undefined) {
    throw new UserError("--turns: is for --dataset; made-up conversations: --synthetic in=512,out=128,turns=3");
  }
  const seed = options["seed"] as number;
  const words = vocabulary(countTokens ?? null);
  const source = await sourceOf(host, options, kind, seed, words);
  return makeWorkload(source, await settingsOf(options, seed), words);
}

async function sourceOf(
  host: Host,
  options: Options,
  kind: (typeof kinds)[number],
  seed: number,
  words: Vocabulary,
): Promise<Source> {
  const value = (options[kind] as string | undefined) ?? "chat";
  switch (kind) {
    case "dataset": {
      const { datasetSource } = await import("../bench/workload/dataset.js");
      return datasetSource(textOf(host, value), value, options["turns"] as number | undefined);
    }
    case "synthetic": {
      const { parseSynthetic, syntheticSource } = await import("../bench/workload/synthetic.js");
      return syntheticSource(parseSynthetic(value, options["ignoreEos"] === true), seed, words);
    }
    case "trace": {
      const { traceSource } = await import("../bench/workload/trace.js");
      return traceSource(textOf(host, value), value, seed, words);
    }
    case "preset": {
      const { findPreset, presetSource } = await import("../bench/workload/presets.js");
      return presetSource(findPreset(value), seed, words);
    }
  }
}

async function settingsOf(options: Options, seed: number): Promise<WorkloadOptions> {
  const { parseSharedPrefix } = await import("../bench/workload/shared-prefix.js");
  const shared = options["sharedPrefix"] as string | undefined;
  const longest = options["maxTokens"] as number | undefined;
  return {
    seed,
    uniquePrefixes: options["allowCache"] !== true,
    answers: options["recordedAnswers"] ? "recorded" : "measured",
    parameters: longest === undefined ? {} : { max_tokens: longest },
    sharedPrefix: shared === undefined ? null : parseSharedPrefix(shared, "--shared-prefix"),
    inOrder: options["inOrder"] === true,
  };
}

function textOf(host: Host, path: string): string {
  const bytes = readInput(host, path, "prompts");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`${path}: is not UTF-8 text`);
  }
}

/** Counts tokens of texts with the tokenizer.json of --tokenizer; undefined without one. */
export async function tokenCounter(host: Host, path: string | undefined): Promise<CountTokens | undefined> {
  if (path === undefined) return undefined;
  const { tokenCounterOf } = await import("../data/text.js");
  return tokenCounterOf(new TextDecoder().decode(readInput(host, path, "tokenizer")), `--tokenizer ${path}`);
}
