import { InvalidArgumentError, Option } from "commander";
import type { Options } from "../cli.js";
import type { Criterion, Limits, Reduction, Spread } from "../prune/settings.js";
import type { SparsityPattern } from "../prune/sparsity.js";
import { globOf } from "../quantize/choose.js";
import type { PruneSettings } from "../render/prune-result.js";
import { repeated, share, whole } from "./option-values.js";

/** Headings of the help for the options of pruning. */
export const pruneGroups = {
  "Pruning (--prune)": [
    "--by",
    "--criterion",
    "--reduction",
    "--spread",
    "--round",
    "--min-channels",
    "--limit",
    "--keep",
    "--only",
    "--hidden",
    "--drop-layers",
    "--prune-rounds",
    "--no-compensate",
    "--sparsity",
  ],
} as const;

/** What decides where nobody says. */
const usual = { criterion: { weights: "l2", data: "taylor" }, reduction: "mean", round: 8, limit: 0.9 } as const;

/** The options of pruning alone. */
export function pruneOptions(): Option[] {
  return [
    new Option(
      "--by <measure>",
      "what --prune is a share of: parameters, FLOPs, channels, or the time of a run on this machine (default: params)",
    ).choices(["params", "flops", "channels", "latency"]),
    new Option(
      "--criterion <name>",
      "what makes a channel matter: weights alone (l1, l2, bn, random), or what it does on --data (wanda, flap, mean, taylor; default: taylor with --data, else l2)",
    ).choices(["l1", "l2", "bn", "random", "wanda", "flap", "mean", "taylor"]),
    new Option("--reduction <name>", "how the scores of a channel's weights become one (default: mean)").choices([
      "mean",
      "max",
      "sum",
    ]),
    new Option(
      "--spread <way>",
      "over the groups: one ranking of all channels, the same share each, or by the damage measured on --data (default: sensitivity with --data, else uniform)",
    ).choices(["global", "uniform", "sensitivity"]),
    new Option(
      "--round <n>",
      "widths stay multiples of this, which runtimes are fast with; 1 for any (default: 8)",
    ).argParser(whole(1, 4096)),
    new Option("--min-channels <n>", "least width that is left of a group (default: 8)").argParser(whole(1)),
    new Option(
      "--limit <share>",
      "most that goes of a group, or of those of a name: 80% or head*=20% (repeatable; default: 90%)",
    ).argParser(limit),
    new Option("--keep <pattern>", "groups that stay whole, by names of tensors or nodes (repeatable)").argParser(
      repeated,
    ),
    new Option("--only <pattern>", "the only groups that are pruned, by names (repeatable)").argParser(repeated),
    new Option("--hidden", "prune the hidden dimension of transformers, too, that several normalisations run over"),
    new Option(
      "--drop-layers <n>",
      "leave out the n layers whose absence does the least damage; --prune then takes its share of the rest",
    ).argParser(whole(1)),
    new Option("--prune-rounds <n>", "prune and recover (--distill) in so many rounds (default: 1)").argParser(
      whole(1, 100),
    ),
    new Option("--no-compensate", "leave biases and scales as they are after pruning on --data"),
    new Option(
      "--sparsity <pattern>",
      "zeros instead of removal, 2:4 or a share such as 50%: changes neither size nor speed on onnxruntime",
    ).argParser(sparsity),
  ];
}

type GivenLimit = { readonly pattern: string | null; readonly share: number };

function limit(text: string, earlier: readonly GivenLimit[] = []): readonly GivenLimit[] {
  const at = text.lastIndexOf("=");
  return [...earlier, { pattern: at < 0 ? null : text.slice(0, at), share: share(text.slice(at + 1)) }];
}

function sparsity(text: string): SparsityPattern {
  const found = /^(\d+):(\d+)$/.exec(text.trim());
  if (!found) return { kind: "smallest", share: share(text), over: "model" };
  const [keep, of] = [Number(found[1]), Number(found[2])];
  if (keep >= 1 && keep < of && of <= 64) return { kind: "blocks", keep, of };
  throw new InvalidArgumentError("It must be a share such as 50%, or n:m with n below m, such as 2:4.");
}

/** What is asked of pruning, as the options say; `hasData` decides what is usual. */
export function pruneSettings(options: Options, hasData: boolean): PruneSettings {
  const given = <T>(name: string, otherwise: T): T => (options[name] as T | undefined) ?? otherwise;
  const limits = given<readonly GivenLimit[]>("limit", []);
  return {
    ratio: given("prune", 0),
    by: given<PruneSettings["by"]>("by", "params"),
    criterion: given<Criterion>("criterion", usual.criterion[hasData ? "data" : "weights"]),
    reduction: given<Reduction>("reduction", usual.reduction),
    spread: given<Spread>("spread", hasData ? "sensitivity" : "uniform"),
    round: given("round", usual.round),
    minChannels: given("minChannels", 8),
    limit: limits.findLast(({ pattern }) => pattern === null)?.share ?? usual.limit,
    limits: limits.flatMap(({ pattern, share: most }) => (pattern === null ? [] : [{ pattern, share: most }])),
    keep: given("keep", []),
    only: given("only", []),
    hidden: options["hidden"] === true,
    steps: given("pruneRounds", 1),
    seed: options["seed"] as number,
  };
}

/** The limits of the settings. */
export function limitsOf(settings: PruneSettings): Limits {
  const { round, minChannels, limit: most, limits, keep, only, hidden } = settings;
  return {
    ...{ round, minChannels, limit: most, hidden },
    limits: limits.map(({ pattern, share: own }) => ({ pattern: globOf(pattern), share: own })),
    keep: keep.map(globOf),
    only: only.map(globOf),
  };
}

/** Criteria that look at samples. */
export const dataCriteria: ReadonlySet<Criterion> = new Set<Criterion>(["wanda", "flap", "mean", "taylor"]);
