import { InvalidArgumentError, Option } from "commander";
import type { Options } from "../cli.js";
import { globOf } from "../quantize/choose.js";
import type { OptimizerSettings, ScheduleSettings, TrainingSettings } from "../train/task.js";
import { duration, repeated, share, whole } from "./option-values.js";

/** What is trained for. */
export type TrainingMode = "distill" | "qat";

/** Headings of the help for the options of training. */
export const trainingGroups = {
  "Teacher and student (--distill)": [
    "--teacher",
    "--student",
    "--student-layers",
    "--student-params",
    "--student-width",
    "--pairs",
    "--temperature",
    "--blank-weight",
    "--cache",
  ],
  "Training (--distill, --qat)": [
    "--steps",
    "--epochs",
    "--time",
    "--batch",
    "--rate",
    "--schedule",
    "--warm-up",
    "--optimizer",
    "--weight-decay",
    "--clip-norm",
    "--accumulate",
    "--ema",
    "--loss",
    "--freeze",
    "--batch-norm",
    "--freeze-norms",
    "--held-out",
    "--held-out-data",
    "--held-out-labels",
    "--evaluate-every",
    "--patience",
    "--checkpoint",
    "--resume",
    "--log",
  ],
} as const;

/** Options of each by name. */
export const [ofDistillation, ofTraining] = Object.values(
  trainingGroups,
) as readonly (readonly string[])[] as readonly [readonly string[], readonly string[]];

/** The options of distillation alone. */
export function distillOptions(): Option[] {
  return [
    new Option("--teacher <file>", "the model that teaches (or <model>)"),
    new Option("--student <file>", "the model that learns; it takes the teacher's inputs and gives its outputs"),
    new Option(
      "--student-layers <n>",
      "make the student from the teacher: keep n layers, or those named: 0,2,4",
    ).argParser(layers),
    new Option(
      "--student-params <share>",
      "make the student from the teacher, of at most this share of its size, e.g. 70%",
    ).argParser(share),
    new Option(
      "--student-width <share>",
      "make the student from the teacher, with this share of the channels of each layer, e.g. 50%",
    ).argParser(share),
    new Option(
      "--pairs <student:teacher>",
      "layers that are compared by losses of layers, by number or value: 0:1,1:3 (default: found)",
    ),
    new Option(
      "--temperature <number>",
      "what softens the outputs (default: 2; 1 for a student of lower rank)",
    ).argParser(between(0.1, 100)),
    new Option("--blank-weight <share>", "what a frame counts that is surely a blank (CTC; default: 1)").argParser(
      between(0, 1),
    ),
    new Option("--cache <folder>", "keep the teacher's outputs there, for the next run too"),
  ];
}

/** The options of every training. Defaults hang on mode and data, so that they stand in words. */
export function trainingOptions(): Option[] {
  return [
    new Option("--steps <n>", "updates of the weights (default: 3 epochs, from 200 to 5000 steps)").argParser(whole(1)),
    new Option("--epochs <n>", "times that every sample is used").argParser(between(0.01, 1e6)),
    new Option("--time <limit>", "end training after this time: 90s, 20m, 2h").argParser(duration),
    new Option("--batch <rows>", "samples of a batch (default: 32)").argParser(whole(1, 65_536)),
    new Option(
      "--rate <number>",
      "learning rate (default: for batches of 32 1e-3, 3e-5 for a student of lower rank, --qat 7e-5; with the square root of the batch)",
    ).argParser(between(0, 100)),
    new Option("--schedule <kind>", "how the rate falls (default: cosine)").choices([
      "constant",
      "cosine",
      "linear",
      "step",
    ]),
    new Option("--warm-up <steps>", "steps in which the rate rises, a number or a share (default: 5%)").argParser(
      stepsOrShare,
    ),
    new Option("--optimizer <name>", "how weights are updated (default: adamw)").choices(["adamw", "sgd"]),
    new Option(
      "--weight-decay <number>",
      "decay of weights, as a share of the rate (default: 0.01; 0 for a student of lower rank and --qat)",
    ).argParser(between(0, 10)),
    new Option("--clip-norm <number>", "largest norm of a gradient, 0 for any (default: 1)").argParser(between(0, 1e9)),
    new Option("--accumulate <n>", "batches whose gradients make one step (default: 1)").argParser(whole(1, 65_536)),
    new Option("--ema <decay>", "keep the moving average of the weights, such as 0.999 (default: 0, off)").argParser(
      between(0, 0.99999),
    ),
    new Option("--loss <mix>", "what is minimised, by weight: soft=0.9,hard=0.1 (default: as data and outputs tell)"),
    new Option("--freeze <pattern>", "weights that stay as they are, by name, e.g. embed* (repeatable)").argParser(
      repeated,
    ),
    new Option(
      "--batch-norm <way>",
      "statistics of BatchNormalization: as stored, or learned (default: frozen)",
    ).choices(["frozen", "train"]),
    new Option(
      "--freeze-norms <steps>",
      "let BatchNormalization learn until then, a number or a share (--qat; default: 0, as stored)",
    ).argParser(stepsOrShare),
    new Option("--held-out <share>", "part of --data that is only measured on (default: 10%)").argParser(share),
    new Option("--held-out-data <path>", "measure on these samples instead, in the same form as --data"),
    new Option("--held-out-labels <file>", "their labels"),
    new Option("--evaluate-every <steps>", "steps between measurements (default: a tenth of all)").argParser(whole(1)),
    new Option("--patience <n>", "end after n measurements without a better one (default: 0, never)").argParser(
      whole(0),
    ),
    new Option(
      "--checkpoint <folder>",
      "where training can go on from (default: <output>.training, gone when it is done)",
    ),
    new Option("--resume", "go on from the checkpoint of a run that was interrupted"),
    new Option("--log <file>", "write every step as a line of JSON (.jsonl)"),
  ];
}

/** A number within bounds, both included. */
function between(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text.trim() || Number.NaN);
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
  };
}

/** How many layers are kept, or the numbers of those that are. */
function layers(text: string): number | readonly number[] {
  const parts = text.split(",").map((part) => part.trim());
  const numbers = parts.map(Number);
  if (parts.every((part) => /^\d+$/.test(part)) && new Set(numbers).size === numbers.length) {
    return numbers.length === 1 ? numbers[0]! : numbers;
  }
  throw new InvalidArgumentError("It must be how many layers to keep, such as 6, or their numbers, each once: 0,2,4.");
}

/** Steps, or a share of all steps. */
type StepsOrShare = { readonly steps: number } | { readonly share: number };

function stepsOrShare(text: string): StepsOrShare {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return { steps: Number(trimmed) };
  const part = trimmed.endsWith("%") ? Number(trimmed.slice(0, -1)) / 100 : Number(trimmed || Number.NaN);
  if (part >= 0 && part < 1) return { share: part };
  throw new InvalidArgumentError("It must be a number of steps, or a share below 1 such as 5%.");
}

function stepsOf(value: StepsOrShare, steps: number): number {
  return Math.min(steps, "steps" in value ? value.steps : Math.round(value.share * steps));
}

/** The steps in which BatchNormalization takes the statistics of the batches. */
export function normSteps(options: Options, { steps }: TrainingSettings): number {
  const given = options["freezeNorms"] as StepsOrShare | undefined;
  return given ? stepsOf(given, steps) : 0;
}

/** Bounds of the steps that nobody asked for. */
const usualEpochs = 3;
const [fewest, most] = [200, 5000];

/** Usual rates of batches of 32. What starts near its goal is only to be mended: higher rates undo more than they mend. */
const usualRates = { qat: 7e-5, apart: 1e-3, near: 3e-5 } as const;

/**
 * The usual rate of batches of so many samples: in proportion to the square root, for Adam divides by a noise that falls
 * with it (Malladi et al., 2022, arXiv:2205.10287). Two digits of it, so that it can be repeated.
 */
function usualRate(kind: keyof typeof usualRates, samples: number): number {
  return Number((usualRates[kind] * Math.sqrt(samples / 32)).toPrecision(2));
}

/**
 * How training goes, as the options say; `count` is how many samples there are to train on. A student may start `near` its
 * teacher's answers.
 */
export function trainingSettings(
  options: Options,
  mode: TrainingMode,
  count: number,
  student: "apart" | "near" = "apart",
): TrainingSettings {
  const isMending = mode === "qat" || student === "near";
  const given = <T>(name: string, otherwise: T): T => (options[name] as T | undefined) ?? otherwise;
  const batchSize = Math.min(given("batch", 32), count);
  const accumulate = given("accumulate", 1);
  const inEpochs = (epochs: number) => Math.max(1, Math.ceil((epochs * count) / (batchSize * accumulate)));
  const epochs = options["epochs"] as number | undefined;
  const usual = Math.min(most, Math.max(fewest, inEpochs(usualEpochs)));
  const steps = given("steps", epochs === undefined ? usual : inEpochs(epochs));
  const warmUp = given<StepsOrShare>("warmUp", { share: 0.05 });
  const optimizer: OptimizerSettings =
    given<string>("optimizer", "adamw") === "sgd"
      ? { kind: "sgd", momentum: 0.9, nesterov: false }
      : { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
  const kind = given<ScheduleSettings["kind"]>("schedule", "cosine");
  const evaluateEvery = given("evaluateEvery", Math.max(1, Math.ceil(steps / 10)));
  return {
    steps,
    batchSize,
    accumulate,
    optimizer,
    schedule: {
      kind,
      // 16 steps are wide: weights must go a long way to the next
      rate: given("rate", usualRate(mode === "distill" ? student : "qat", batchSize * accumulate)),
      warmUp: stepsOf(warmUp, steps),
      floor: kind === "step" ? 0.1 : 0,
      at: [0.5, 0.8],
    },
    weightDecay: given("weightDecay", isMending ? 0 : 0.01),
    clipNorm: given("clipNorm", 1),
    ema: given("ema", 0),
    seed: options["seed"] as number,
    threads: options["threads"] as number,
    evaluateEvery,
    patience: given("patience", 0),
    checkpointEvery: evaluateEvery,
  };
}

/** What decides the steps of a run beside models and data, by option: a checkpoint of another is not taken. */
export function identityOf(options: Options, settings: TrainingSettings): Readonly<Record<string, string>> {
  const { schedule } = settings;
  const frozen = (options["freeze"] as readonly string[] | undefined) ?? [];
  return {
    "--freeze": frozen.length === 0 ? "not given" : [...new Set(frozen)].sort().join(" "),
    "--batch-norm": (options["batchNorm"] as string | undefined) ?? "frozen",
    "--freeze-norms": `${normSteps(options, settings)} steps`,
    "--steps": String(settings.steps),
    "--batch": String(settings.batchSize),
    "--accumulate": String(settings.accumulate),
    "--rate": String(schedule.rate),
    "--schedule": schedule.kind,
    "--warm-up": `${schedule.warmUp} steps`,
    "--optimizer": settings.optimizer.kind,
    "--weight-decay": String(settings.weightDecay),
    "--clip-norm": String(settings.clipNorm),
    "--ema": String(settings.ema),
    "--seed": String(settings.seed),
  };
}

/** The patterns of --freeze. */
export function frozenPatterns(options: Options): readonly RegExp[] {
  return ((options["freeze"] as readonly string[] | undefined) ?? []).map(globOf);
}
