import type { RatioVerdict } from "../bench/verdict.js";
import { type Agreement, type AgreementSummary, disagreement, isBroken } from "../evaluate/agreement.js";
import type { Drop } from "../evaluate/drop.js";
import type { Normalised } from "../graph/normalise/index.js";
import type { OpsetChange } from "../graph/opset.js";
import type { AccuracyReport } from "../quantize/accuracy.js";
import type { AppliedTensor } from "../quantize/apply.js";
import type { Gate, NoiseLimit } from "../quantize/gate.js";
import type { PlannedTensor, QuantizationPlan } from "../quantize/plan.js";
import type { RuntimeUse } from "../quantize/runtime.js";
import type { QuantizeSettings } from "../quantize/settings.js";
import { formatShape } from "../tensor/tensor.js";
import { accuracyNote } from "./accuracy-tools.js";
import type { Forms } from "./forms.js";
import { formatBytes, formatCount, formatDecibels, formatNumberOf, formatPercent } from "./quantities.js";
import { markdownSections, type Section, textSections } from "./sections.js";

/** What plan and result share. */
interface Source {
  readonly model: {
    readonly path: string;
    /** Of the .onnx file and the external data it uses. */
    readonly bytes: number;
    /** Of the .onnx file, in hex. */
    readonly sha256: string;
  };
  readonly opset: OpsetChange;
  /** What brought the file into the form that compression works on. */
  readonly normalised: Normalised["passes"];
}

/** The result of `deepseek compress --dry-run`, schema deepseek/compress-plan@2. */
export interface PlanResult extends Source {
  readonly schema: "deepseek/compress-plan@2";
  readonly plan: QuantizationPlan;
}

/** How the finished file was held against the original. */
export type Verification =
  | { readonly checked: false; readonly reason: string }
  | {
      readonly checked: true;
      /** Where the samples come from, in words. */
      readonly source: string;
      readonly synthetic: boolean;
      readonly agreement: Agreement;
      readonly drop: Drop;
      /** What onnxruntime made of the 8-bit weights; null where its optimized graph could not be had. */
      readonly runtime: RuntimeUse | null;
      /** CPU time over the original's, one thread: a quick look. */
      readonly speed: RatioVerdict;
    };

/** The result of `deepseek compress`, schema deepseek/compress@2. */
export interface CompressResult extends Source {
  readonly schema: "deepseek/compress@2";
  readonly versions: { readonly "deepseek-compat": string; readonly onnxruntime: string; readonly node: string };
  readonly output: {
    readonly path: string;
    readonly bytes: number /** Output bytes / input bytes. */;
    readonly ratio: number;
  };
  readonly settings: QuantizeSettings;
  readonly tensors: readonly AppliedTensor[];
  /** Nodes whose bias makes up for what rounding moved. */
  readonly correctedBiases: number;
  /** Values inside the model have short names; --keep-names keeps the old ones. */
  readonly namesShortened: boolean;
  /** What was gathered for bias correction and static quantization; missing where nothing was. */
  readonly calibration:
    | {
        readonly source: string;
        readonly samples: number;
        /** How many values have statistics. */
        readonly values: number;
        /** How ranges of activations follow from them; null where no activation is quantized beforehand. */
        readonly ranges: string | null;
      }
    | undefined;
  /** Nodes of the main graph under static quantization; empty without it. */
  readonly nodes: readonly {
    readonly name: string;
    readonly opType: string;
    readonly output: string;
    readonly runs: "int8" | "float";
    /** Why it stays in floats. */
    readonly reason: string;
  }[];
  /** What was done to floats and their rounding for accuracy. */
  readonly accuracy: AccuracyReport;
  /** What was decided by measuring on the samples. */
  readonly choices: readonly {
    readonly what: "clip" | "range" | "schemes" | "smoothing";
    readonly chosen: string;
    /** Noise power over signal power of the outputs (clip, range, smoothing), or CPU time over the original's (schemes). */
    readonly measured: readonly { readonly name: string; readonly value: number }[];
  }[];
  readonly verification: Verification;
  /** The limit set to the noise from 8-bit activations to keep --max-drop; null where none was needed. */
  readonly noiseLimit: NoiseLimit | null;
  /** What was done to keep --max-drop; null where the first result kept it, or nothing was measured on real samples. */
  readonly gate: Gate | null;
}

/** Slower than this times the original is said. */
const slowRatio = 1.05;

/** What limits a result, each with its remedy. */
export function warningsOf({ verification, gate }: CompressResult): readonly string[] {
  if (!verification.checked) return [`not checked against the original: ${verification.reason}`];
  const { agreement, synthetic, speed } = verification;
  const difference = disagreement(agreement);
  const slow = speed.ratio !== null && speed.interval !== null && speed.interval.lower > slowRatio;
  return [
    ...(gate && !gate.reached
      ? [
          `the loss stays at ${formatPercent(gate.drop, false, 2)} or above, --max-drop allows ${formatPercent(gate.maxDrop, false, 2)}: nothing was written`,
        ]
      : []),
    ...(synthetic
      ? ["checked on random numbers only: this says little about accuracy; give --data with real samples"]
      : []),
    ...(isBroken(agreement) ? ["the outputs are broken; see the agreement table, and do not ship this file"] : []),
    ...(difference && !isBroken(agreement) && (synthetic || (gate && !gate.reached))
      ? [`${difference}; check its accuracy before you ship it`]
      : []),
    ...(slow ? [`takes ${speed.ratio!.toFixed(2)} times the original's CPU time`] : []),
  ];
}

const right = "right" as const;

export function planForms(result: PlanResult): Forms {
  const { tensors } = result.plan;
  const saved = tensors.reduce((sum, { bytes, bytesAfter }) => sum + bytes - bytesAfter, 0);
  const after = result.model.bytes - saved;
  const title = `Plan for ${result.model.path}`;
  const lead = [
    `${formatBytes(result.model.bytes)} -> about ${formatBytes(after)} (${(after / result.model.bytes).toFixed(3)} of it); nothing was written`,
    ...preparation(result),
  ];
  const sections: Section[] = [
    {
      title: "Tensors",
      columns: [
        { header: "action" },
        { header: "tensor" },
        { header: "shape" },
        { header: "axis", align: right },
        { header: "before", align: right },
        { header: "after", align: right },
        { header: "used by" },
        { header: "why" },
      ],
      rows: [...tensors]
        .sort((a, b) => b.bytes - a.bytes)
        .map((tensor) => [
          tensor.action,
          tensor.graph === "main" ? tensor.name : `${tensor.graph}: ${tensor.name}`,
          formatShape(tensor.shape),
          tensor.form === null ? "" : String(tensor.form.axis),
          formatBytes(tensor.bytes),
          formatBytes(tensor.bytesAfter),
          tensor.usedBy.join(", "),
          tensor.transpose ? "stored as [K, N], Gemm without transB" : tensor.reason,
        ]),
    },
    summarySection(tensors),
  ];
  return forms(result, title, lead, sections);
}

export function compressForms(result: CompressResult): Forms {
  const { model, output, tensors, verification } = result;
  const lead = [
    result.gate && !result.gate.reached ? `not written: ${output.path}` : `wrote ${output.path}`,
    `8-bit weights (${result.settings.signed ? "int8" : "uint8, zero point 128"}), one scale per output channel`,
    ...preparation(result),
    ...(result.correctedBiases > 0
      ? [`${formatNumberOf(result.correctedBiases, "constant bias term")} corrected by what rounding moved`]
      : []),
    ...accuracyNote(result.accuracy),
    ...lossNote(result),
    ...runtimeNote(result),
  ];
  const sections = [
    {
      title: "Size",
      columns: [
        { header: "" },
        { header: "before", align: right },
        { header: "after", align: right },
        { header: "ratio", align: right },
      ],
      rows: [
        ["file", formatBytes(model.bytes), formatBytes(output.bytes), output.ratio.toFixed(3)],
        sizeRow(
          "quantized weights",
          tensors.filter(({ action }) => action === "quantize"),
        ),
        sizeRow("all float tensors", tensors),
      ],
    },
    summarySection(tensors),
    ...worstSection(tensors),
    ...verificationSections(verification),
  ];
  return forms(result, `Compressed ${model.path}`, lead, sections);
}

function forms(json: Forms["json"], title: string, lead: readonly string[], sections: readonly Section[]): Forms {
  return {
    json,
    text: (paint) =>
      `${paint.bold(title)}\n${lead.map((line) => `  ${line}\n`).join("")}${textSections(sections, paint)}`,
    markdown: () => `## ${title}\n\n${lead.map((line) => `- ${line}\n`).join("")}${markdownSections(sections)}`,
  };
}

function preparation({ opset, normalised }: Source): string[] {
  const lines = normalised.map(({ words }) => words);
  if (opset.from !== opset.to) {
    const rewritten = Object.entries(opset.rewritten).map(([operator, nodes]) => `${nodes} ${operator}`);
    lines.push(
      `opset ${opset.from} -> ${opset.to}${rewritten.length > 0 ? `, rewritten: ${rewritten.join(", ")}` : ""}`,
    );
  }
  return lines;
}

/** The loss as one number, what was done to keep the limit, and the speed. */
function lossNote({ verification, gate }: CompressResult): string[] {
  if (!verification.checked) return [];
  const { drop, synthetic, speed } = verification;
  const scores =
    drop.reference === null || drop.candidate === null
      ? ""
      : ` (${formatPercent(drop.reference, false, 2)} before, ${formatPercent(drop.candidate, false, 2)} after)`;
  const kept = gate ? gate.floats.length : 0;
  return [
    `loss ${formatPercent(drop.value, false, 2)}: ${drop.name}${scores}${synthetic ? ", on random numbers" : ""}`,
    ...(gate
      ? [
          `${formatPercent(gate.trials[0]!.drop, false, 2)} with all of them in 8 bits; ${formatNumberOf(kept, "weight")} left as floats after ${formatNumberOf(gate.trials.length, "trial")}, the limit is ${formatPercent(gate.maxDrop, false, 2)}`,
        ]
      : []),
    ...(speed.ratio === null || speed.interval === null
      ? []
      : [
          `CPU time ${speed.ratio.toFixed(2)} of the original's (95 % interval ${speed.interval.lower.toFixed(2)} to ${speed.interval.upper.toFixed(2)}, one thread)`,
        ]),
  ];
}

/** What the runtime on this machine makes of the 8-bit weights, where that was looked at. */
function runtimeNote({ verification, versions: { onnxruntime: version } }: CompressResult): string[] {
  if (!verification.checked || !verification.runtime) return [];
  const { eightBit, dequantizedEachRun: slow } = verification.runtime;
  const kernels = `onnxruntime ${version} computes with ${eightBit} of the weights in 8 bits`;
  if (slow === 0) return [kernels];
  return [
    `${kernels} and turns ${slow} back into floats on every run, which costs time;`,
    "the session option session.disable_quant_qdq = 1 has it do so once, at load, and run at the original's speed",
  ];
}

function bytesOf(tensors: readonly PlannedTensor[]): { readonly before: number; readonly after: number } {
  return {
    before: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    after: tensors.reduce((sum, { bytesAfter }) => sum + bytesAfter, 0),
  };
}

function sizeRow(label: string, tensors: readonly PlannedTensor[]): string[] {
  const { before, after } = bytesOf(tensors);
  return [label, formatBytes(before), formatBytes(after), before > 0 ? (after / before).toFixed(3) : "-"];
}

/** Tensors quantized and left, the left ones by reason. */
function summarySection(tensors: readonly PlannedTensor[]): Section {
  const total = bytesOf(tensors).before;
  const groups = new Map<string, PlannedTensor[]>();
  for (const tensor of tensors) {
    const key = tensor.action === "quantize" ? "" : tensor.reason;
    groups.set(key, [...(groups.get(key) ?? []), tensor]);
  }
  const rows = [...groups]
    .map(([reason, members]) => ({ reason, members, bytes: bytesOf(members).before }))
    .sort((a, b) => Number(a.reason !== "") - Number(b.reason !== "") || b.bytes - a.bytes)
    .map(({ reason, members, bytes }) => [
      reason === "" ? "quantized" : "left",
      formatCount(members.length),
      formatBytes(bytes),
      formatPercent(total > 0 ? bytes / total : 0),
      reason,
    ]);
  return {
    title: "Tensors quantized and left",
    columns: [
      { header: "" },
      { header: "tensors", align: right },
      { header: "bytes", align: right },
      { header: "share", align: right },
      { header: "why" },
    ],
    rows,
  };
}

/** How many of the worst weights a report names. */
const worstShown = 5;

function worstSection(tensors: readonly AppliedTensor[]): Section[] {
  const worst = tensors
    .flatMap((tensor) => (tensor.sqnrDb === null ? [] : [{ ...tensor, sqnrDb: tensor.sqnrDb }]))
    .sort((a, b) => a.sqnrDb - b.sqnrDb)
    .slice(0, worstShown);
  if (worst.length === 0) return [];
  return [
    {
      title: "Weights that lost most",
      columns: [{ header: "tensor" }, { header: "shape" }, { header: "used by" }, { header: "SQNR", align: right }],
      rows: worst.map(({ name, shape, usedBy, sqnrDb }) => [
        name,
        formatShape(shape),
        usedBy.join(", "),
        formatDecibels(sqnrDb),
      ]),
    },
  ];
}

function verificationSections(verification: Verification): Section[] {
  const title = "Agreement with the original";
  if (!verification.checked) {
    return [{ title, columns: [{ header: "not checked" }], rows: [[verification.reason]] }];
  }
  const { agreement, source, synthetic } = verification;
  const row = (name: string, summary: AgreementSummary, problem?: string) => [
    name,
    formatCount(summary.elements),
    summary.topOne ? `${summary.topOne.agree}/${summary.topOne.total}` : "-",
    summary.topOne ? formatPercent(summary.topOne.agree / summary.topOne.total, false, 2) : "-",
    // nothing was compared where shapes differ or the output is text
    ...(summary.elements === 0
      ? ["-", "-", "-"]
      : [formatDecibels(summary.sqnrDb), summary.cosine.toFixed(6), summary.maxAbsError.toPrecision(3)]),
    problem ?? (summary.nonFinite.candidate > 0 ? `${summary.nonFinite.candidate} elements not finite` : ""),
  ];
  const rows = agreement.outputs.map((output) => row(output.name, output, output.problem));
  if (rows.length > 1) rows.push(row("all outputs", agreement.total));
  return [
    {
      title,
      columns: [
        { header: "output" },
        { header: "elements", align: right },
        { header: "top-1 same", align: right },
        { header: "", align: right },
        { header: "SQNR", align: right },
        { header: "cosine", align: right },
        { header: "max error", align: right },
        { header: "" },
      ],
      rows,
      note: `on ${formatNumberOf(agreement.samples, "sample")}: ${source}${synthetic ? " (random numbers: no statement about accuracy)" : ""}`,
    },
  ];
}
