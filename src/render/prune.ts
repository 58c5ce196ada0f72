import { type Report, reportForms } from "./compress-lead.js";
import type { Forms } from "./forms.js";
import type { LatencySearch, PrunePlanResult, PruneResult, PruneSettings, Stage } from "./prune-result.js";
import { changeWords, frozenSection, groupSection, stageSection } from "./prune-sections.js";
import { formatBytes, formatCount, formatDuration, formatFlops, formatNumberOf, formatPercent } from "./quantities.js";
import { lossWords } from "./training.js";
import { agreementWords, formatScore, layersSection, lossTable, speedWords } from "./training-sections.js";

/** The forms of a finished pruning; terminal and Markdown have the groups that lost most, page and JSON all. */
export function pruneForms(result: PruneResult): Forms {
  const report: Report = {
    title: `Pruned ${result.model.path}`,
    lead: [...leadOf(result), ...shared(result)],
    sections: [
      stageSection(result),
      ...groupSection(result),
      ...layersSection(result.layers),
      ...frozenSection(result),
      ...(result.recovery ? [lossTable(result.recovery.losses)] : []),
    ],
    foot: footOf(result),
  };
  return {
    ...reportForms(result, report),
    html: async () => (await import("./prune-page.js")).prunePage(result, report),
  };
}

/** The forms of a plan. */
export function prunePlanForms(plan: PrunePlanResult): Forms {
  const report: Report = {
    title: `Plan to prune ${plan.model.path}`,
    lead: [
      "nothing was written",
      `size ${changeWords(plan.bytes, formatBytes)}, about`,
      ...costs(plan),
      ...shared(plan),
    ],
    sections: [...groupSection(plan), ...layersSection(plan.layers), ...frozenSection(plan)],
    foot: [],
  };
  return {
    ...reportForms(plan, report),
    html: async () => (await import("./prune-page.js")).prunePlanPage(plan, report),
  };
}

/** What a reader must know, the most important first. */
function leadOf(result: PruneResult): readonly string[] {
  const { output, model, stages, kept, written, latency, quantization, sparsity } = result;
  const size = `${formatBytes(model.bytes)} -> ${formatBytes(output.bytes)} (${(output.bytes / model.bytes).toFixed(3)} of it)`;
  const last = stages.find(({ stage }) => stage === kept);
  return [
    written ? `wrote ${output.path}: ${size}` : `not written: ${output.path} (${size})`,
    ...(last ? speedWords(last, "original") : []),
    ...(latency ? [latencyWords(latency, result.channels.after === result.channels.before)] : []),
    ...scoreWords(result),
    ...costs(result),
    ...exactWords(result),
    ...recoveryWords(result),
    ...(quantization ? [`quantized: ${quantizedWords(quantization)}`] : []),
    ...(sparsity
      ? [
          `${sparsity.pattern}: ${formatPercent(sparsity.zeros)} zeros in ${formatNumberOf(sparsity.tensors, "tensor")}, which changes neither size nor speed on onnxruntime`,
        ]
      : []),
  ];
}

/** What is left of the model. */
function costs({ parameters, flops, channels }: PruneResult | PrunePlanResult): readonly string[] {
  return [
    `parameters ${changeWords(parameters)}, of which ${formatPercent(parameters.prunable / Math.max(1, parameters.before))} could go`,
    `a run ${changeWords(flops, formatFlops)}, channels ${changeWords(channels)}`,
  ];
}

/** `wanted 30 % less time, reached 31.2 % [30.1, 32.5] in 5 tries`, or `... before a channel went, so none had to`. */
export function latencyWords({ wanted, prepared, reached, tries }: LatencySearch, unpruned = false): string {
  const { ratio, interval } = reached;
  const within = interval ? ` [${short(1 - interval.upper)}, ${short(1 - interval.lower)}]` : "";
  const got = ratio === null ? "which could not be measured" : `reached ${formatPercent(1 - ratio)}${within}`;
  const count = `${formatCount(tries.length)} ${tries.length === 1 ? "try" : "tries"}`;
  const start = `wanted ${percent(wanted)} less time, ${got}`;
  if (unpruned) {
    const why = tries.length === 0 ? "so none has to" : `and of ${count} to prune it none came nearer`;
    return `${start} by preparing the file alone, before a channel went: ${why}`;
  }
  const share = 1 - prepared;
  const before = share >= tellingShare ? `, ${formatPercent(share)} by preparing the file alone` : "";
  return `${start} in ${count}${before}`;
}

/** Less than that may be noise. */
const tellingShare = 0.03;

const short = (share: number): string => (100 * share).toFixed(1);
/** A share that somebody gave, without digits that he did not. */
const percent = (share: number): string => `${Number((100 * share).toFixed(2))} %`;

/** What the stages did to the score, else to the outputs. */
function scoreWords({ stages, metric }: PruneResult): readonly string[] {
  const of = (one: Stage): readonly string[] => {
    if (metric) return one.metric === null ? [] : [`${formatScore(one.metric)} ${one.stage}`];
    return one.agreement ? [`${agreementWords(one)} ${one.stage}`] : [];
  };
  const words = stages.flatMap(of);
  return words.length > 0 ? [`${metric ? metric.name : "agreement with the original"}: ${words.join(", ")}`] : [];
}

function exactWords({ verification, channels }: PruneResult): readonly string[] {
  if (!verification?.exactness || channels.after === channels.before) return [];
  const { maxAbs, relative } = verification.exactness;
  return [
    `exact: before recovery, outputs differ from those of the original with the same channels zeroed by at most ${tiny(relative)} of the largest (${tiny(maxAbs)})`,
  ];
}

const tiny = (value: number): string => (value === 0 ? "0" : value.toExponential(1));

function recoveryWords({ recovery }: PruneResult): readonly string[] {
  if (!recovery) return [];
  const { courses, words, settings } = recovery;
  const steps = courses.reduce((sum, course) => sum + course.steps, 0);
  const seconds = courses.reduce((sum, course) => sum + course.seconds, 0);
  const rounds = courses.length > 1 ? ` in ${courses.length} rounds` : "";
  const last = courses.at(-1);
  const why = { done: "", early: "; it ended early, as nothing got better", time: "; --time ended it" }[
    last?.ended ?? "done"
  ];
  return [
    `recovered with ${words}: ${formatNumberOf(steps, "step")} of ${settings.batchSize * settings.accumulate} samples${rounds} in ${formatDuration(seconds)}${why}`,
    ...lossWords({ curve: courses.flatMap(({ curve }) => curve) }),
  ];
}

/** How tensors are stored, by the name of the scheme. */
const stored: Readonly<Record<string, string>> = {
  half: "as float16",
  left: "as they were",
  unpack: "as 8-bit integers, unpacked at load",
  qdq: "as integers that the runtime turns back (QDQ)",
  nbits: "in MatMulNBits",
  gather: "as rows of 8-bit integers",
  dynamic: "in 8-bit products",
  static: "in 8-bit products with calibrated activations",
};

function quantizedWords({ schemes, takenBack }: NonNullable<PruneResult["quantization"]>): string {
  const counts = schemes.map(
    ({ scheme, tensors }) => `${formatNumberOf(tensors, "tensor")} ${stored[scheme] ?? scheme}`,
  );
  const back = takenBack > 0 ? [`${formatCount(takenBack)} taken back to keep --max-drop`] : [];
  return [...counts, ...back].join("; ");
}

/** Settings, data and shapes, which plan and result both tell. */
function shared({ settings, data, shapes, notes }: PruneResult | PrunePlanResult): readonly string[] {
  return [
    ...(settings.ratio > 0 ? [settingsWords(settings)] : []),
    ...(data
      ? [
          `samples: ${[data.source, ...data.notes].join("; ")}; ${data.labelled ? "with labels" : "without labels"}, ${formatCount(data.heldOut)} of ${formatCount(data.samples)} held out`,
        ]
      : []),
    `shapes: ${shapes.map(({ input, shape }) => `${input} ${shape.join("x") || "scalar"}`).join(", ")}`,
    ...(notes.length > 0 ? [`on the way: ${notes.join("; ")}`] : []),
  ];
}

const measures: Readonly<Record<PruneSettings["by"], string>> = {
  params: "the parameters",
  flops: "the operations of a run",
  channels: "the channels",
  latency: "the time of a run",
};

const spreads: Readonly<Record<PruneSettings["spread"], string>> = {
  global: "the least important for what they save",
  uniform: "the same share of each group",
  sensitivity: "less where it was measured to harm",
};

function settingsWords(settings: PruneSettings): string {
  const { ratio, by, criterion, reduction, spread, round, minChannels, limit, limits, keep, only, steps } = settings;
  const words = [
    `to go: ${percent(ratio)} of ${measures[by]}`,
    `importance ${criterion} (${reduction} over a channel), ${spreads[spread]}`,
    ...(round > 1 ? [`widths in multiples of ${round}`] : []),
    `at least ${minChannels} left, at most ${percent(limit)} of a group gone`,
    ...limits.map(({ pattern, share }) => `${pattern} at most ${percent(share)}`),
    ...(keep.length > 0 ? [`whole: ${keep.join(", ")}`] : []),
    ...(only.length > 0 ? [`only ${only.join(", ")}`] : []),
    ...(settings.hidden ? ["the hidden dimension too"] : []),
    ...(steps > 1 ? [`in ${steps} rounds`] : []),
  ];
  return words.join("; ");
}

function footOf({ settings, versions, model, output }: PruneResult): readonly string[] {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `seed ${settings.seed}; ${programs.join(", ")}`,
    `SHA-256 ${model.sha256}  ${model.path}`,
    ...output.files.map(({ sha256, name }) => `SHA-256 ${sha256}  ${name}`),
  ];
}
